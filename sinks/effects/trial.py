"""`python -m sinks try-alerts`: one message by each way that a merchant or operator wants to see working, and what is wrong in words."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import msgspec

from control.lookup import Tenants
from recovery.config import Settings
from recovery.vocabulary import Clock
from sinks.effects.accounts import Accounts
from sinks.effects.alert_mail import MailChannel, filled
from sinks.effects.doors import mail_channel, slack_channel, text_server
from sinks.effects.gsm import plain
from sinks.effects.handover import Deferred, RefusedForGood, Unclear
from sinks.effects.performers import post
from sinks.effects.phones import e164
from sinks.effects.slack import SlackChannel, escaped
from sinks.effects.twilio import TextServer

TEXT_SECONDS = 300
HELP = {
    "no_address": "the account's entry in the tenants file has no {where}",
    "address_refused": "its address does not begin with https://hooks.slack.com/services/ (DUNLIN_SLACK_OTHER_ADDRESSES permits others)",
    "unusable_address": "its alert_email is no address",
    "no_mail_server": "DUNLIN_SMTP_URL is not set",
    "real_mail_disabled": "the mail server is on another machine and DUNLIN_MAIL_TO_REAL_ADDRESSES is not yes",
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
        """Why nothing can be told."""


def run(settings: Settings, wanted: Wanted, wall: Clock, say: Callable[[str], None]) -> int:
    """Send what is wanted and say what became of each; answers 0 when everything was taken, 1 otherwise.

    Raises:
        ValueError: a setting or the tenants file is wrong.
        LookupError: the account is unknown.

    """
    tenants = Tenants.load(settings.tenants)
    tenant, accounts = tenants.tenant(wanted.account), Accounts(tenants)
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
        say(f"{wanted.account} has neither alert_email nor slack_webhook_file in the tenants file, so there is nothing to try.")
    taken = [_tried(name, send, say) for name, send in tries]
    return 0 if taken and all(taken) else 1


def _tried(name: str, send: Callable[[], str], say: Callable[[str], None]) -> bool:
    """Whether it was taken; says so, or why not."""
    try:
        say(f"{name}: {send()}")
    except Deferred as error:
        say(f"{name}: not sent, for a passing reason: {error}. Try again in a while.")
    except RefusedForGood as error:
        say(f"{name}: not sent: {HELP.get(str(error), str(error))}.")
    except Unclear as error:
        say(f"{name}: it may have been sent, nobody can tell: {error}. Look whether it came.")
    else:
        return True
    return False


def _refuse(channel: _Channel, account: str) -> None:
    if why := channel.why_not(account):
        raise RefusedForGood(HELP[why].format(where=_WHERE[channel.medium]))


def _by_mail(channel: MailChannel, account: str, merchant: str, now: datetime, *, test: bool) -> str:
    _refuse(channel, account)
    fields: dict[str, object] = {
        "heading": "This is a test alert",
        "preview": "Alerts by e-mail work.",
        "opening": f"Alerts of {' '.join(merchant.split())} reach you at this address. Somebody asked for this test; nothing has happened.",
    }
    channel.say(account, filled(fields, account, test=test), f"{account}.~alert.test.{int(now.timestamp())}", lambda: None)
    return "the mail server has taken it"


def _by_slack(channel: SlackChannel, account: str, merchant: str) -> str:
    _refuse(channel, account)
    said = escaped(f"Alerts of {merchant} reach this channel. Somebody asked for this test; nothing has happened.")
    parts = [{"type": "section", "text": {"type": "mrkdwn", "text": f"*This is a test alert*\n{said}"}}]
    channel.say(account, "This is a test alert", parts, lambda: None)
    return "Slack has taken it"


def _by_sms(server: TextServer | None, number: str, merchant: str) -> str:
    if server is None:
        raise RefusedForGood("TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_PHONE_NUMBER are not set for this installation")
    if not (to := e164(number)):
        raise RefusedForGood("the number is none that can be texted; write it as +4915112345678")
    text = f"{plain(merchant)}: this is a test, nothing has happened."
    return f"Twilio has taken it as {server.hand_over(to, text, TEXT_SECONDS, '', lambda: None)}"
