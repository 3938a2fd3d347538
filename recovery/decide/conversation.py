"""One conversation per customer: every invoice keeps its own stage and timer, what is sent is merged and not too often (B15, B18, B54)."""

from datetime import datetime, timedelta

from recovery.contracts.customer import Case, Customer
from recovery.contracts.effects import AlsoOwed
from recovery.decide.turn import Turn, frozen
from recovery.policy import ContactPolicy

MONTH = timedelta(days=30)
"""The window of the cap."""
WRITTEN_TO: frozenset[str] = frozenset({"dunning", "action_required"})
"""Cases whose customer is being written to; one that is still retried in silence is not named in a mail (B59)."""


def free_at(row: Customer, contact: ContactPolicy, now: datetime) -> tuple[datetime, str]:
    """When the customer may be reminded again, and what forbids it until then; `now` and nothing when at once."""
    if not row.mails:
        return now, ""
    times = sorted(row.mails.values())
    free, because = times[-1] + timedelta(hours=contact.min_hours_between), "recent_mail"
    recent = [at for at in times if at + MONTH > now]
    if len(recent) >= contact.max_per_30_days:
        capped = recent[-contact.max_per_30_days] + MONTH
        free, because = max((free, because), (capped, "mail_cap"))
    return (free, because) if free > now else (now, "")


def remember(row: Customer, effect: str, at: datetime) -> None:
    """Count a reminder; those older than the cap's window are forgotten."""
    row.mails = {**{known: then for known, then in row.mails.items() if then + MONTH > at}, effect: at}


def due_too(turn: Turn, case: Case) -> list[Case]:
    """The customer's other cases whose step is due as well: they join the mail about this one."""
    return [other for other in turn.row.cases.values() if other is not case and _open(turn, other) and _due(other, turn.now)]


def also(turn: Turn, lead: Case) -> tuple[AlsoOwed, ...]:
    """All other open invoices that the customer is written to about, due or not, for the mail about `lead` to name."""
    others = (other for other in turn.row.cases.values() if other is not lead and _open(turn, other))
    return tuple(AlsoOwed(other.invoice, other.at_stake, other.currency) for other in others)


def _open(turn: Turn, case: Case) -> bool:
    may = case.verdict is None or case.verdict.mail
    looked = case.read_at is None or case.read_at > turn.now
    holds = [hold for key in ("", case.invoice) if (hold := turn.row.holds.get(key)) is not None]
    if any(hold.until is None or hold.until > turn.now for hold in holds):
        return False  # a person wants it left alone (B60)
    return case.status in WRITTEN_TO and case.dunning_from is not None and may and looked and not case.no_contact and not frozen(case)


def _due(case: Case, now: datetime) -> bool:
    waits = case.flight is not None or (case.retry_at is not None and case.retry_at <= now)
    return not waits and case.dunning_at is not None and case.dunning_at <= now and case.dunning_step < 3
