"""Cards that expire before the next charge: one mail at a good time, and none where the network renews the card by itself."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from recovery.contracts.customer import ExpiringCard
from recovery.contracts.effects import MessageRequested
from recovery.contracts.facts import Card, CardExpiring
from recovery.decide.handlers import commands
from recovery.decide.handlers.messages import contact_frequency
from recovery.decide.rules import contactability, experiment
from recovery.decide.rules.plausibility import LATEST
from recovery.decide.transition import VALID, Transition

FARTHEST = timedelta(days=3 * 366)
"""So far ahead the next charge of a subscription may lie; Stripe's longest interval is three years."""


class NoWarning(NamedTuple):
    """No warning is sent; `because` says why."""

    because: str


def last_moment(card: Card) -> datetime | None:
    """The first moment at which the card is no longer good: it is good to the last day of its month; None when that is not known."""
    if not (1 <= card.exp_month <= 12 and card.exp_year >= 2000):
        return None
    if card.exp_year >= LATEST.year:
        return LATEST
    year, month = (card.exp_year, card.exp_month + 1) if card.exp_month < 12 else (card.exp_year + 1, 1)
    return datetime(year, month, 1, tzinfo=UTC)


def notice_at(fact: CardExpiring, days_before: int, now: datetime) -> datetime | NoWarning:
    """When to write about a card: so many days before the charge that it will not live to see."""
    end = last_moment(fact.card)
    if end is None:
        return NoWarning("expiry_unknown")
    if end > fact.next_charge_at:
        return NoWarning("card_still_good")
    if fact.updater_covers:
        return NoWarning("updater_covers")
    if fact.next_charge_at <= now:
        return NoWarning("charge_is_over")
    if fact.next_charge_at > now + FARTHEST:
        return NoWarning("charge_is_far")
    return max(now, fact.next_charge_at - timedelta(days=days_before))


def expiring(turn: Transition, fact: CardExpiring) -> None:
    """Schedule the one mail about this card and charge, or record why there is none. One mail serves for all subscriptions on one card."""
    if not turn.policy.prevention.enabled:
        _skip(turn, fact.subscription, "prevention_disabled")
        return
    at = notice_at(fact, turn.policy.prevention.days_before, turn.now)
    if isinstance(at, NoWarning):
        _skip(turn, fact.subscription, at.because)
        return
    row = turn.row
    row.expiry_warned_for = {one: charge_at for one, charge_at in row.expiry_warned_for.items() if charge_at > turn.now}
    if row.expiry_warned_for.get(fact.subscription) == fact.next_charge_at:
        turn.noop_reason = "as_known"
        return
    others = (row.expiring.keys() | row.expiry_warned_for.keys()) - {fact.subscription}
    if len(others) >= turn.policy.contact.max_per_30_days:
        _skip(turn, fact.subscription, "mail_cap")
        return
    appointed = ExpiringCard(at, fact.card, fact.next_charge_at, fact.amount_minor, fact.currency)
    turn.row.expiring = {**turn.row.expiring, fact.subscription: appointed}
    turn.record_unscoped(
        "transactional_mail_scheduled", "card_expiring", subscription=fact.subscription, next_action="notice", next_action_at=at
    )


def renewed(turn: Transition, why: str) -> None:
    """The customer has another card, or is gone: no warning is needed."""
    for subscription in turn.row.expiring:
        _skip(turn, subscription, why)
    turn.row.expiring = {}


def ended(turn: Transition, subscription: str, why: str) -> None:
    """Nothing will be charged for this subscription any more: no warning about its card is needed (B67, B68)."""
    if subscription in turn.row.expiring:
        turn.row.expiring = {name: other for name, other in turn.row.expiring.items() if name != subscription}
        _skip(turn, subscription, why)


def run_due(turn: Transition) -> None:
    """Ask for the mails that are due, unless something speaks against them now."""
    for subscription, card in list(turn.row.expiring.items()):
        if card.at > turn.now:
            continue
        turn.row.expiring = {name: other for name, other in turn.row.expiring.items() if name != subscription}
        why = _why_not(turn, card)
        if why:
            _skip(turn, subscription, why)
        else:
            _request(turn, subscription, card)


def _why_not(turn: Transition, card: ExpiringCard) -> str:
    policy = turn.policy
    if not policy.prevention.enabled:
        return "prevention_disabled"
    if policy.mode == "observe":
        return "observe_mode"
    if turn.account.paused:
        return "account_paused"
    hold = commands.hold_of(turn.row, "", turn.now)
    if hold is not None:
        return commands.forbidden(turn.row, "", turn.now) or hold.kind
    if experiment.held_out(turn.row, policy):
        return "holdout"
    if any(case.active for case in turn.row.cases.values()):
        return "case_open"  # they are written to already
    if card.charge_at <= turn.now:
        return "charge_is_over"
    return contactability.suppressed(turn.row.contact, "email", policy) or contact_frequency.free_at(turn.row, policy.contact, turn.now)[1]


def _request(turn: Transition, subscription: str, card: ExpiringCard) -> None:
    effect = MessageRequested(
        **turn.header(f"{subscription}~{int(card.charge_at.timestamp())}", "notice"),
        not_after=min(turn.now + VALID, card.charge_at),
        only_if="always",
        template="card_expiring",
        step=0,
        amount_minor=card.amount_minor,
        currency=card.currency,
        subscription=subscription,
        card=f"{card.card.exp_year}-{card.card.exp_month:02}",
        unsubscribe=turn.policy.contact.honour_unsubscribe,
    )
    turn.effects.append(effect)
    turn.row.expiry_warned_for = {**turn.row.expiry_warned_for, subscription: card.charge_at}
    turn.row.forget_at = max(card.charge_at, turn.row.forget_at or card.charge_at)
    money: dict[str, Any] = {"amount_minor": card.amount_minor, "currency": card.currency}
    turn.record_unscoped("transactional_mail_requested", "card_expiring", subscription=subscription, effect=effect.id, **money)


def _skip(turn: Transition, subscription: str, because: str) -> None:
    turn.record_unscoped("transactional_mail_skipped", because, subscription=subscription, details={"template": "card_expiring"})
