"""Who performs which kind of work (lanes.py), built from the settings."""

import logging

from control.tenants import ContactStore, TenantDirectory
from recovery.config import Settings
from recovery.email_addresses import is_address
from sinks.effects.accounts import AccountView
from sinks.effects.alerts.alerts import Alerts
from sinks.effects.alerts.digests import Digests
from sinks.effects.channels import mail_channel, mail_signer, signed_links, slack_channel, text_server
from sinks.effects.engine.ledger import Ledger
from sinks.effects.mail.email import EmailPerformer, MailTransport
from sinks.effects.mail.smtp import MailServer, address
from sinks.effects.performer import Clocks, Performer
from sinks.effects.sms.sms import SmsPerformer
from sinks.effects.stripe.charges import Charges
from sinks.effects.stripe.client import EffectsStripeClient
from sinks.effects.stripe.end_actions import EndActions
from sinks.effects.stripe.reads import Reads
from sinks.effects.webhooks.delivery_log import DeliveryLog
from sinks.effects.webhooks.endpoints import Endpoints
from sinks.effects.webhooks.performer import Webhooks
from sinks.effects.webhooks.sender import Sender
from sinks.effects.webhooks.ssrf_guard import AddressPolicy

log = logging.getLogger(__name__)


def performers(
    settings: Settings, stripe: EffectsStripeClient, tenants: TenantDirectory, clocks: Clocks, ledger: Ledger
) -> dict[str, Performer]:
    """The performer of each kind of work. Raises ValueError when a setting is wrong."""
    accounts, contacts, mail, digests = AccountView(tenants), ContactStore(settings.contacts_url), post(settings), Digests(ledger)
    return {
        "read_requested": Reads(stripe, clocks),
        "charge_requested": Charges(stripe, accounts, clocks),
        "subscription_end_requested": EndActions(stripe, accounts, clocks),
        "message_requested": EmailPerformer(stripe, accounts, contacts, mail, clocks),
        "message_requested.sms": SmsPerformer(stripe, accounts, contacts, text_server(settings), signed_links(settings), clocks),
        "alert_requested.email": Alerts(mail_channel(settings, accounts, mail, clocks.wall), digests, clocks),
        "alert_requested.slack": Alerts(slack_channel(settings, accounts), digests, clocks),
        "webhook_requested": _webhooks(settings, tenants, clocks, ledger),
    }


def _webhooks(settings: Settings, tenants: TenantDirectory, clocks: Clocks, ledger: Ledger) -> Webhooks:
    rules = AddressPolicy(settings.webhook_allow_private_addresses, settings.webhook_ports)
    if rules.private:
        log.warning(
            "DUNLIN_WEBHOOK_ALLOW_PRIVATE_ADDRESSES is yes: webhooks go to any address. Never set it where merchants name endpoints."
        )
    return Webhooks(Endpoints(tenants), Sender(rules, clocks.wall), DeliveryLog(ledger.engine, ledger.writing), clocks)


def _can_send(sender: str) -> bool:
    """Whether mails can come from there: an address, of this machine too."""
    return is_address(sender) or is_address(f"{sender}.example")


def post(settings: Settings) -> MailTransport:
    """How mail is sent. Raises ValueError when the mail server's address is invalid, or the keys of links cannot be read."""
    if not settings.smtp_url:
        log.warning("DUNLIN_SMTP_URL is not set: mails are skipped")
        return MailTransport(None, settings.mail_from, False)
    where = address(settings.smtp_url)
    if not _can_send(settings.mail_from):
        raise ValueError(f"DUNLIN_MAIL_FROM is {settings.mail_from!r}; it takes one plain e-mail address, such as billing@heron.example.")
    may_leave = where.is_this_machine or settings.mail_allow_external
    if not may_leave:
        log.warning("mails are skipped: %s is not this machine and DUNLIN_MAIL_ALLOW_EXTERNAL is not yes", where.host)
    return MailTransport(MailServer(where), settings.mail_from, may_leave, signed_links(settings), mail_signer(settings))
