"""Reading an invoice for the streams: the truth at this moment (B3), one retrieve and the charges of its payment intents."""

import msgspec

from recovery.contracts.effects import ReadRequested
from recovery.contracts.facts import InvoiceRead, ReadFailed
from recovery.stripe_shapes import reading
from sinks.effects.answers import Answer, Clocks, Job, Later, Settled, header, not_performed
from sinks.effects.stripe import Busy, Gone, NotAllowed, Refused, StripeDoor, Unreachable


class Reads:
    """Performs ReadRequested. A read changes nothing, so it needs no claim and is never in doubt."""

    def __init__(self, door: StripeDoor, clocks: Clocks) -> None:
        self._door, self._clocks = door, clocks

    def __call__(self, job: Job) -> Answer:
        """Answer with InvoiceRead or ReadFailed. Raises UnknownShape when Stripe's answer cannot be understood."""
        effect = job.effect
        if not isinstance(effect, ReadRequested):
            raise TypeError(f"{type(effect).__name__} is no read.")
        if job.withdrawn:
            return Settled(not_performed(effect, "withdrawn", self._clocks))
        head = header(effect, self._clocks)  # the time before asking: what was read is at least as new
        try:
            invoice = self._door.invoice(effect.account, effect.invoice)
            seen = reading(invoice, self._door.charges_of(effect.account, invoice))
        except Gone as error:
            return Settled(ReadFailed(**head, why=f"gone: {error}", gone=True))
        except NotAllowed as error:
            return Settled(ReadFailed(**head, why=f"not_allowed: {error}"))
        except Refused as error:
            return Settled(ReadFailed(**head, why=f"refused: {error}"))
        except (Busy, Unreachable) as error:
            return Later(str(error))
        return Settled(InvoiceRead(**head, **msgspec.structs.asdict(seen)))
