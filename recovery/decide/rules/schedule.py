"""When a failed payment is tried again: offers, the ladder, window, budgets, Stripe's own next attempt. Answers explain themselves."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from math import floor
from types import MappingProxyType
from typing import NamedTuple
from zlib import crc32

from recovery.contracts.customer import Case, Customer
from recovery.decide.rules import budgets, experiment
from recovery.policy import DEFAULT_LADDER, HARD_LADDER_LIMIT, Policy

SOONEST = timedelta(hours=1)
"""The least distance of an offered or drawn time from the latest attempt, unless the policy requires a longer one."""
NOTHING: Mapping[str, str] = MappingProxyType({})


class RetryAt(NamedTuple):
    """Try at this time; `source` says who chose it (B39)."""

    at: datetime
    because: str
    source: str = "ladder"
    details: Mapping[str, str] = NOTHING


class WaitUntil(NamedTuple):
    """Not now; check again at that time."""

    until: datetime
    because: str
    details: Mapping[str, str] = NOTHING


class GiveUp(NamedTuple):
    """No further retry."""

    because: str
    details: Mapping[str, str] = NOTHING


def most_retries(case: Case, policy: Policy) -> int:
    """How many retries the case may have at all; a code's own limit falls away with a new method."""
    most = min(policy.retry.max_retries, len(policy.retry.ladder_hours), HARD_LADDER_LIMIT)
    cap = case.verdict.cap if case.verdict is not None and not case.retry_with_new_method else 0
    return min(most, cap) if cap else most


def window_end(case: Case, policy: Policy) -> datetime:
    """The last moment of a retry; a snooze by an operator does not count."""
    return case.failed_at + timedelta(days=policy.retry.window_days, seconds=case.snoozed_seconds)


def renewal(case: Case) -> datetime | None:
    """The next renewal, where it bounds the retries: money that is not there comes with the renewal's own attempt or not at all (B46)."""
    short = case.verdict is not None and case.verdict.code == "insufficient_funds"
    return case.renews_at if short and case.renews_at is not None and case.renews_at > case.failed_at else None


def bounds(case: Case, policy: Policy, now: datetime) -> tuple[datetime, datetime]:
    """Between which moments an offered or drawn time may lie: least waits on one side, window and renewal on the other (B87)."""
    gap = max(SOONEST, timedelta(hours=policy.retry.stripe_gap_hours))
    earliest = max(now, case.last_failed_at + SOONEST)
    if case.verdict is not None:
        earliest = max(earliest, case.last_failed_at + timedelta(hours=case.verdict.wait_hours))
    if case.last_attempt_at is not None:
        earliest = max(earliest, case.last_attempt_at + gap)
    return earliest, min(window_end(case, policy), renewal(case) or window_end(case, policy))


def next_slot(case: Case, row: Customer, policy: Policy, now: datetime) -> RetryAt | GiveUp:
    """The time of the next attempt: drawn by lot in that arm, else offered and allowed, else that of the ladder (B39, B86)."""
    if case.ladder_position >= most_retries(case, policy):
        return GiveUp("retries_exhausted")
    if experiment.explores(row, policy):
        return _drawn(case, policy, now) or _of_ladder(case, policy, now)
    if case.retry_offer is not None and policy.retry.predictive:
        return _offered(case, row, policy, now) or _of_ladder(case, policy, now)
    return _of_ladder(case, policy, now)


def _of_ladder(case: Case, policy: Policy, now: datetime) -> RetryAt | GiveUp:
    """Counted from the first failure; late positions keep their distance from each other."""
    used, hours = case.ladder_position, policy.retry.ladder_hours
    at = max(case.failed_at + timedelta(hours=hours[used]), now)
    if case.verdict is not None and case.verdict.wait_hours:
        at = max(at, case.last_failed_at + timedelta(hours=case.verdict.wait_hours))
    if case.last_attempt_at is not None and used:
        distance = min(hours[used] - hours[used - 1], policy.retry.stripe_gap_hours)
        at = max(at, case.last_attempt_at + timedelta(hours=distance))
    if at > window_end(case, policy):
        return GiveUp("window_over")
    if case.renews_at is not None and at > (renewal(case) or at):
        return GiveUp("renewal_first", {"renews_at": case.renews_at.isoformat()})
    source = "ladder" if hours == DEFAULT_LADDER[: len(hours)] else "custom_hours"
    return RetryAt(at, f"ladder_{used + 1}", source)


def _offered(case: Case, row: Customer, policy: Policy, now: datetime) -> RetryAt | None:
    """The first offered time that no rule forbids; a few minutes later than offered, by invoice, as offers fall on round hours (B42)."""
    offer, (earliest, latest) = case.retry_offer, bounds(case, policy, now)
    if offer is None:
        return None
    for slot in offer.slots:
        if slot.at > latest:
            continue  # taken by an older program, which kept times at the end of the calendar
        at = spread(case, slot.at, minutes=10)
        if earliest <= at <= latest and _stripe(case, policy, at) is None and _free_at(case, row, policy, at) <= at:
            details = {
                "probability": f"{slot.probability:g}",
                "model_version": offer.model_version,
                "slot_propensity": f"{offer.propensity:g}",
            }
            return RetryAt(at, f"plan_{case.ladder_position + 1}", offer.source, details)
    return None


