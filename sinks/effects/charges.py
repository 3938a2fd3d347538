"""Charging: look, claim, pay once, tell what came of it. A charge in doubt is resolved from what Stripe shows (decision 18, B33).

The idempotency key makes a repetition exact while Stripe keeps it (24 h at least, stripe.md 3.7): it answers with the first result or
performs the first time. Afterwards only reading is safe: the event that echoes our key, else the invoice and its charges.
"""

import logging
from datetime import datetime, timedelta
from typing import Any, Protocol

from recovery import ids
from recovery.contracts.effects import ChargeRequested
from recovery.contracts.facts import Card, ChargeSettled, Decline
from recovery.stripe_shapes import (
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
from sinks.effects.answers import Answer, Clocks, Doubt, Job, Later, Settled, header
from sinks.effects.look import why_not, why_not_now
from sinks.effects.stripe import Busy, Declined, Gone, KeyReused, NotAllowed, Object, Refused, StripeDoor, Unreachable

log = logging.getLogger(__name__)
KEY_LIVES = timedelta(hours=23)
"""How long after the claim (business time) the idempotency key is trusted; Stripe promises 24 h."""
REPEATS = 6
"""How many times an attempt whose answer is unknown is repeated under its key: a stored 500 would be replayed for a day."""
LOOKS = 3
"""How often Stripe is searched for traces of an attempt before it counts as not made: its events may lag by seconds."""
NEEDS_ACTION = frozenset({"authentication_required", "authentication_not_handled", "invoice_payment_intent_requires_action"})


class Accounts(Protocol):
    """Whether an account lets us charge (control.lookup.Tenants)."""

    def may_charge(self, account: str) -> bool:
        """False for a live key whose tenant does not say act (decision 39)."""


class Charges:
    """Performs ChargeRequested: at most one attempt per effect, whatever happens to this process, Stripe or the line between them."""

    def __init__(self, door: StripeDoor, accounts: Accounts, clocks: Clocks) -> None:
        self._door, self._accounts, self._clocks = door, accounts, clocks

    def __call__(self, job: Job) -> Answer:
        """Answer with ChargeSettled. Raises UnknownShape when Stripe's answer cannot be understood, NotMine when the claim is refused."""
        effect = job.effect
        if not isinstance(effect, ChargeRequested):
            raise TypeError(f"{type(effect).__name__} is no charge.")
        if job.withdrawn and job.since is None:
            return self._not_done(effect, job.withdrawn)
        try:
            invoice = self._door.invoice(effect.account, effect.invoice)
        except (Gone, NotAllowed) as error:
            return self._unreadable(job, effect, error)
        except (Busy, Unreachable, Refused) as error:
            return _again(job, error)
        seen = reading(invoice)
        return self._fresh(job, effect, invoice, seen) if job.since is None else self._resolve(job, effect, invoice, seen, job.since)

    def _fresh(self, job: Job, effect: ChargeRequested, invoice: Object, seen: InvoiceReading) -> Answer:
        if why := self._why_not(effect, invoice, seen):
            return self._not_done(effect, why, seen)
        return self._pay(job, effect)

    def _why_not(self, effect: ChargeRequested, invoice: Object, seen: InvoiceReading) -> str:
        if not self._accounts.may_charge(effect.account):
            return "observe"
        now = self._clocks.business()
        return why_not(effect, invoice, seen) or why_not_now(effect, seen.state, now) or ("expired" if now > effect.not_after else "")

    def _pay(self, job: Job, effect: ChargeRequested) -> Answer:
        key = ids.idempotency_key(effect.id)
        since = job.claim()
        try:
            paid = self._door.pay(effect.account, effect.invoice, key)
        except Declined as declined:
            return self._declined(effect, declined.error)
        except Busy as error:
            return _again(job, error)
        except Unreachable as error:
            return Doubt(str(error))
        except (Gone, NotAllowed) as error:
            return self._unreadable(job, effect, error)
        except Refused as error:
            return self._refused(effect, error)
        except KeyReused as error:
            log.error("effect %s: its idempotency key was used with other parameters: %s", effect.id, error)
            return self._from_what_is_seen(job, effect, since)
        return self._answered(effect, paid)

    def _resolve(self, job: Job, effect: ChargeRequested, invoice: Object, seen: InvoiceReading, since: datetime) -> Answer:
        """Settle a charge that may have been made at `since`, without making a second one."""
        young = self._clocks.business() - since < KEY_LIVES
        forbidden = self._why_not(effect, invoice, seen)
        # Paying a paid invoice again under the same key cannot charge: it replays our success, or says that somebody else paid.
        may_repeat = young and not job.withdrawn and forbidden in {"", "already_paid"}
        if may_repeat and job.doubts <= 1:
            return self._pay(job, effect)
        return self._from_what_is_seen(job, effect, since, may_repeat and job.doubts <= REPEATS)

    def _from_what_is_seen(self, job: Job, effect: ChargeRequested, since: datetime, may_repeat: bool = False) -> Answer:
        key = ids.idempotency_key(effect.id)
        try:
            echo = self._door.event_of_key(effect.account, effect.invoice, key, since)
            invoice = self._door.invoice(effect.account, effect.invoice)
            seen = reading(invoice, self._door.charges_of(effect.account, invoice))
        except (Gone, NotAllowed) as error:
            return self._unreadable(job, effect, error)
        except (Busy, Unreachable, Refused) as error:
            return Doubt(str(error))
        log.info("effect %s was in doubt; its echo is %s, the invoice %s", effect.id, echo and echo["type"], seen.state.status)
        if echo is not None:
            return self._told_by_echo(effect, echo, seen)
        if may_repeat:
            return self._pay(job, effect)
        if job.tries < LOOKS:
            return Doubt("no trace of the attempt yet; Stripe may still be at it")
        return self._not_done(effect, why_not(effect, invoice, seen) or job.withdrawn or "not_seen", seen)

    def _told_by_echo(self, effect: ChargeRequested, echo: Object, seen: InvoiceReading) -> Settled:
        fields: dict[str, Any] = {"why": "read_back", "card": seen.card, "state": seen.state}
        if echo["type"] == "invoice.paid":
            return self._settled(effect, result="succeeded", charge=_last(seen, succeeded=True), **fields)
        asked = echo["type"] == "invoice.payment_action_required" or (seen.decline is not None and _needs_action(seen.decline))
        result = "needs_action" if asked else "declined"
        return self._settled(effect, result=result, charge=_last(seen, succeeded=False), decline=seen.decline, **fields)

    def _answered(self, effect: ChargeRequested, paid: Object) -> Answer:
        """A 200: paid, or an attempt that is not decided yet, or failed as old API versions tell it (stripe.md 4.2)."""
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

    def _declined(self, effect: ChargeRequested, error: Object) -> Answer:
        decline = decline_of_error(error)
        method = error.get("payment_method")
        card = card_of_method(method) if isinstance(method, dict) else None
        charge = error.get("charge")
        charge_id = str(charge.get("id", "")) if isinstance(charge, dict) else str(charge or "")
        decline, card = self._completed(effect, charge_id, decline, card)
        result = "needs_action" if _needs_action(decline) else "declined"
        return self._settled(effect, result=result, charge=charge_id, decline=decline, card=card)

    def _completed(self, effect: ChargeRequested, charge: str, decline: Decline, card: Card | None) -> tuple[Decline, Card | None]:
        """The decline with what only the charge tells: its outcome (a Radar block never reached the network) and the card."""
        if not charge:
            return decline, card
        try:
            seen = self._door.charge(effect.account, charge)
        except (Busy, Unreachable, Gone, NotAllowed, Refused) as error:
            log.info("effect %s: the declined charge could not be read: %s", effect.id, error)
            return decline, card
        more = decline_of_charge(seen)
        fields = {name: getattr(decline, name) or getattr(more, name) for name in Decline.__struct_fields__}
        return Decline(**fields), card or card_of_charge(seen)

    def _refused(self, effect: ChargeRequested, error: Refused) -> Answer:
        """Stripe says that the invoice cannot be paid now: already paid, voided, ... The invoice itself tells which."""
        try:
            invoice = self._door.invoice(effect.account, effect.invoice)
        except (Busy, Unreachable, Gone, NotAllowed, Refused):
            return self._not_done(effect, f"refused: {error}")
        seen = reading(invoice)
        return self._not_done(effect, why_not(effect, invoice, seen) or f"refused: {error}", seen)

    def _unreadable(self, job: Job, effect: ChargeRequested, error: Exception) -> Answer:
        if isinstance(error, Gone):
            return self._not_done(effect, "gone")
        if job.since is not None and self._clocks.business() <= effect.not_after:
            return Doubt(str(error))  # the key may come back; until then nobody knows
        if job.since is not None:
            log.error("effect %s may have been performed at %s and cannot be read back any more: %s", effect.id, job.since, error)
        return self._not_done(effect, f"not_allowed: {error}")

    def _not_done(self, effect: ChargeRequested, why: str, seen: InvoiceReading | None = None) -> Settled:
        return self._settled(effect, result="not_done", why=why, state=seen.state if seen else None)

    def _settled(self, effect: ChargeRequested, **fields: Any) -> Settled:
        return Settled(ChargeSettled(**header(effect, self._clocks), **fields))


def _again(job: Job, error: Exception) -> Answer:
    """Nothing was done by this try; an earlier one may still have done it."""
    return Later(str(error)) if job.since is None else Doubt(str(error))


def _needs_action(decline: Decline) -> bool:
    return bool(NEEDS_ACTION & {decline.code, decline.decline_code})


def _last(seen: InvoiceReading, *, succeeded: bool) -> str:
    return next((attempt.charge for attempt in reversed(seen.attempts) if attempt.succeeded is succeeded), "")
