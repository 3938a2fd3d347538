"""`python -m sinks test-alert`: one message by each way that a merchant or operator wants to see working, and what is wrong in words."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import msgspec

from control.tenants import TenantDirectory
from recovery.config import Settings
from recovery.presentation.messages.gsm import plain
from recovery.vocabulary import Clock
from sinks.effects.accounts import AccountView
from sinks.effects.alerts.alert_mail import MailChannel, filled
from sinks.effects.alerts.slack import SlackChannel, escaped
from sinks.effects.channels import mail_channel, slack_channel, text_server
from sinks.effects.delivery_errors import DeliveryUnknown, PermanentFailure, TemporaryFailure
from sinks.effects.performers import post
from sinks.effects.sms.phones import e164
from sinks.effects.sms.twilio import TextServer

TEXT_SECONDS = 300
HELP = {
    "no_address": "the account's entry in the tenants file has no {where}",
    "address_refused": "its address does not begin with https://hooks.slack.com/services/ (DUNLIN_SLACK_ALLOW_ANY_HOST permits others)",
    "unusable_address": "its alert_email is not an address",
    "no_mail_server": "DUNLIN_SMTP_URL is not set",
    "real_mail_disabled": "the mail server is on another machine and DUNLIN_MAIL_ALLOW_EXTERNAL is not yes",
    "not_allowed": "Twilio does not accept TWILIO_ACCOUNT_SID with TWILIO_AUTH_TOKEN for this",
    "bad_number": "Twilio cannot text this number",
    "bad_sender": "TWILIO_PHONE_NUMBER cannot text this number",
    "region_not_enabled": "Twilio's Geo Permissions do not allow this country",
    "opted_out": "this number answered STOP; it must text START first",
    "slack_no_service": "Slack does not know the address; make a new incoming webhook",
    "slack_invalid_token": "Slack does not know the address; make a new incoming webhook",
    "slack_channel_is_archived": "the webhook's channel is archived",
}
"""What to do about a refusal, by its reason."""
_WHERE = {"email": "alert_email", "slack": "slack_webhook_file"}


class Wanted(msgspec.Struct, frozen=True):
    """What is to be tried: an account, by e-mail, in Slack, and by SMS to a number; with none of these, every way with an address."""

    account: str
    email: bool = False
    slack: bool = False
    sms: str = ""


class _Channel(Protocol):
    medium: str

    def why_not(self, account: str) -> str:
        """Why no test alert can be sent."""


def run(settings: Settings, wanted: Wanted, wall: Clock, report: Callable[[str], None]) -> int:
    """Send what is wanted and say what became of each. Returns 0 when everything was taken, 1 otherwise.

    Raises:
        ValueError: a setting or the tenants file is wrong.
        LookupError: the account is unknown.

    """
    tenants = TenantDirectory.load(settings.tenants_file)
    tenant, accounts = tenants.tenant(wanted.account), AccountView(tenants)
    unsaid = not (wanted.email or wanted.slack or wanted.sms)
    tries: list[tuple[str, Callable[[], str]]] = []
    if wanted.email or (unsaid and tenant.alert_email):
        mail = mail_channel(settings, accounts, post(settings), wall)
        tries.append(("e-mail", lambda: _by_mail(mail, wanted.account, tenants.name(wanted.account), wall(), test=not tenant.livemode)))
    if wanted.slack or (unsaid and tenant.slack_webhook_file):
        slack = slack_channel(settings, accounts)
        tries.append(("Slack", lambda: _by_slack(slack, wanted.account, tenants.name(wanted.account))))
    if wanted.sms:
        server = text_server(settings)
        tries.append(("SMS", lambda: _by_sms(server, wanted.sms, tenants.name(wanted.account))))
    if not tries:
        report(f"{wanted.account} has neither alert_email nor slack_webhook_file in the tenants file, so there is nothing to try.")
    taken = [_tried(name, send, report) for name, send in tries]
    return 0 if taken and all(taken) else 1


def _tried(name: str, send: Callable[[], str], report: Callable[[str], None]) -> bool:
    """Whether it was taken; says so, or why not."""
    try:
        report(f"{name}: {send()}")
    except TemporaryFailure as error:
        report(f"{name}: not sent, for a passing reason: {error}. Try again in a while.")
    except PermanentFailure as error:
        report(f"{name}: not sent: {HELP.get(str(error), str(error))}.")
    except DeliveryUnknown as error:
        report(f"{name}: it may have been sent, it cannot be known: {error}. Check whether it arrived.")
    else:
        return True
    return False


def _refuse(channel: _Channel, account: str) -> None:
    if why := channel.why_not(account):
        raise PermanentFailure(HELP[why].format(where=_WHERE[channel.medium]))


def _by_mail(channel: MailChannel, account: str, merchant: str, now: datetime, *, test: bool) -> str:
    _refuse(channel, account)
    fields: dict[str, object] = {
        "heading": "This is a test alert",
        "preview": "Alerts by e-mail work.",
        "opening": f"Alerts of {' '.join(merchant.split())} reach you at this address. This is a test; nothing has happened.",
    }
    channel.send_page(account, filled(fields, account, test=test), f"{account}.~alert.test.{int(now.timestamp())}", lambda: None)
    return "the mail server has taken it"


def _by_slack(channel: SlackChannel, account: str, merchant: str) -> str:
    _refuse(channel, account)
    text = escaped(f"Alerts of {merchant} reach this channel. This is a test; nothing has happened.")
    parts = [{"type": "section", "text": {"type": "mrkdwn", "text": f"*This is a test alert*\n{text}"}}]
    channel.post(account, "This is a test alert", parts, lambda: None)
    return "Slack has taken it"


def _by_sms(server: TextServer | None, number: str, merchant: str) -> str:
    if server is None:
        raise PermanentFailure("TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_PHONE_NUMBER are not set for this installation")
    if not (to := e164(number)):
        raise PermanentFailure("not a valid SMS number; use international format, e.g. +4915112345678")
    text = f"{plain(merchant)}: this is a test, nothing has happened."
    return f"Twilio has taken it as {server.deliver(to, text, TEXT_SECONDS, '', lambda: None)}"