def _drawn(case: Case, policy: Policy, now: datetime) -> RetryAt | None:
    """A whole hour drawn evenly from those between the least wait and the next position of the ladder; the same for the same invoice."""
    earliest, latest = bounds(case, policy, now)
    used, hours = case.ladder_position, policy.retry.ladder_hours
    last = min(latest, case.failed_at + timedelta(hours=hours[used + 1] if used + 1 < len(hours) else hours[used] + 72))
    if last < earliest:
        return None
    choices = floor((last - earliest) / timedelta(hours=1)) + 1
    place = int(experiment.unit(f"{policy.experiment.salt}/{case.invoice}/{used}") * choices)
    details = {"slot_propensity": f"{1 / choices:.6g}"}
    return RetryAt(earliest + timedelta(hours=place), f"explored_{used + 1}", "explore", details)


def may_charge(case: Case, row: Customer, policy: Policy, now: datetime) -> RetryAt | WaitUntil | GiveUp:
    """Whether the due retry may be made now. The charge itself is checked again before it is made (B28)."""
    refusal = _refusal(case, row, policy, now)
    if refusal == "invoice_budget":
        made = str(budgets.attempts_on_invoice((*row.attempts, *row.out), case.invoice))
        return GiveUp(refusal, {"used": made, "limit": str(policy.budgets.per_invoice)})
    if refusal:
        return GiveUp(refusal)
    return _advised(case, now) or _budget(case, row, policy, now) or _stripe(case, policy, now) or RetryAt(now, retry_reason(case))


def retry_reason(case: Case) -> str:
    """The reason of a retry: a command, a new method, or the ladder position."""
    if case.manual_retry:
        return "by_hand"
    if case.retry_with_new_method:
        return "new_method"
    return case.reason if case.reason.startswith(("plan_", "explored_")) else f"ladder_{case.ladder_position + 1}"


def after_pause(case: Case, now: datetime) -> datetime:
    """When a due step of a paused account is checked again: in 1 to 2 h, spread by invoice, so that no burst follows (B45)."""
    return spread(case, now + timedelta(hours=1))


def spread(case: Case, at: datetime, minutes: int = 60) -> datetime:
    """The moment, up to so many minutes later, by invoice: many that would fall due together do not (B42). Always the same for one."""
    return at + timedelta(seconds=crc32(case.invoice.encode()) % (60 * minutes))


def _refusal(case: Case, row: Customer, policy: Policy, now: datetime) -> str:
    verdict, fresh, manual = case.verdict, case.retry_with_new_method, case.manual_retry
    if not policy.retry.enabled and not manual:
        return "disabled"
    if case.outstanding_minor <= 0 or not case.currency:
        return "nothing_owed" if case.currency else "currency_unknown"
    if not fresh and (verdict is None or not verdict.retry_allowed):
        return verdict.because if verdict else "not_classified"
    if case.ladder_position >= most_retries(case, policy) and not manual:
        return "retries_exhausted"
    if not fresh and not manual and now > window_end(case, policy):
        return "window_over"
    if not fresh and not manual and case.renews_at is not None and now > (renewal(case) or now):
        return "renewal_first"
    if budgets.attempts_on_invoice((*row.attempts, *row.out), case.invoice) >= policy.budgets.per_invoice:
        return "invoice_budget"
    if case.card is not None and case.card.fingerprint in row.barred:
        return "card_barred"
    return ""


def _advised(case: Case, now: datetime) -> WaitUntil | None:
    """The network's least wait counts from the latest failure, made by us or not."""
    if case.retry_with_new_method or case.verdict is None:
        return None
    earliest = case.last_failed_at + timedelta(hours=case.verdict.wait_hours)
    return WaitUntil(earliest, "advised_wait") if earliest > now else None


def _free_at(case: Case, row: Customer, policy: Policy, at: datetime) -> datetime:
    if case.card is None:
        return at
    counted = budgets.on_card(row, case.card.fingerprint)
    return budgets.free_at(counted, case.card.fingerprint, case.card.brand, policy.budgets, at)


def _budget(case: Case, row: Customer, policy: Policy, now: datetime) -> WaitUntil | GiveUp | None:
    free = _free_at(case, row, policy, now)
    if free <= now or case.card is None:
        return None
    card = case.card
    details = budgets.budget_details(budgets.on_card(row, card.fingerprint), card, policy.budgets, now)
    made, answer = budgets.free_at(row.attempts, card.fingerprint, card.brand, policy.budgets, now), budgets.answer_due(row, now)
    if made <= now and answer is not None:  # only charges that are out stand in the way, and their answers may free it
        return WaitUntil(min(free, answer), "attempts_out", details)
    last = now + timedelta(days=policy.retry.window_days) if case.retry_with_new_method else window_end(case, policy)
    return WaitUntil(free, "card_budget", details) if free <= last else GiveUp("card_budget", details)


def _stripe(case: Case, policy: Policy, now: datetime) -> WaitUntil | None:
    gap = timedelta(hours=policy.retry.stripe_gap_hours)
    if case.stripe_next is None or not gap or abs(case.stripe_next - now) >= gap:
        return None
    return WaitUntil(case.stripe_next + gap, "stripe_attempt_near")
