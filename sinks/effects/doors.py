"""The ways out of the house as the settings say: to Twilio, to merchants by mail and in Slack, and the links that messages carry."""

import logging

from control.link_keys import link_keys
from recovery.config import Settings
from recovery.links import Links
from recovery.vocabulary import Clock
from sinks.effects.accounts import Accounts
from sinks.effects.alert_mail import MailChannel
from sinks.effects.email import Post
from sinks.effects.slack import SlackChannel
from sinks.effects.twilio import TextServer

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


def signed_links(settings: Settings) -> Links | None:
    """What signs the links in messages; None without DUNLIN_PUBLIC_URL. Raises ValueError when there are no keys for it."""
    return Links(link_keys(settings.link_secret_file), settings.public_url) if settings.public_url else None


def mail_signer(settings: Settings) -> Links | None:
    """What signs the Message-IDs of mails to payers; None where there is no file with keys. Raises ValueError when the file is no good."""
    if settings.link_secret_file.exists():
        return Links(link_keys(settings.link_secret_file))
    log.warning("bounces and complaints will not be believed: there is no %s to sign mails with", settings.link_secret_file)
    return None


def mail_channel(settings: Settings, accounts: Accounts, post: Post, wall: Clock) -> MailChannel:
    """Alerts by e-mail, through the mail server of payers' mails and under the same permission to leave this machine."""
    return MailChannel(
        accounts, post.server, post.sender, wall, settings.dashboard_url, may_leave=post.may_leave, shown_account=settings.dashboard_account
    )


def slack_channel(settings: Settings, accounts: Accounts) -> SlackChannel:
    """Alerts in Slack."""
    return SlackChannel(
        accounts, settings.dashboard_url, other_addresses=settings.slack_other_addresses, shown_account=settings.dashboard_account
    )
