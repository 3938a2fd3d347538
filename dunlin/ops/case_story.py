"""The story of one case in plain sentences: every decision with its reason, its time and the policy that it follows. Pure."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from recovery.presentation import labels
from recovery.presentation.amounts import with_code
from recovery.vocabulary import ENDED

Row = Mapping[str, Any]
"""One event, by the names of `recovery.contracts.warehouse.EVENT_COLUMNS`."""
LATER = frozenset({"retry", "dunning", "abandon", "read"})
"""Next actions that are appointments; the others are answers that are waited for."""
RESULTS = {
    "succeeded": "it went through",
    "declined": "the bank declined",
    "needs_action": "the bank wants the customer to authenticate",
    "processing": "the bank takes its time",
}


class StoryLine(msgspec.Struct, frozen=True, kw_only=True):
    """One event as a sentence."""

    at: datetime
    sequence: int
    event_type: str
    sentence: str
    reason: str
    policy_version: int
    status: str
    next_action: str
    next_action_at: datetime | None
    because_of: str


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """A case: its customer, its status, and its history."""

    account: str
    customer: str
    invoice: str
    summary: str
    lines: tuple[StoryLine, ...]


def story(rows: Sequence[Row]) -> Story:
    """The story of an invoice's events, in their order; at least one."""
    first = rows[0]
    return Story(
        account=first["account"],
        customer=first["customer"],
        invoice=first["invoice"],
        summary=_summary(rows),
        lines=tuple(_line(row) for row in rows),
    )


def when(moment: datetime) -> str:
    """A time as the story prints it: Mon 2 Mar 2026 09:00 UTC."""
    return f"{moment:%a} {moment.day} {moment:%b %Y %H:%M} UTC"


def _summary(rows: Sequence[Row]) -> str:
    opened = next((row for row in rows if row["event_type"] == "payment_failed"), None)
    if opened is None:
        return "No case was opened for this invoice."
    last = next((row for row in reversed(rows) if row["status"]), opened)
    back = sum(row["recovered_minor"] for row in rows if row["event_type"] == "payment_recovered")
    gone = sum(row["recovered_minor"] for row in rows if row["event_type"] == "recovery_reversed")
    parts = [f"{with_code(opened['amount_minor'], opened['currency'])} failed on {when(opened['occurred_at'])}"]
    parts.append(f"{labels.label(labels.STATUSES, last['status']).lower()}{_because(last)}" if last["status"] else "not decided yet")
    if back:
        parts.append(
            f"{with_code(back, opened['currency'])} was recovered"
            + (f", {with_code(gone, opened['currency'])} was refunded or disputed" if gone else "")
        )
    parts.append(f"{_counted(last['retry_count'], 'retry', 'retries')}, {_counted(last['dunning_step'], 'mail', 'mails')}")
    return "; ".join(parts) + "." + _next(last)


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _line(row: Row) -> StoryLine:
    return StoryLine(
        at=row["occurred_at"],
        sequence=row["sequence"],
        event_type=row["event_type"],
        sentence=_sentence(row),
        reason=row["reason"],
        policy_version=row["policy_version"],
        status=row["status"],
        next_action=row["next_action"],
        next_action_at=row["next_action_at"],
        because_of=row["cause_type"],
    )


def _sentence(row: Row) -> str:
    sentence = SENTENCES.get(row["event_type"], _plainly)
    return sentence(row)


def _plainly(row: Row) -> str:
    return f"{labels.label(labels.EVENTS, row['event_type'])}{_because(row)}."


def _because(row: Row) -> str:
    return f": {labels.reason(row['reason'])}" if row["reason"] else ""


def _next(row: Row) -> str:
    action, at = row["next_action"], row["next_action_at"]
    if not action or at is None or row["status"] in ENDED:
        return ""
    what = labels.label(labels.NEXT, action)
    return f" Next: {what[:1].lower()}{what[1:]}, {'on' if action in LATER else 'at the latest on'} {when(at)}."


def _failed(row: Row) -> str:
    return f"A payment of {with_code(row['amount_minor'], row['currency'])} failed; a case was opened."


def _classified(row: Row) -> str:
    details = row["details"]
    raw = [
        details[name]
        for name in ("decline_code", "code", "network_decline_code", "advice_code", "network_advice_code")
        if details.get(name)
    ]
    raw_codes = f" (the bank's codes: {', '.join(dict.fromkeys(raw))})" if raw else ""
    return f"The decline counts as {labels.label(labels.KINDS, row['decline_kind']).lower()}{_because(row)}{raw_codes}."


def _planned(row: Row) -> str:
    at = row["next_action_at"]
    return f"A retry was scheduled{' for ' + when(at) if at is not None and row['next_action'] == 'retry' else ''}{_because(row)}."


def _attempted(row: Row) -> str:
    code = row["details"].get("code", "")
    code_text = f" ({labels.reason(code)})" if code else ""
    return f"Retry {row['retry_count']} was made: {RESULTS.get(row['result'], row['result'])}{code_text}."


def _mail_planned(row: Row) -> str:
    at, step = row["next_action_at"], row["details"].get("step", "")
    return f"Mail {step} was scheduled{' for ' + when(at) if at is not None and row['next_action'] == 'dunning' else ''}{_because(row)}."


def _mail(row: Row) -> str:
    return f"Mail {row['details'].get('step', row['dunning_step'])} was accepted by the mail server{_because(row)}."


def _no_mail(row: Row) -> str:
    return f"Mail {row['details'].get('step', row['dunning_step'])} was not sent{_because(row)}."


def _recovered(row: Row) -> str:
    return f"{with_code(row['recovered_minor'], row['currency'])} was recovered: {labels.reason(row['recovered_by'])}."


def _reversed(row: Row) -> str:
    return f"{with_code(row['recovered_minor'], row['currency'])} was refunded or disputed{_because(row)}."


SENTENCES: dict[str, Callable[[Row], str]] = {
    "payment_failed": _failed,
    "decline_classified": _classified,
    "retry_scheduled": _planned,
    "retry_attempted": _attempted,
    "dunning_scheduled": _mail_planned,
    "dunning_sent": _mail,
    "dunning_skipped": _no_mail,
    "payment_recovered": _recovered,
    "recovery_reversed": _reversed,
}
"""The events whose sentence says more than their name and reason."""
