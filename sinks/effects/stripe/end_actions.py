"""The merchant's end action on a case that stayed unpaid: read, claim, do it once, report (B73). Only for an account that lets us act.

A read shows the result of each of the three actions, so one in doubt is settled by reading; each is sent under the effect's idempotency
key.
"""

from typing import Any

from recovery import ids
from recovery.contracts.effects import SubscriptionEndRequested
from recovery.contracts.facts import InvoiceState, SubscriptionEndSettled
from recovery.stripe.shapes import InvoiceReading, reading
from sinks.effects.performer import Clocks, EffectRun, InDoubt, Outcome, RetryLater, Settled, header
from sinks.effects.preconditions import charge_blocker
from sinks.effects.stripe.charges import ChargeAccounts
from sinks.effects.stripe.client import (
    EffectsStripeClient,
    KeyReused,
    NotAllowed,
    ObjectGone,
    RateLimited,
    RequestRefused,
    StripeUnreachable,
)


class EndActions:
    """Performs SubscriptionEndRequested."""

    def __init__(self, stripe: EffectsStripeClient, accounts: ChargeAccounts, clocks: Clocks) -> None:
        self._stripe, self._accounts, self._clocks = stripe, accounts, clocks

    def __call__(self, job: EffectRun) -> Outcome:
        """Answer with SubscriptionEndSettled. Raises UnknownShape when Stripe's answer cannot be understood, NotMine when not claimed."""
        effect = job.effect
        if not isinstance(effect, SubscriptionEndRequested):
            raise TypeError(f"{type(effect).__name__} is not an end action.")
        if job.withdrawn and job.possibly_done_since is None:
            return self._settled(effect, "not_done", job.withdrawn)
        try:
            invoice = self._stripe.invoice(effect.account, effect.invoice)
        except (RateLimited, StripeUnreachable) as error:
            return RetryLater(str(error)) if job.possibly_done_since is None else InDoubt(str(error))
        except (ObjectGone, NotAllowed, RequestRefused) as error:
            return self._settled(effect, "not_done", f"not_read: {error}")
        seen = reading(invoice)
        if job.possibly_done_since is not None and _done(effect, seen):
            return self._settled(effect, "done", "read_back", seen.state)
        why = job.withdrawn or self._why_not(effect, invoice, seen)
        return self._settled(effect, "not_done", why, seen.state) if why else self._act(job, effect, seen.state)

    def _why_not(self, effect: SubscriptionEndRequested, invoice: dict[str, Any], seen: InvoiceReading) -> str:
        if not self._accounts.may_charge(effect.account):
            return "observe"
        return charge_blocker(effect, invoice, seen) or ("expired" if self._clocks.business() > effect.not_after else "")

    def _act(self, job: EffectRun, effect: SubscriptionEndRequested, state: InvoiceState) -> Outcome:
        job.claim()
        try:
            self._request(effect)
        except RateLimited as error:
            return RetryLater(str(error)) if job.possibly_done_since is None else InDoubt(str(error))
        except StripeUnreachable as error:
            return InDoubt(str(error))
        except (ObjectGone, NotAllowed, RequestRefused, KeyReused) as error:
            return self._settled(effect, "not_done", f"refused: {error}", state)
        return self._settled(effect, "done", "", state)

    def _request(self, effect: SubscriptionEndRequested) -> None:
        key = ids.idempotency_key(effect.id)
        if effect.action == "cancel":
            self._stripe.cancel(effect.account, effect.subscription, key)
        elif effect.action == "unpaid":
            self._stripe.pause_collection(effect.account, effect.subscription, key)
        else:
            self._stripe.mark_uncollectible(effect.account, effect.invoice, key)

    def _settled(self, effect: SubscriptionEndRequested, result: Any, why: str, state: InvoiceState | None = None) -> Settled:
        fact = SubscriptionEndSettled(**header(effect, self._clocks), action=effect.action, result=result, why=why, state=state)
        return Settled(fact)


def _done(effect: SubscriptionEndRequested, seen: InvoiceReading) -> bool:
    """Whether the read shows the action's result."""
    if effect.action == "cancel":
        return seen.subscription_status == "canceled"
    return seen.subscription_paused if effect.action == "unpaid" else seen.state.status == "uncollectible"
