"""The content of an alert about an event: a title, an amount, a few facts in words, and links. Pure; in English."""

import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

import msgspec

from recovery.contracts.events import Event
from recovery.presentation import labels
from recovery.presentation.messages.languages import amount
from recovery.presentation.messages.untrusted_text import one_line

STRIPE = "https://dashboard.stripe.com"
TITLES = {
    "payment_failed": "Payment failed",
    "payment_recovered": "Payment recovered",
    "case_abandoned": "Payment given up",
    "case_blocked": "Suspected fraud",
    "contact_changed": "A customer’s email address bounced",
    "complained": "A customer marked a mail as spam",
    "dunning_skipped": "A customer cannot be reached",
    "endpoint_disabled": "Your endpoint was switched off",
}
_ORDER = tuple(TITLES)
_CURRENCY = re.compile(r"[A-Za-z]{3}")
LONGEST_FACT = 300
"""Characters of a fact that are shown."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where an alert links to: the dashboard's address, empty without one, and whether Stripe shows live or test objects."""

    dashboard: str = ""
    livemode: bool = False


class AlertContent(msgspec.Struct, frozen=True, kw_only=True):
    """One alert in words. `what` is the event's type, or the reason that says more; `amount` is empty where none is at stake; `facts` are
    labelled; `links` have a text and an address."""

    what: str
    title: str
    amount: str
    minor: int
    currency: str
    facts: tuple[tuple[str, str], ...]
    links: tuple[tuple[str, str], ...]

    @property
    def headline(self) -> str:
        """Title and amount on one line."""
        return f"{self.title}: {self.amount}" if self.amount else self.title


def render_alert(event: Event, place: Place) -> AlertContent:
    """The event as its merchant reads it."""
    recovered = event.event_type == "payment_recovered"
    minor = (event.recovered_minor or event.amount_minor) if recovered else event.amount_minor
    what = event.reason if event.reason in TITLES else event.event_type
    currency = event.currency if _CURRENCY.fullmatch(event.currency) else ""
    return AlertContent(
        what=what,
        title=TITLES.get(what) or labels.label(labels.EVENTS, event.event_type),
        amount=amount(minor, currency, "en") if currency else "",
        minor=minor,
        currency=currency,
        facts=tuple((label, one_line(value, LONGEST_FACT)) for label, value in _facts(event) if value),
        links=_links(event, place),
    )


def summary(contents: Iterable[AlertContent]) -> list[tuple[str, str]]:
    """How many alerts of each kind, and their sums by currency, in the order of TITLES: `("14 × Payment failed", "€686.00 + $29.00")`."""
    kinds: dict[str, list[AlertContent]] = {}
    for one in contents:
        kinds.setdefault(one.what, []).append(one)
    ordered = sorted(kinds, key=lambda what: _ORDER.index(what) if what in _ORDER else len(_ORDER))
    return [(f"{len(kinds[what])} × {kinds[what][0].title}", _sum(kinds[what])) for what in ordered]


def moment(at: datetime) -> str:
    """A time as alerts note it, in UTC."""
    utc = at.astimezone(UTC)
    return f"{utc.day} {utc:%b %Y, %H:%M} UTC"


def _facts(event: Event) -> list[tuple[str, str]]:
    return [
        ("Customer", _person(event)),
        ("Invoice", event.invoice),
        ("Decline", _decline(event)),
        ("Paid by", labels.label(labels.CAUSES, event.recovered_by) if event.recovered_by else ""),
        ("Retries", str(event.retry_count) if event.event_type in {"payment_recovered", "case_abandoned"} else ""),
        ("Why", _why(event)),
        ("Endpoint", event.details.get("endpoint", "")),
        ("Next", _next(event)),
        ("When", moment(event.occurred_at)),
    ]


def _person(event: Event) -> str:
    """The customer, where the event concerns one: what begins with `~` names something else."""
    return "" if event.customer.startswith("~") else event.customer


def _decline(event: Event) -> str:
    if event.event_type in {"payment_recovered", "contact_changed"} or not event.decline_kind:
        return ""
    kind = labels.label(labels.KINDS, event.decline_kind)
    return f"{labels.sentence(event.decline_code)} ({kind.lower()})" if event.decline_code else kind


def _why(event: Event) -> str:
    if event.event_type == "endpoint_disabled":
        return event.details.get("why", "") or labels.sentence(event.reason)
    return labels.sentence(event.reason) if event.event_type in {"case_abandoned", "contact_changed", "dunning_skipped"} else ""


def _next(event: Event) -> str:
    if not event.next_action or event.event_type not in {"payment_failed", "dunning_skipped"}:
        return ""
    what = labels.label(labels.NEXT, event.next_action)
    return f"{what}, {moment(event.next_action_at)}" if event.next_action_at is not None else what


def dashboard_for(account: str, address: str, shown_account: str | None) -> str:
    """The dashboard's address for people of an account, empty for an account that it does not show (None: it shows them all)."""
    return address if shown_account in {None, account} else ""


def _links(event: Event, place: Place) -> tuple[tuple[str, str], ...]:
    found = []
    if place.dashboard:
        about = {"account": event.account, "customer": _person(event), "invoice": event.invoice}
        query = urlencode({name: value for name, value in about.items() if value})
        found.append(("Open the case" if event.invoice else "Open the dashboard", f"{place.dashboard}/?{query}"))
    what, object_id = ("invoices", event.invoice) if event.invoice else ("customers", _person(event))
    if object_id:
        mode = "" if place.livemode else "test/"
        found.append(("Open in Stripe", f"{STRIPE}/{quote(event.account)}/{mode}{what}/{quote(object_id)}"))
    return tuple(found)


def _sum(contents: list[AlertContent]) -> str:
    """Never summed across currencies."""
    sums: Counter[str] = Counter()
    for one in contents:
        if one.currency:
            sums[one.currency] += one.minor
    return " + ".join(amount(minor, currency, "en") for currency, minor in sorted(sums.items()))
