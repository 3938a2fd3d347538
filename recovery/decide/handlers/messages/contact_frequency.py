"""One conversation per customer: every invoice keeps its own stage and timer, what is sent is merged and not too often (B15, B18, B54)."""

from datetime import datetime, timedelta

from recovery.contracts.customer import Case, Customer
from recovery.contracts.effects import AlsoOwed, FurtherOwed
from recovery.decide.transition import Transition, frozen
from recovery.policy import ContactPolicy
from recovery.vocabulary import Medium

MONTH = timedelta(days=30)
"""The window of the cap."""
WRITTEN_TO: frozenset[str] = frozenset({"dunning", "action_required"})
"""Cases whose customer is being written to; one that is still retried in silence is not named in a mail (B59)."""


NAMED = 10
"""So many invoices a mail names besides the one that it is about."""
MOST = 64
"""So many reminders by each medium are remembered, the latest; no policy allows more in a month."""


def free_at(row: Customer, contact: ContactPolicy, now: datetime, medium: Medium = "email") -> tuple[datetime, str]:
    """When the customer may be reminded again by this medium, and what forbids it until then; `now` and nothing when at once.

    Mails and texts are counted apart: a text goes beside its mail.
    """
    sent, recently, cap = (row.texts, "recent_text", "text_cap") if medium == "sms" else (row.mails, "recent_mail", "mail_cap")
    if not sent:
        return now, ""
    times = sorted(sent.values())
    free, because = times[-1] + timedelta(hours=contact.min_hours_between), recently
    recent = [at for at in times if at + MONTH > now]
    if len(recent) >= contact.max_per_30_days:
        capped = recent[-contact.max_per_30_days] + MONTH
        free, because = max((free, because), (capped, cap))
    return (free, because) if free > now else (now, "")


def remember(row: Customer, effect: str, at: datetime, medium: Medium = "email") -> None:
    """Count a reminder; those older than the cap's window are forgotten."""
    if medium == "sms":
        row.texts = _with(row.texts, effect, at)
    else:
        row.mails = _with(row.mails, effect, at)


def forget(row: Customer, effect: str, medium: Medium) -> None:
    """A reminder that was surely not sent leaves room for another."""
    (row.texts if medium == "sms" else row.mails).pop(effect, None)


def _with(sent: dict[str, datetime], effect: str, at: datetime) -> dict[str, datetime]:
    known = {one: then for one, then in sent.items() if then + MONTH > at}
    return dict([*known.items(), (effect, at)][-MOST:])


def texted_too(turn: Transition, case: Case) -> list[Case]:
    """The customer's cases whose text is due as well as this one's: one text goes for all of them."""
    others = (other for other in turn.row.cases.values() if other is not case and other.pending_effect is None and _open(turn, other))
    return [other for other in others if other.sms_at is not None and other.sms_at <= turn.now]


def due_too(turn: Transition, case: Case) -> list[Case]:
    """The customer's other cases whose step is due as well: they join the mail about this one."""
    return [other for other in turn.row.cases.values() if other is not case and _open(turn, other) and _due(other, turn.now)]


def also(turn: Transition, lead: Case) -> tuple[AlsoOwed, ...]:
    """The other open invoices that are in dunning, due or not, for the mail about `lead` to name: the ten oldest.

    Each name costs a read at the moment of sending, and a list of a thousand is useless.
    """
    return tuple(AlsoOwed(other.invoice, other.outstanding_minor, other.currency) for other in _others(turn, lead)[:NAMED])


def further(turn: Transition, lead: Case) -> tuple[FurtherOwed, ...]:
    """The rest of them: their number, and the sum owed for each currency; without those that are being read, because they are not read
    again when the mail is sent."""
    sums: dict[str, tuple[int, int]] = {}
    for other in _others(turn, lead)[NAMED:]:
        if other.pending_effect is not None and other.pending_effect.kind == "read":
            continue
        count, minor = sums.get(other.currency, (0, 0))
        sums[other.currency] = count + 1, minor + other.outstanding_minor
    return tuple(FurtherOwed(count, minor, currency) for currency, (count, minor) in sums.items())


def _others(turn: Transition, lead: Case) -> list[Case]:
    others = (other for other in turn.row.cases.values() if other is not lead and _open(turn, other))
    return sorted(others, key=lambda case: (case.failed_at, case.invoice))


def _open(turn: Transition, case: Case) -> bool:
    may = case.verdict is None or case.verdict.mail
    read_lately = case.read_at is None or case.read_at > turn.now
    holds = [hold for key in ("", case.invoice) if (hold := turn.row.holds.get(key)) is not None]
    if any(hold.until is None or hold.until > turn.now for hold in holds):
        return False  # a person wants it left alone (B60)
    return case.status in WRITTEN_TO and case.dunning_from is not None and may and read_lately and not case.no_contact and not frozen(case)


def _due(case: Case, now: datetime) -> bool:
    waits = case.pending_effect is not None or (case.retry_at is not None and case.retry_at <= now)
    return not waits and case.dunning_at is not None and case.dunning_at <= now and case.dunning_step < 3
