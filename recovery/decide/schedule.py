"""When a failed payment is tried again: the ladder, its window, budgets, and Stripe's own next attempt. Answers explain themselves."""

from datetime import datetime, timedelta
from typing import NamedTuple
from zlib import crc32

from recovery.contracts.customer import Case, Customer
from recovery.decide import budgets
from recovery.policy import HARD_LADDER_LIMIT, Policy


class Plan(NamedTuple):
    """Try at this time."""

    at: datetime
    because: str


class Wait(NamedTuple):
    """Not now; look again then."""

    until: datetime
    because: str


class GiveUp(NamedTuple):
    """No further retry."""

    because: str


def most_retries(case: Case, policy: Policy) -> int:
    """How many retries the case may have at all; a code's own limit falls away with a new method."""
    most = min(policy.retry.max_retries, len(policy.retry.ladder_hours), HARD_LADDER_LIMIT)
    cap = case.verdict.cap if case.verdict is not None and not case.fresh_method else 0
    return min(most, cap) if cap else most


def window_end(case: Case, policy: Policy) -> datetime:
    """After this moment nothing is retried any more."""
    return case.failed_at + timedelta(days=policy.retry.window_days)


def next_slot(case: Case, policy: Policy, now: datetime) -> Plan | GiveUp:
    """The time of the next ladder position, counted from the first failure (F11); late positions keep their distance from each other."""
    used, hours = case.position, policy.retry.ladder_hours
    if used >= most_retries(case, policy):
        return GiveUp("retries_exhausted")
    at = max(case.failed_at + timedelta(hours=hours[used]), now)
    if case.verdict is not None and case.verdict.wait_hours:
        at = max(at, case.last_failed_at + timedelta(hours=case.verdict.wait_hours))
    if case.tried_at is not None and used:
        distance = min(hours[used] - hours[used - 1], policy.retry.stripe_gap_hours)
        at = max(at, case.tried_at + timedelta(hours=distance))
    if at > window_end(case, policy):
        return GiveUp("window_over")
    return Plan(at, f"ladder_{used + 1}")


def may_charge(case: Case, row: Customer, policy: Policy, now: datetime) -> Plan | Wait | GiveUp:
    """Whether the retry that is due may be made now. The charge itself is looked at again before it is made (B28)."""
    refusal = _refusal(case, row, policy, now)
    if refusal:
        return GiveUp(refusal)
    return _advised(case, now) or _budget(case, row, policy, now) or _stripe(case, policy, now) or Plan(now, because(case))


def because(case: Case) -> str:
    """Why a retry is made: a new method, or the ladder's position."""
    return "new_method" if case.fresh_method else f"ladder_{case.position + 1}"


def after_pause(case: Case, now: datetime) -> datetime:
    """When a due step of a paused account is looked at again: in 1 to 2 h, spread by invoice, so that no burst follows (B45)."""
    return now + timedelta(hours=1, seconds=crc32(case.invoice.encode()) % 3600)


def _refusal(case: Case, row: Customer, policy: Policy, now: datetime) -> str:
    verdict, fresh = case.verdict, case.fresh_method
    if not policy.retry.enabled:
        return "disabled"
    if not fresh and (verdict is None or not verdict.retry_allowed):
        return verdict.because if verdict else "not_classified"
    if case.position >= most_retries(case, policy):
        return "retries_exhausted"
    if not fresh and now > window_end(case, policy):
        return "window_over"
    if budgets.tried(row.attempts, case.invoice) >= policy.budgets.per_invoice:
        return "invoice_budget"
    if case.card is not None and case.card.fingerprint in row.barred:
        return "card_barred"
    return ""


def _advised(case: Case, now: datetime) -> Wait | None:
    """The network's least wait counts from the latest failure, whoever tried (product decision 10)."""
    if case.fresh_method or case.verdict is None:
        return None
    earliest = case.last_failed_at + timedelta(hours=case.verdict.wait_hours)
    return Wait(earliest, "advised_wait") if earliest > now else None


def _budget(case: Case, row: Customer, policy: Policy, now: datetime) -> Wait | GiveUp | None:
    if case.card is None:
        return None
    free = budgets.free_at(row.attempts, case.card.fingerprint, case.card.brand, policy.budgets, now)
    if free <= now:
        return None
    last = now + timedelta(days=policy.retry.window_days) if case.fresh_method else window_end(case, policy)
    return Wait(free, "card_budget") if free <= last else GiveUp("card_budget")


def _stripe(case: Case, policy: Policy, now: datetime) -> Wait | None:
    gap = timedelta(hours=policy.retry.stripe_gap_hours)
    if case.stripe_next is None or not gap or abs(case.stripe_next - now) >= gap:
        return None
    return Wait(case.stripe_next + gap, "stripe_attempt_near")
