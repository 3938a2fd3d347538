"""Charges: read the invoice, claim, pay once, report the outcome. A charge in doubt is resolved from what Stripe shows (B33).

The idempotency key makes a repetition exact while Stripe keeps it (at least 24 h): Stripe returns the first result or performs the first
call. Afterwards only reading is safe: the event with our key, else the invoice and its charges.
"""

import logging
from datetime import datetime, timedelta
from typing import Any, Protocol

from recovery import ids
from recovery.contracts.effects import ChargeRequested
from recovery.contracts.facts import Card, ChargeSettled, Decline
from recovery.stripe.shapes import (
    InvoiceReading,
    card_of_charge,
    card_of_method,
    decline_of_charge,
    decline_of_error,
    decline_of_intent,
    intent_of,
    invoice_state,
    reading,
)
from sinks.effects.performer import Clocks, EffectRun, InDoubt, Outcome, RetryLater, Settled, header
from sinks.effects.preconditions import change_blocker, charge_blocker
from sinks.effects.stripe.client import (
    Declined,
    EffectsStripeClient,
    KeyReused,
    NotAllowed,
    Object,
    ObjectGone,
    RateLimited,
    RequestRefused,
    StripeUnreachable,
)

log = logging.getLogger(__name__)
KEY_LIVES = timedelta(hours=23)
"""How long after the claim (business time) the idempotency key is trusted; Stripe promises 24 h."""
REPEATS = 6
"""How many times an attempt whose answer is unknown is repeated under its key: a stored 500 would be replayed for a day."""
MOST_READS = 3
"""How often Stripe is searched for traces of an attempt before it counts as not made: its events may lag by seconds."""
NEEDS_ACTION = frozenset({"authentication_required", "authentication_not_handled", "invoice_payment_intent_requires_action"})


class ChargeAccounts(Protocol):
    """Whether an account lets us charge (control.tenants.Tenants)."""

    def may_charge(self, account: str) -> bool:
        """False for a live key whose tenant does not say act."""


