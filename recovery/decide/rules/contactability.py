"""May this customer be written to now, by this medium? Suppression, consent, and the quiet hours of the recipient's own day (B52, B53)."""

from datetime import UTC, datetime, time, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from babel.core import get_global

from recovery.contracts.customer import Consent, ContactState
from recovery.policy import ContactPolicy, Policy
from recovery.vocabulary import Medium

ROUNDS = 20
"""How far ahead a common hour of several zones is searched: two days of openings are fewer."""
NO_CONTACT = ContactState()
"""The default for a customer without any record."""


class Allowed(NamedTuple):
    """Yes."""


class AllowedFrom(NamedTuple):
    """Not now; ask again then."""

    at: datetime
    because: str


class Forbidden(NamedTuple):
    """No."""

    because: str


def suppressed(contact: ContactState | None, medium: Medium, policy: Policy) -> str:
    """Why nothing may be sent by this medium at all; empty when it may. An SMS needs a consent (B53)."""
    known = contact or NO_CONTACT
    reasons = f"{known.suppressed.get(medium, '')} {known.suppressed.get('all', '')}".split()
    why = next((why for why in reasons if why != "unsubscribed" or policy.contact.honour_unsubscribe), "")
    if why:
        return why
    return "no_consent" if medium == "sms" and "sms" not in known.consent else ""


def permitted(now: datetime, zone: str | None, medium: Medium, policy: Policy, country: str = "") -> Allowed | AllowedFrom | Forbidden:
    """Whether the hour allows it: only an SMS is bound to hours. Without a zone it must be day in every zone of the country (B52)."""
    if medium != "sms":
        return Allowed()
    zones = plausible_zones(zone or "", country)
    if not zones:
        return Forbidden("zone_unknown")
    at = now
    for _ in range(ROUNDS):
        opens = max(_opening(at, one, policy.contact) for one in zones)
        if opens <= at:
            return Allowed() if at == now else AllowedFrom(at, "quiet_hours")
        at = opens
    return Forbidden("no_common_hour")


def sms(contact: ContactState | None, now: datetime, policy: Policy, card_country: str = "") -> Allowed | AllowedFrom | Forbidden:
    """Whether an SMS may go now: switched on, agreed to, and by day where the recipient is, or may be."""
    if not policy.sms.enabled:
        return Forbidden("sms_disabled")
    why = suppressed(contact, "sms", policy)
    if why:
        return Forbidden(why)
    consent = (contact or NO_CONTACT).consent["sms"]
    return permitted(now, consent.zone, "sms", policy, consent.country or card_country)


def sms_until(contact: ContactState | None, now: datetime, policy: Policy, card_country: str = "") -> datetime:
    """Until when an SMS that may go now may leave: the end of the day's hours where they end first."""
    consent = (contact or NO_CONTACT).consent["sms"]
    return min(_closing(now, zone, policy.contact) for zone in plausible_zones(consent.zone, consent.country or card_country))


def plausible_zones(zone: str, country: str) -> tuple[ZoneInfo, ...]:
    """Where the recipient may be: the zone if it is one, else every zone of the country; empty when nothing is known."""
    known = _zone(zone) if zone else None
    return (known,) if known is not None else _zones_of(country.upper())


def agree(contact: ContactState, medium: Medium, at: datetime, consent: Consent) -> bool:
    """Record a consent unless a later withdrawal is known. Returns whether it holds."""
    if medium in contact.withdrawn and contact.withdrawn[medium] >= at:
        return False
    contact.consent = {**contact.consent, medium: consent}
    return True


def withdraw(contact: ContactState, medium: Medium, at: datetime) -> None:
    """Record that a consent was taken back; one that was given later holds."""
    contact.withdrawn = {**contact.withdrawn, medium: max(at, contact.withdrawn.get(medium, at))}
    if medium in contact.consent and contact.consent[medium].at <= at:
        contact.consent = {name: given for name, given in contact.consent.items() if name != medium}


def _opening(at: datetime, zone: ZoneInfo, hours: ContactPolicy) -> datetime:
    """The first moment from `at` on that lies within the hours of the zone: `at` itself by day."""
    local = at.astimezone(zone)
    if hours.sms_from_hour <= local.hour < hours.sms_until_hour:
        return at
    day = local.date() + timedelta(days=local.hour >= hours.sms_until_hour)
    return datetime.combine(day, time(hours.sms_from_hour), zone).astimezone(UTC)


def _closing(at: datetime, zone: ZoneInfo, hours: ContactPolicy) -> datetime:
    """The last moment of the hours of that day in the zone."""
    return datetime.combine(at.astimezone(zone).date(), time(hours.sms_until_hour), zone).astimezone(UTC)


@cache
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # no such file, no such name: ZoneInfoNotFoundError is a KeyError
        return None


@cache
def _zones_of(country: str) -> tuple[ZoneInfo, ...]:
    names = get_global("zone_territories")
    zones = (_zone(name) for name in sorted(names) if names[name] == country)
    return tuple(zone for zone in zones if zone is not None)
