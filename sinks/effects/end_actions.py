"""The merchant's end action on a case that stayed unpaid: look, claim, do it once, tell (B73). Only for an account that lets us act.

All three actions leave a mark that a look shows, so one in doubt is settled by looking; each is sent under the effect's idempotency key.
"""

from typing import Any

from recovery import ids
from recovery.contracts.effects import SubscriptionEndRequested
from recovery.contracts.facts import InvoiceState, SubscriptionEndSettled
from recovery.stripe_shapes import InvoiceReading, reading
from sinks.effects.answers import Answer, Clocks, Doubt, Job, Later, Settled, header
from sinks.effects.charges import Accounts
from sinks.effects.look import why_not
from sinks.effects.stripe import Busy, Gone, KeyReused, NotAllowed, Refused, StripeDoor, Unreachable


class EndActions:
    """Performs SubscriptionEndRequested."""

    def __init__(self, door: StripeDoor, accounts: Accounts, clocks: Clocks) -> None:
        self._door, self._accounts, self._clocks = door, accounts, clocks

    def __call__(self, job: Job) -> Answer:
        """Answer with SubscriptionEndSettled. Raises UnknownShape when Stripe's answer cannot be understood, NotMine when not claimed."""
        effect = job.effect
        if not isinstance(effect, SubscriptionEndRequested):
            raise TypeError(f"{type(effect).__name__} is no end action.")
        if job.withdrawn and job.since is None:
            return self._settled(effect, "not_done", job.withdrawn)
        try:
            invoice = self._door.invoice(effect.account, effect.invoice)
        except (Busy, Unreachable) as error:
            return Later(str(error)) if job.since is None else Doubt(str(error))
        except (Gone, NotAllowed, Refused) as error:
            return self._settled(effect, "not_done", f"not_read: {error}")
        seen = reading(invoice)
        if job.since is not None and _done(effect, seen):
            return self._settled(effect, "done", "read_back", seen.state)
        why = job.withdrawn or self._why_not(effect, invoice, seen)
        return self._settled(effect, "not_done", why, seen.state) if why else self._act(job, effect, seen.state)

    def _why_not(self, effect: SubscriptionEndRequested, invoice: dict[str, Any], seen: InvoiceReading) -> str:
        if not self._accounts.may_charge(effect.account):
            return "observe"
        return why_not(effect, invoice, seen) or ("expired" if self._clocks.business() > effect.not_after else "")

    def _act(self, job: Job, effect: SubscriptionEndRequested, state: InvoiceState) -> Answer:
        job.claim()
        try:
            self._ask_stripe(effect)
        except Busy as error:
            return Later(str(error)) if job.since is None else Doubt(str(error))
        except Unreachable as error:
            return Doubt(str(error))
        except (Gone, NotAllowed, Refused, KeyReused) as error:
            return self._settled(effect, "not_done", f"refused: {error}", state)
        return self._settled(effect, "done", "", state)

    def _ask_stripe(self, effect: SubscriptionEndRequested) -> None:
        key = ids.idempotency_key(effect.id)
        if effect.action == "cancel":
            self._door.cancel(effect.account, effect.subscription, key)
        elif effect.action == "unpaid":
            self._door.pause_collection(effect.account, effect.subscription, key)
        else:
            self._door.mark_uncollectible(effect.account, effect.invoice, key)

    def _settled(self, effect: SubscriptionEndRequested, result: Any, why: str, state: InvoiceState | None = None) -> Settled:
        fact = SubscriptionEndSettled(**header(effect, self._clocks), action=effect.action, result=result, why=why, state=state)
        return Settled(fact)


def _done(effect: SubscriptionEndRequested, seen: InvoiceReading) -> bool:
    """Whether the look shows what the action does."""
    if effect.action == "cancel":
        return seen.subscription_status == "canceled"
    return seen.subscription_paused if effect.action == "unpaid" else seen.state.status == "uncollectible"
