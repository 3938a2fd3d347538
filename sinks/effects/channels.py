"""Makes the outgoing channels from the settings: Twilio, merchants' mail and Slack, and the signed links in messages."""

import logging

from control.link_keys import link_keys
from recovery.config import Settings
from recovery.signed_links import LinkSigner
from recovery.vocabulary import Clock
from sinks.effects.accounts import AccountView
from sinks.effects.alerts.alert_mail import MailChannel
from sinks.effects.alerts.slack import SlackChannel
from sinks.effects.mail.email import MailTransport
from sinks.effects.sms.twilio import TextServer

log = logging.getLogger(__name__)


def text_server(settings: Settings) -> TextServer | None:
    """Who takes texts; None where no Twilio account is set. Raises ValueError when one is set by halves.

    In a sandbox's world, which is full of numbers of strangers, texts go to a Twilio of its own or nowhere.
    """
    if not settings.twilio_account_sid:
        return None
    if settings.stripe_api_base and not settings.twilio_api_base:
        log.warning("texts are skipped: with DUNLIN_STRIPE_API_BASE they need DUNLIN_TWILIO_API_BASE, too")
        return None
    return TextServer(settings.twilio_account_sid, settings.twilio_auth_token, settings.twilio_phone_number, settings.twilio_api_base)


def signed_links(settings: Settings) -> LinkSigner | None:
    """What signs the links in messages; None without DUNLIN_PUBLIC_URL. Raises ValueError when there are no keys for it."""
    return LinkSigner(link_keys(settings.link_keys_file), settings.public_url) if settings.public_url else None


def mail_signer(settings: Settings) -> LinkSigner | None:
    """The signer of Message-IDs of mails to customers; None without a file of keys. Raises ValueError when the file is invalid."""
    if settings.link_keys_file.exists():
        return LinkSigner(link_keys(settings.link_keys_file))
    log.warning("bounces and complaints will not be believed: there is no %s to sign mails with", settings.link_keys_file)
    return None


def mail_channel(settings: Settings, accounts: AccountView, post: MailTransport, wall: Clock) -> MailChannel:
    """Alerts by e-mail, through the mail server of payers' mails and under the same permission to leave this machine."""
    return MailChannel(
        accounts, post.server, post.sender, wall, settings.dashboard_url, may_leave=post.may_leave, shown_account=settings.dashboard_account
    )


def slack_channel(settings: Settings, accounts: AccountView) -> SlackChannel:
    """Alerts in Slack."""
    return SlackChannel(
        accounts, settings.dashboard_url, other_addresses=settings.slack_allow_any_host, shown_account=settings.dashboard_account
    )