class Charges:
    """Performs ChargeRequested: at most one attempt per effect, whatever happens to this process, Stripe or the line between them."""

    def __init__(self, stripe: EffectsStripeClient, accounts: ChargeAccounts, clocks: Clocks) -> None:
        self._stripe, self._accounts, self._clocks = stripe, accounts, clocks

    def __call__(self, job: EffectRun) -> Outcome:
        """Answer with ChargeSettled. Raises UnknownShape when Stripe's answer cannot be understood, NotMine when the claim is refused."""
        effect = job.effect
        if not isinstance(effect, ChargeRequested):
            raise TypeError(f"{type(effect).__name__} is not a charge.")
        if job.withdrawn and job.possibly_done_since is None:
            return self._not_done(effect, job.withdrawn)
        try:
            invoice = self._stripe.invoice(effect.account, effect.invoice)
        except (ObjectGone, NotAllowed) as error:
            return self._unreadable(job, effect, error)
        except (RateLimited, StripeUnreachable, RequestRefused) as error:
            return _retry_later(job, error)
        seen = reading(invoice)
        return (
            self._fresh(job, effect, invoice, seen)
            if job.possibly_done_since is None
            else self._resolve(job, effect, invoice, seen, job.possibly_done_since)
        )

    def _fresh(self, job: EffectRun, effect: ChargeRequested, invoice: Object, seen: InvoiceReading) -> Outcome:
        if why := self._why_not(effect, invoice, seen):
            return self._not_done(effect, why, seen)
        return self._pay(job, effect)

    def _why_not(self, effect: ChargeRequested, invoice: Object, seen: InvoiceReading) -> str:
        if not self._accounts.may_charge(effect.account):
            return "observe"
        now = self._clocks.business()
        return (
            charge_blocker(effect, invoice, seen)
            or change_blocker(effect, seen.state, now)
            or ("expired" if now > effect.not_after else "")
        )

    def _pay(self, job: EffectRun, effect: ChargeRequested) -> Outcome:
        key = ids.idempotency_key(effect.id)
        since = job.claim()
        try:
            paid = self._stripe.pay(effect.account, effect.invoice, key)
        except Declined as declined:
            return self._declined(effect, declined.error)
        except RateLimited as error:
            return _retry_later(job, error)
        except StripeUnreachable as error:
            return InDoubt(str(error))
        except (ObjectGone, NotAllowed) as error:
            return self._unreadable(job, effect, error)
        except RequestRefused as error:
            return self._refused(effect, error)
        except KeyReused as error:
            log.error("effect %s: its idempotency key was used with other parameters: %s", effect.id, error)
            return self._from_what_is_seen(job, effect, since)
        return self._answered(effect, paid)

    def _resolve(self, job: EffectRun, effect: ChargeRequested, invoice: Object, seen: InvoiceReading, since: datetime) -> Outcome:
        """Settle a charge that may have been made at `since`, without making a second one."""
        young = self._clocks.business() - since < KEY_LIVES
        forbidden = self._why_not(effect, invoice, seen)
        # Paying a paid invoice again under the same key cannot charge: it replays our success, or says that somebody else paid.
        may_repeat = young and not job.withdrawn and forbidden in {"", "already_paid"}
        if may_repeat and job.in_doubt_count <= 1:
            return self._pay(job, effect)
        return self._from_what_is_seen(job, effect, since, may_repeat and job.in_doubt_count <= REPEATS)

    def _from_what_is_seen(self, job: EffectRun, effect: ChargeRequested, since: datetime, may_repeat: bool = False) -> Outcome:
        key = ids.idempotency_key(effect.id)
        try:
            echo = self._stripe.event_of_key(effect.account, effect.invoice, key, since)
            invoice = self._stripe.invoice(effect.account, effect.invoice)
            seen = reading(invoice, self._stripe.charges_of(effect.account, invoice))
        except (ObjectGone, NotAllowed) as error:
            return self._unreadable(job, effect, error)
        except (RateLimited, StripeUnreachable, RequestRefused) as error:
            return InDoubt(str(error))
        log.info("effect %s was in doubt; its echo is %s, the invoice %s", effect.id, echo and echo["type"], seen.state.status)
        if echo is not None:
            return self._settled_by_event(effect, echo, seen)
        if may_repeat:
            return self._pay(job, effect)
        if job.attempt < MOST_READS:
            return InDoubt("no trace of the attempt yet; Stripe may still be at it")
        return self._not_done(effect, charge_blocker(effect, invoice, seen) or job.withdrawn or "not_seen", seen)

    def _settled_by_event(self, effect: ChargeRequested, echo: Object, seen: InvoiceReading) -> Settled:
        fields: dict[str, Any] = {"why": "read_back", "card": seen.card, "state": seen.state}
        if echo["type"] == "invoice.paid":
            return self._settled(effect, result="succeeded", charge=_last(seen, succeeded=True), **fields)
        needs_action = echo["type"] == "invoice.payment_action_required" or (seen.decline is not None and _needs_action(seen.decline))
        result = "needs_action" if needs_action else "declined"
        return self._settled(effect, result=result, charge=_last(seen, succeeded=False), decline=seen.decline, **fields)

    def _answered(self, effect: ChargeRequested, paid: Object) -> Outcome:
        """A 200: paid, or an attempt that is not decided yet, or failed in the way of old API versions."""
        state, intent = invoice_state(paid), intent_of(paid)
        charge = intent.get("latest_charge")
        charge = charge if isinstance(charge, dict) else {}
        fields: dict[str, Any] = {"state": state, "charge": str(charge.get("id", "")), "card": card_of_charge(charge) if charge else None}
        if state.status == "paid":
            return self._settled(effect, result="succeeded", **fields)
        if intent.get("status") == "processing":
            return self._settled(effect, result="processing", **fields)
        result = "needs_action" if intent.get("status") == "requires_action" else "declined"
        return self._settled(effect, result=result, decline=decline_of_intent(intent), **fields)

    def _declined(self, effect: ChargeRequested, error: Object) -> Outcome:
        decline = decline_of_error(error)
        method = error.get("payment_method")
        card = card_of_method(method) if isinstance(method, dict) else None
        charge = error.get("charge")
        charge_id = str(charge.get("id", "")) if isinstance(charge, dict) else str(charge or "")
        decline, card = self._completed(effect, charge_id, decline, card)
        result = "needs_action" if _needs_action(decline) else "declined"
        return self._settled(effect, result=result, charge=charge_id, decline=decline, card=card)

    def _completed(self, effect: ChargeRequested, charge: str, decline: Decline, card: Card | None) -> tuple[Decline, Card | None]:
        """The decline with the fields that only the charge has: its outcome (a Radar block never reached the network) and the card."""
        if not charge:
            return decline, card
        try:
            seen = self._stripe.charge(effect.account, charge)
        except (RateLimited, StripeUnreachable, ObjectGone, NotAllowed, RequestRefused) as error:
            log.info("effect %s: the declined charge could not be read: %s", effect.id, error)
            return decline, card
        more = decline_of_charge(seen)
        fields = {name: getattr(decline, name) or getattr(more, name) for name in Decline.__struct_fields__}
        return Decline(**fields), card or card_of_charge(seen)

    def _refused(self, effect: ChargeRequested, error: RequestRefused) -> Outcome:
        """Stripe answers that the invoice cannot be paid now: already paid, voided, ... The invoice itself shows which."""
        try:
            invoice = self._stripe.invoice(effect.account, effect.invoice)
        except (RateLimited, StripeUnreachable, ObjectGone, NotAllowed, RequestRefused):
            return self._not_done(effect, f"refused: {error}")
        seen = reading(invoice)
        return self._not_done(effect, charge_blocker(effect, invoice, seen) or f"refused: {error}", seen)

    def _unreadable(self, job: EffectRun, effect: ChargeRequested, error: Exception) -> Outcome:
        if isinstance(error, ObjectGone):
            return self._not_done(effect, "gone")
        if job.possibly_done_since is not None and self._clocks.business() <= effect.not_after:
            return InDoubt(str(error))  # the key may come back; until then nobody knows
        if job.possibly_done_since is not None:
            log.error(
                "effect %s may have been performed at %s and cannot be read back any more: %s", effect.id, job.possibly_done_since, error
            )
        return self._not_done(effect, f"not_allowed: {error}")

    def _not_done(self, effect: ChargeRequested, why: str, seen: InvoiceReading | None = None) -> Settled:
        return self._settled(effect, result="not_done", why=why, state=seen.state if seen else None)

    def _settled(self, effect: ChargeRequested, **fields: Any) -> Settled:
        return Settled(ChargeSettled(**header(effect, self._clocks), **fields))


def _retry_later(job: EffectRun, error: Exception) -> Outcome:
    """Nothing was done by this try; an earlier one may still have done it."""
    return RetryLater(str(error)) if job.possibly_done_since is None else InDoubt(str(error))


def _needs_action(decline: Decline) -> bool:
    return bool(NEEDS_ACTION & {decline.code, decline.decline_code})


def _last(seen: InvoiceReading, *, succeeded: bool) -> str:
    return next((attempt.charge for attempt in reversed(seen.attempts) if attempt.succeeded is succeeded), "")
