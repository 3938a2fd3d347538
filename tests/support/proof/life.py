"""One generated life: happenings at Stripe, facts late, twice and in disorder, effects performed late or never, until all rests."""

import heapq
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

from recovery.contracts import effects, facts
from recovery.contracts.customer import Account, Customer
from recovery.contracts.effects import Effect
from recovery.contracts.encoding.row_codec import decode_row, encode_row
from recovery.contracts.facts import Fact
from recovery.decide.advance import Step, advance
from recovery.ids import idempotency_key
from tests.support import builders as a
from tests.support.proof import hostile, policies
from tests.support.proof.happenings import COMMON, RARE, Happening, goes_on
from tests.support.proof.promises import Watch
from tests.support.proof.stripe import Bill, Truth

START = a.START
TROUBLE_ENDS = timedelta(days=45)
END = timedelta(days=420)
MOST_STEPS = 5_000
Item = Fact | Effect | tuple[Happening, str, str]


class Life:
    """Number `number` of the generated lives under `seed`; the same two give the same life. `watch` says which promises were broken."""

    def __init__(self, seed: int, number: int, decide: Callable[[Customer | None, Fact, datetime, Account], Step] = advance) -> None:
        self._decide = decide
        self.luck = luck = Random(f"{seed}:{number}")
        self.truth = Truth(luck, START, luck.choice((6, 8, 12, 20)) if luck.random() < 0.03 else 0)
        self.account = policies.account(luck, 1)
        self.row: bytes | None = None
        self.now = START
        self.decisions = 0
        self.twisted, self.jumps = luck.random() < 0.1, luck.randrange(1, 5) if luck.random() < 0.2 else 0
        self.watch = Watch(twisted=self.twisted)
        self.withdrawn: set[str] = set()
        self._queue: list[tuple[datetime, int, Item]] = []
        self._count = 0
        self._rough = luck.random()
        for bill in self.truth.bills.values():
            self._put(bill.created, (COMMON[0], bill.id, f"evt_first_{bill.id}"))
        for place in range(luck.randrange(0, 14)):
            happening = luck.choice(RARE if luck.random() < 0.2 else COMMON)
            when = START + timedelta(hours=luck.uniform(0, 24 * 40))
            self._put(when, (happening, luck.choice(list(self.truth.bills)), f"evt_{place}"))
        for invoice in self.truth.bills:
            self._put(START + TROUBLE_ENDS, (goes_on, invoice, f"evt_goes_on_{invoice}"))

    def run(self) -> "Life":
        """Live until nothing is left to come."""
        end, most = START + END, MOST_STEPS * max(1, len(self.truth.bills) // 3)
        for _ in range(most):
            wake = self._customer_wake()
            if self.jumps and self.luck.random() < 0.03:
                jump = self.luck.choice(hostile.JUMPS)
                self.now, end, self.jumps = self.now + jump, end + jump, self.jumps - 1
            if self._queue and (wake is None or self._queue[0][0] <= wake):
                when, _, item = heapq.heappop(self._queue)
                self.now = max(self.now, when)
                self._happen(item)
            elif wake is not None and wake <= end:
                self.now = max(self.now, wake)
                self._tell(a.a_tick(self.now))
            else:
                break
        else:
            self.watch.broken("every story comes to rest", f"{most} steps were not enough")
        self.watch.finished(self._customer())
        return self

    def _customer(self) -> Customer | None:
        return decode_row(self.row) if self.row is not None else None

    def _customer_wake(self) -> datetime | None:
        return self._wake if self.row is not None else None

    def _put(self, when: datetime, item: Item) -> None:
        self._count += 1
        heapq.heappush(self._queue, (when, self._count, item))

    def _send(self, fact: Fact) -> None:
        """On its way: mostly soon, sometimes days later, sometimes twice."""
        for _ in range(2 if self.luck.random() < 0.15 else 1):
            late = self.luck.random() < 0.4 * self._rough
            self._put(self.now + timedelta(minutes=self.luck.uniform(0, 60 * 60) if late else self.luck.choice((0, 0, 1))), fact)
        if fact.id.endswith(":outcome") and self.luck.random() < 0.05:
            self._put(self.now + timedelta(days=self.luck.uniform(0, 30)), fact)  # told again after much else, as by a redrive

    def _happen(self, item: Item) -> None:
        if isinstance(item, tuple):
            happening, invoice, name = item
            for fact in happening(self.truth, self.truth.bills[invoice], self.now, name):
                self._send(fact)
            self._now_and_then()
        elif isinstance(item, Effect):
            for fact in self._performed(item):
                self._send(fact)
        else:
            self._tell(item)

    def _now_and_then(self) -> None:
        """The merchant changes the policy or turns the switch; it is on again in the end."""
        if self.luck.random() < 0.06:
            self.account = policies.account(self.luck, self.account.policy_version + 1, paused=self.account.paused)
        if self.luck.random() < 0.05 or (self.account.paused and self.now > START + TROUBLE_ENDS / 2):
            self.account.paused = not self.account.paused

    def _tell(self, fact: Fact) -> None:
        if self.account.paused and self.now > START + TROUBLE_ENDS:
            self.account.paused = False
        before = self._customer()
        had_row = before is not None
        if self.twisted and self.luck.random() < 0.15 and not isinstance(fact, facts.TimePassed):
            fact = hostile.twisted(self.luck, fact, self.now)
        self.decisions += 1
        try:
            step = self._decide(before, fact, self.now, self.account)
            self.row = encode_row(step.customer) if step.customer is not None else None
        except Exception as error:  # noqa: BLE001 - any is a breach
            self.watch.broken(
                "a decision is made without an error", f"{type(fact).__name__} at {self.now}: {type(error).__name__}: {error}"
            )
            self._wake = None
            return
        self._wake = step.customer.next_due_at if step.customer is not None else None
        self.watch.step(had_row, fact, self.now, self.account, step)
        for effect in step.effects:
            self._asked(effect)

    def _asked(self, effect: Effect) -> None:
        if isinstance(effect, effects.EffectWithdrawn):
            self.withdrawn.add(effect.effect)
        elif self.luck.random() < 0.97:
            late = self.luck.random() < 0.3 * self._rough
            self._put(self.now + timedelta(minutes=self.luck.uniform(0, 60 * 30) if late else self.luck.choice((0, 0, 2))), effect)

    def _performed(self, effect: Effect) -> Iterator[Fact]:
        """What becomes of an effect, performed as the effects sink does: after a look, and not too late."""
        bill = self.truth.bills.get(effect.invoice)
        gone = "withdrawn" if effect.id in self.withdrawn else "expired" if self.now > effect.not_after else ""
        head = {**a.header(f"{effect.id}:outcome", self.now, effect.invoice), "effect": effect.id}
        if isinstance(effect, effects.ReadRequested):
            yield from self._read(effect, bill, head, gone)
        elif bill is None:
            return
        elif isinstance(effect, effects.ChargeRequested):
            yield from self._charged(effect, bill, head, gone or self.truth.why_not(bill))
        elif isinstance(effect, effects.MessageRequested):
            yield self._mailed(effect, bill, head, gone)
        elif isinstance(effect, effects.SubscriptionEndRequested):
            yield from self._ended(effect, bill, head, gone or self.truth.why_not(bill))
        elif isinstance(effect, effects.RetryTimesRequested) and self.luck.random() < 0.7:
            at = effect.earliest + (effect.latest - effect.earliest) * self.luck.uniform(-0.2, 1.2)
            slots = (facts.Slot(at=at, probability=0.5),)
            told: dict[str, Any] = {"source": "model", "attempt": effect.attempt, "request": effect.id}
            yield facts.RetryTimesOffered(**a.header(f"{effect.id}:offer", self.now, effect.invoice), slots=slots, **told)

    def _read(self, effect: effects.ReadRequested, bill: Bill | None, head: dict[str, Any], gone: str) -> Iterator[Fact]:
        if gone or bill is None or self.luck.random() < 0.05:
            yield facts.ReadFailed(**head, why=gone or "not_allowed: the key is revoked")
        else:
            yield facts.InvoiceRead(**head, **self.truth.reading(bill))

    def _charged(self, effect: effects.ChargeRequested, bill: Bill, head: dict[str, Any], why: str) -> Iterator[Fact]:
        if why or self.luck.random() < 0.05:
            yield facts.ChargeSettled(**head, result="not_done", why=why or "refused: try later", state=bill.state)
            return
        if self.luck.random() < 0.05:
            bill.processing = True
            yield facts.ChargeSettled(**head, result="processing", charge=f"ch_{effect.id}", card=self.truth.card)
            self._put(self.now + timedelta(days=self.luck.choice((1, 6))), (_settles, bill.id, f"evt_settles_{effect.id}"))
            return
        charge, done = self.truth.try_card(bill, self.now, 0.3)
        if done:
            key = idempotency_key(effect.id)
            for fact in (facts.InvoicePaid, facts.InvoicePaymentSucceeded):
                head_of_paid = a.header(f"evt_{effect.id}:{fact.__name__}", self.now, bill.id)
                self._send(fact(**head_of_paid, state=bill.state, request_key=key, request_id="req_1"))
            yield facts.ChargeSettled(**head, result="succeeded", charge=charge, card=self.truth.card, state=bill.state)
            return
        assert bill.decline is not None
        self._send(
            facts.PaymentFailed(
                **a.header(f"evt_{effect.id}:failed", self.now, bill.id), state=bill.state, request_key=idempotency_key(effect.id)
            )
        )
        needs = bill.decline.code == "authentication_required"
        yield facts.ChargeSettled(
            **head, result="needs_action" if needs else "declined", charge=charge, decline=bill.decline, card=self.truth.card
        )

    def _mailed(self, effect: effects.MessageRequested, bill: Bill, head: dict[str, Any], gone: str) -> Fact:
        owed = self.truth.why_not(bill)
        why = gone or ("" if not effect.step else owed) or self.luck.choice(("", "", "", "", "", "no_contact"))
        result = "skipped" if why else self.luck.choice(("sent",) * 8 + ("failed", "unknown"))
        also = (
            tuple(one.invoice for one in effect.also if not self.truth.why_not(self.truth.bills[one.invoice])) if result == "sent" else ()
        )
        return facts.MessageSettled(**head, medium=effect.medium, result=result, why=why, message=f"<{effect.id}@x>", also=also)

    def _ended(self, effect: effects.SubscriptionEndRequested, bill: Bill, head: dict[str, Any], why: str) -> Iterator[Fact]:
        if why:
            yield facts.SubscriptionEndSettled(**head, action=effect.action, result="not_done", why=why, state=bill.state)
            return
        if effect.action == "cancel":
            self.truth.cancelled.add(effect.subscription)
            self._send(facts.SubscriptionEnded(**a.header(f"evt_{effect.id}", self.now, ""), subscription=effect.subscription))
        elif effect.action == "uncollectible":
            bill.status = "uncollectible"
            self._send(facts.InvoiceWrittenOff(**a.header(f"evt_{effect.id}", self.now, bill.id), state=bill.state))
        yield facts.SubscriptionEndSettled(**head, action=effect.action, result="done", state=bill.state)


def _settles(truth: Truth, bill: Bill, when: datetime, name: str) -> Iterator[Fact]:
    """A debit that was on its way arrives, or comes back."""
    bill.processing = False
    if bill.status == "open" and truth.luck.random() < 0.5:
        truth.try_card(bill, when, 1.0)
        yield facts.InvoicePaid(**a.header(name, when, bill.id), state=bill.state)
    elif bill.status == "open":
        truth.try_card(bill, when, 0.0)
        yield facts.PaymentFailed(**a.header(name, when, bill.id), state=bill.state)
