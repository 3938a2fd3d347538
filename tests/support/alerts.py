"""Alerts as streams ask for them, one for each kind that a merchant can be told of."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from recovery.contracts.effects import AlertRequested
from recovery.contracts.events import Event
from recovery.presentation.messages.alert_content import Place, render_alert
from sinks.effects.alerts.alert_mail import Page, page

PLACE = Place(dashboard="https://dunlin.heron.example")
AT = datetime(2026, 11, 3, 9, 14, tzinfo=UTC)
_ABOUT: dict[str, Any] = {
    "account": "acct_1",
    "customer": "cus_7",
    "invoice": "in_42",
    "occurred_at": AT,
    "received_at": AT,
    "amount_minor": 4900,
    "currency": "eur",
}


def event(kind: str = "payment_failed", **more: Any) -> Event:
    """The event of a kind, with what such an event usually says."""
    return Event(**{**_ABOUT, "event_type": kind, **_USUAL.get(kind, {}), **more})


def alert(number: int = 1, medium: Literal["email", "slack"] = "email", kind: str = "payment_failed", **more: Any) -> AlertRequested:
    """The request for an alert about the invoice `in_<number>`."""
    about = event(kind, **{"invoice": f"in_{number}", "customer": f"cus_{number}", **more})
    return AlertRequested(
        id=f"acct_1.in_{number}.{'alert' if medium == 'email' else 'slack'}.1",
        account="acct_1",
        customer=about.customer,
        invoice=about.invoice,
        occurred_at=AT,
        received_at=AT,
        not_after=AT + timedelta(hours=24),
        only_if="always",
        medium=medium,
        event=about,
    )


_SOFT = {"decline_kind": "soft", "decline_code": "insufficient_funds"}
_USUAL: dict[str, dict[str, Any]] = {
    "payment_failed": {**_SOFT, "next_action": "retry", "next_action_at": AT + timedelta(days=2)},
    "payment_recovered": {**_SOFT, "recovered_minor": 4900, "recovered_by": "our_retry", "retry_count": 2},
    "case_abandoned": {**_SOFT, "reason": "dunning_exhausted", "retry_count": 5},
    "case_blocked": {"decline_kind": "fraud", "decline_code": "fraudulent", "reason": "fraud_code"},
    "contact_changed": {"reason": "bounced", "currency": "", "amount_minor": 0},
    "dunning_skipped": {**_SOFT, "reason": "no_contact"},
    "endpoint_disabled": {
        "customer": "~endpoint-books",
        "invoice": "",
        "currency": "",
        "amount_minor": 0,
        "reason": "endpoint_fails",
        "details": {"endpoint": "books", "why": "it answered 500 for three days"},
    },
}
KINDS = (*_USUAL, "complained")
"""What a merchant can be told of."""


def of_kind(kind: str) -> Event:
    """The event that KINDS names."""
    return event("contact_changed", reason="complained") if kind == "complained" else event(kind)


def mails() -> Iterator[tuple[str, Page]]:
    """An alert mail of every kind by its name, one of a burst, and one of a merchant without a dashboard."""
    for kind in KINDS:
        yield kind, page([render_alert(of_kind(kind), PLACE)], "Heron Yards", "acct_1", test=kind == "payment_failed")
    burst = [render_alert(event(customer=f"cus_{number}", invoice=f"in_{number}"), PLACE) for number in range(12)]
    burst += [render_alert(event("payment_recovered", currency="usd"), PLACE), render_alert(of_kind("endpoint_disabled"), PLACE)]
    yield "digest", page(burst, "Heron Yards", "acct_1", test=False)
    yield "without-dashboard", page([render_alert(of_kind("contact_changed"), Place(livemode=True))], "Heron Yards", "acct_1", test=False)
