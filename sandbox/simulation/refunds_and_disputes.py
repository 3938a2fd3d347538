"""What comes after a payment: some money is given back, some is disputed by the cardholder's bank."""

from dataclasses import dataclass, field

from sandbox.simulation.billing import Queue
from sandbox.simulation.events import Announcer
from sandbox.simulation.records import AUTOMATIC, Charge, Invoice, Json, Request
from sandbox.simulation.seeded_random import Luck

DAY = 86_400.0
_REFUNDED = 0.003
_DISPUTED = 0.0008
_REASONS = [("fraudulent", 0.5), ("subscription_canceled", 0.3), ("product_not_received", 0.2)]


@dataclass(slots=True)
class Aftermath:
    """Refunds and disputes, by hashed luck or on the merchant's order; keeps both lists for the truth."""

    luck: Luck
    announce: Announcer
    queue: Queue
    refunds: list[Json] = field(default_factory=list)
    disputes: list[Json] = field(default_factory=list)

    def paid(self, bill: Invoice, at: float) -> None:
        """An invoice was paid by a charge: a few come back."""
        taken = bill.charges[-1]
        if self.luck.chance(_REFUNDED, bill.id, "refunded"):
            self.queue.put(at + self.luck.between(0.5, 9, bill.id, "refunded at") * DAY, self._change_of_mind, taken)
        elif self.luck.chance(_DISPUTED, bill.id, "disputed"):
            self.queue.put(at + self.luck.between(2, 12, bill.id, "disputed at") * DAY, self._dispute, taken)

    def refund(self, taken: Charge, amount: int, at: float, request: Request) -> None:
        """Give back `amount` minor units of a charge."""
        previous = {"amount_refunded": taken.refunded, "refunded": False}
        taken.refunded += amount
        self.refunds.append(_entry(taken, at, amount))
        self.announce.charge("charge.refunded", taken, at, request, previous)

    def _change_of_mind(self, at: float, taken: Charge) -> None:
        if taken.refunded == 0:
            self.refund(taken, taken.amount, at, AUTOMATIC)

    def _dispute(self, at: float, taken: Charge) -> None:
        taken.disputed = True
        reason = self.luck.pick(_REASONS, taken.id, "reason")
        self.disputes.append({**_entry(taken, at, taken.amount), "reason": reason})
        self.announce.dispute("du_1" + self.luck.token(23, taken.id, "dispute"), taken, reason, at)


def _entry(taken: Charge, at: float, amount: int) -> Json:
    return {
        "charge": taken.id,
        "invoice": taken.invoice,
        "customer": taken.customer,
        "at": at,
        "amount": amount,
        "currency": taken.currency,
    }
