"""Who performs which kind of work (lanes.py), built from the settings."""

import logging

from control.addresses import is_address
from control.lookup import Contacts, Tenants
from recovery.config import Settings
from sinks.effects.accounts import Accounts
from sinks.effects.alerts import Alerts
from sinks.effects.answers import Clocks, Performer
from sinks.effects.charges import Charges
from sinks.effects.digests import Digests
from sinks.effects.doors import mail_channel, mail_signer, signed_links, slack_channel, text_server
from sinks.effects.email import Mails, Post
from sinks.effects.end_actions import EndActions
from sinks.effects.ledger import Ledger
from sinks.effects.reads import Reads
from sinks.effects.sms import Texts
from sinks.effects.smtp import MailServer, address
from sinks.effects.stripe import StripeDoor
from sinks.effects.webhooks.addresses import Rules
from sinks.effects.webhooks.endpoints import Endpoints
from sinks.effects.webhooks.journal import Journal
from sinks.effects.webhooks.performer import Webhooks
from sinks.effects.webhooks.sender import Sender

log = logging.getLogger(__name__)


def performers(settings: Settings, door: StripeDoor, tenants: Tenants, clocks: Clocks, ledger: Ledger) -> dict[str, Performer]:
    """The performer of each kind of work. Raises ValueError when a setting is wrong."""
    accounts, contacts, mail, digests = Accounts(tenants), Contacts(settings.contacts_url), post(settings), Digests(ledger)
    return {
        "read_requested": Reads(door, clocks),
        "charge_requested": Charges(door, accounts, clocks),
        "subscription_end_requested": EndActions(door, accounts, clocks),
        "message_requested": Mails(door, accounts, contacts, mail, clocks),
        "message_requested.sms": Texts(door, accounts, contacts, text_server(settings), signed_links(settings), clocks),
        "alert_requested.email": Alerts(mail_channel(settings, accounts, mail, clocks.wall), digests, clocks),
        "alert_requested.slack": Alerts(slack_channel(settings, accounts), digests, clocks),
        "webhook_requested": _webhooks(settings, tenants, clocks, ledger),
    }


def _webhooks(settings: Settings, tenants: Tenants, clocks: Clocks, ledger: Ledger) -> Webhooks:
    rules = Rules(settings.webhook_private_addresses, settings.webhook_ports)
    if rules.private:
        log.warning("DUNLIN_WEBHOOK_PRIVATE_ADDRESSES is yes: webhooks go to any address. Never set it where merchants name endpoints.")
    return Webhooks(Endpoints(tenants), Sender(rules, clocks.wall), Journal(ledger.engine, ledger.writing), clocks)


def _can_send(sender: str) -> bool:
    """Whether mails can come from there: an address, of this machine too."""
    return is_address(sender) or is_address(f"{sender}.example")


def post(settings: Settings) -> Post:
    """How mail leaves. Raises ValueError when the mail server's address is none, or the keys of links cannot be read."""
    if not settings.smtp_url:
        log.warning("DUNLIN_SMTP_URL is not set: mails are skipped")
        return Post(None, settings.mail_from, False)
    where = address(settings.smtp_url)
    if not _can_send(settings.mail_from):
        raise ValueError(f"DUNLIN_MAIL_FROM is {settings.mail_from!r}; it takes one plain e-mail address, such as billing@heron.example.")
    may_leave = where.is_this_machine or settings.mail_to_real_addresses
    if not may_leave:
        log.warning("mails are skipped: %s is not this machine and DUNLIN_MAIL_TO_REAL_ADDRESSES is not yes", where.host)
    return Post(MailServer(where), settings.mail_from, may_leave, signed_links(settings), mail_signer(settings))
