"""Reading for the streams: an invoice as it is at this moment (B3), with the charges of its payment intents; or a charge."""

from typing import Any

import msgspec

from recovery.contracts.effects import ReadRequested
from recovery.contracts.facts import ChargeRead, InvoiceRead, ReadFailed
from recovery.stripe.fields import id_of, needed_text, needed_whole, whole
from recovery.stripe.shapes import reading
from sinks.effects.performer import Clocks, EffectRun, Outcome, RetryLater, Settled, header, not_performed
from sinks.effects.stripe.client import EffectsStripeClient, NotAllowed, ObjectGone, RateLimited, RequestRefused, StripeUnreachable


class Reads:
    """Performs ReadRequested. A read changes nothing, so it needs no claim and is never in doubt."""

    def __init__(self, stripe: EffectsStripeClient, clocks: Clocks) -> None:
        self._stripe, self._clocks = stripe, clocks

    def __call__(self, job: EffectRun) -> Outcome:
        """Answer with InvoiceRead, ChargeRead or ReadFailed. Raises UnknownShape when Stripe's answer cannot be understood."""
        effect = job.effect
        if not isinstance(effect, ReadRequested):
            raise TypeError(f"{type(effect).__name__} is not a read.")
        if job.withdrawn:
            return Settled(not_performed(effect, "withdrawn", self._clocks))
        head = header(effect, self._clocks)  # the time before asking: what was read is at least as new
        try:
            return Settled(self._charge(effect, head) if effect.what == "charge" else self._invoice(effect, head))
        except ObjectGone as error:
            return Settled(ReadFailed(**head, why=f"gone: {error}", gone=True))
        except NotAllowed as error:
            return Settled(ReadFailed(**head, why=f"not_allowed: {error}"))
        except RequestRefused as error:
            return Settled(ReadFailed(**head, why=f"refused: {error}"))
        except (RateLimited, StripeUnreachable) as error:
            return RetryLater(str(error))

    def _invoice(self, effect: ReadRequested, head: dict[str, Any]) -> InvoiceRead:
        invoice = self._stripe.invoice(effect.account, effect.invoice)
        seen = reading(invoice, self._stripe.charges_of(effect.account, invoice))
        return InvoiceRead(**head, **msgspec.structs.asdict(seen))

    def _charge(self, effect: ReadRequested, head: dict[str, Any]) -> ChargeRead:
        """A charge's present state, addressed to its customer's state; a charge without a customer goes back to the state that requested
        it."""
        charge = self._stripe.charge(effect.account, effect.object)
        customer = id_of(charge, "customer", "charge") or effect.customer
        invoice = self._stripe.invoice_of_charge(effect.account, charge)
        return ChargeRead(
            **(head | {"customer": customer, "invoice": invoice}),
            charge=needed_text(charge, "id", "charge"),
            payment_intent=id_of(charge, "payment_intent", "charge"),
            amount_minor=needed_whole(charge, "amount", "charge"),
            amount_refunded=whole(charge, "amount_refunded", "charge"),
            currency=needed_text(charge, "currency", "charge"),
            disputed_minor=effect.disputed_minor,
            dispute_reason=effect.dispute_reason,
        )
