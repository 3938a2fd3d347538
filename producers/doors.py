"""Which of the gateway's other doors are open, by the settings: links need their keys, texts need Twilio's token and our address."""

import logging
import time

from control.link_keys import link_keys
from control.lookup import Contacts, Tenants
from producers.delivery import Delivers
from producers.gateway_metrics import GatewayMetrics
from producers.intake import Intake
from producers.link_doors import LinkDoors
from producers.mail_doors import MailDoor
from producers.mail_facts import Whose
from producers.twilio_doors import TwilioDoors
from recovery.adapters.clock import business_clock, wall
from recovery.config import Settings
from recovery.links import Links

log = logging.getLogger(__name__)


def intake(settings: Settings, tenants: Tenants, delivery: Delivers, metrics: GatewayMetrics) -> Intake | None:
    """The doors beside Stripe's; None where there are no link keys, which all of them need.

    Raises:
        ValueError: the link keys are there and cannot be used.

    """
    if not settings.link_secret_file.exists():
        log.warning("no links, bounces or texts are taken: %s is not there (DUNLIN_LINK_SECRET_FILE)", settings.link_secret_file)
        return None
    links, business = Links(link_keys(settings.link_secret_file), settings.public_url), business_clock(settings.clock_file)
    contacts = Contacts(settings.contacts_url)
    doors = LinkDoors(links, business, wall, time.monotonic).doors()
    doors += MailDoor(tenants.mail_events_secrets, Whose(links, contacts), business, wall).doors()
    if settings.twilio_auth_token and settings.public_url:
        clocks = (business, wall)
        token, accounts = settings.twilio_auth_token, tenants.accounts
        doors += TwilioDoors(token, settings.public_url, links, contacts, accounts, clocks, time.monotonic).doors()
    elif settings.twilio_auth_token:
        log.warning("answers to texts are not taken: DUNLIN_PUBLIC_URL, which Twilio's signature covers, is not set")
    return Intake(doors, delivery, metrics, surely=settings.clock_file is not None)
