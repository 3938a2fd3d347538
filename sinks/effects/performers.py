"""Who performs which kind of work (lanes.py), built from the settings."""

import logging

from control.lookup import Contacts
from recovery.config import Settings
from sinks.effects.accounts import Accounts
from sinks.effects.answers import Clocks, Performer
from sinks.effects.charges import Charges
from sinks.effects.email import Mails, Post
from sinks.effects.end_actions import EndActions
from sinks.effects.reads import Reads
from sinks.effects.smtp import MailServer, address
from sinks.effects.stripe import StripeDoor

log = logging.getLogger(__name__)


def performers(settings: Settings, door: StripeDoor, accounts: Accounts, clocks: Clocks) -> dict[str, Performer]:
    """The performer of each kind of work. Raises ValueError when a setting is wrong."""
    return {
        "read_requested": Reads(door, clocks),
        "charge_requested": Charges(door, accounts, clocks),
        "subscription_end_requested": EndActions(door, accounts, clocks),
        "message_requested": Mails(door, accounts, Contacts(settings.contacts_url), _post(settings), clocks),
    }


def _post(settings: Settings) -> Post:
    if not settings.smtp_url:
        log.warning("DUNLIN_SMTP_URL is not set: mails are skipped")
        return Post(None, settings.mail_from, False)
    where = address(settings.smtp_url)
    may_leave = where.is_this_machine or settings.mail_to_real_addresses
    if not may_leave:
        log.warning("mails are skipped: %s is not this machine and DUNLIN_MAIL_TO_REAL_ADDRESSES is not yes", where.host)
    return Post(MailServer(where), settings.mail_from, may_leave)
