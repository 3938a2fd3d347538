"""The gateway's other routes that the settings enable: links need their keys, texts need Twilio's token and our public address."""

import logging
import time

from control.link_keys import link_keys
from control.tenants import ContactStore, TenantDirectory
from producers.gateway.kafka_delivery import Delivers
from producers.gateway.metrics import GatewayMetrics
from producers.gateway.router import Router
from producers.gateway.routes.mail_events import MailEventRoutes
from producers.gateway.routes.tracking_routes import TrackingRoutes
from producers.gateway.routes.twilio_routes import TwilioRoutes
from producers.mailbox.bounce_attribution import BounceResolver
from recovery.adapters.clock import business_clock, wall
from recovery.config import Settings
from recovery.signed_links import LinkSigner

log = logging.getLogger(__name__)


def intake(settings: Settings, tenants: TenantDirectory, delivery: Delivers, metrics: GatewayMetrics) -> Router | None:
    """The routes beside Stripe's; None without link keys, which all of them need.

    Raises:
        ValueError: the link keys exist and cannot be used.
    """
    if not settings.link_keys_file.exists():
        log.warning("no links, bounces or texts are taken: %s is not there (DUNLIN_LINK_KEYS_FILE)", settings.link_keys_file)
        return None
    links, business = LinkSigner(link_keys(settings.link_keys_file), settings.public_url), business_clock(settings.clock_file)
    contacts = ContactStore(settings.contacts_url)
    routes = TrackingRoutes(links, business, wall, time.monotonic).routes()
    routes += MailEventRoutes(tenants.mail_events_secrets, BounceResolver(links, contacts), business, wall).routes()
    if settings.twilio_auth_token and settings.public_url:
        clocks = (business, wall)
        token, accounts = settings.twilio_auth_token, tenants.accounts
        routes += TwilioRoutes(token, settings.public_url, links, contacts, accounts, clocks, time.monotonic).routes()
    elif settings.twilio_auth_token:
        log.warning("answers to texts are not taken: DUNLIN_PUBLIC_URL, which Twilio's signature covers, is not set")
    return Router(routes, delivery, metrics, durable=settings.clock_file is not None)
