"""What Stripe and the mail servers answer: plainly for the honest tenant, and for the hostile ones in every unpleasant way."""

import threading
import zlib

import msgspec

from recovery.contracts.effects import ChargeRequested, ReadRequested
from recovery.contracts.facts import ChargeSettled, Decline, InvoiceRead, InvoiceState
from sinks.effects.performer import Clocks, EffectRun, InDoubt, Outcome, RetryLater, Settled, header, not_performed
from tests.support.hostile.inputs import HONEST

LONG = "wrong\r\n\x1b[2J" + "w" * 20_000
HUNG_AT_ONCE = 64
"""Effects of hostile tenants that hang at the same time: more than any pool of workers has threads."""


class Performers:
    """One performer for every kind of effect."""

    def __init__(self, clocks: Clocks) -> None:
        self._clocks = clocks
        self._go_on = threading.Event()
        self._lock = threading.Lock()
        self.hanging = 0
        self.hangs = False
        """Whether effects of hostile tenants hang until `release`."""

    def wait(self, account: str) -> float:
        """No account is at Stripe's limit."""
        return 0.0

    def hang(self) -> None:
        """From now on hostile effects hang."""
        self._go_on.clear()
        self.hangs = True

    def release(self) -> None:
        """Let what hangs go on."""
        self.hangs = False
        self._go_on.set()

    def __call__(self, job: EffectRun) -> Outcome:
        """Perform one effect."""
        if job.effect.account == HONEST:
            return self.honest(job)
        if self.hangs:
            self._wait()
        return self._badly(job)

    def _wait(self) -> None:
        with self._lock:
            if self.hanging >= HUNG_AT_ONCE:
                return
            self.hanging += 1
        self._go_on.wait(600)
        with self._lock:
            self.hanging -= 1

    def honest(self, job: EffectRun) -> Outcome:
        """Perform an effect as a plain world does: reads show a decline, charges are declined, messages go elsewhere."""
        effect = job.effect
        if isinstance(effect, ReadRequested):
            state = InvoiceState(
                status="open", amount_due=4900, amount_remaining=4900, currency="usd", created=effect.occurred_at, subscription="sub_1"
            )
            decline = Decline(code="card_declined", decline_code="insufficient_funds", method_type="card")
            return Settled(InvoiceRead(**header(effect, self._clocks), state=state, decline=decline))
        if isinstance(effect, ChargeRequested):
            job.claim()
            return Settled(ChargeSettled(**header(effect, self._clocks), result="declined", charge=f"ch_{zlib.crc32(effect.id.encode())}"))
        return Settled(not_performed(effect, "sent elsewhere", self._clocks))

    def _badly(self, job: EffectRun) -> Outcome:
        effect, roll = job.effect, zlib.crc32(f"{job.effect.id}:{job.attempt}".encode()) % 10
        if roll == 0:
            raise RuntimeError(LONG)
        if roll == 1:
            return RetryLater(LONG)
        if roll == 2 and job.attempt < 3:
            job.claim()
            return InDoubt(LONG)
        if roll == 3:
            return Settled(not_performed(effect, LONG, self._clocks))
        if roll == 4 and isinstance(effect, ChargeRequested):
            return Settled(ChargeSettled(**header(effect, self._clocks), result="declined", charge="c" * 300))
        if roll == 5:
            plain = self.honest(job)
            assert isinstance(plain, Settled)
            return Settled(msgspec.structs.replace(plain.fact, trace="t" * 600_000))
        return self.honest(job)
