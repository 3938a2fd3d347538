"""An obedient world around one customer's row: performs effects late or never, answers late, twice or out of order, keeps the truth."""

import heapq
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from recovery.contracts.effects import ChargeRequested, Effect, EffectWithdrawn, MessageRequested, ReadRequested
from recovery.contracts.facts import (
    ChargeSettled,
    Decline,
    Fact,
    InvoicePaid,
    InvoiceRead,
    InvoiceVoided,
    SeenAttempt,
    SubscriptionChanged,
    SubscriptionEnded,
)
from recovery.ids import idempotency_key
from tests.support import builders as a
from tests.support.story import Story

DECLINES: tuple[Decline | None, ...] = (
    a.SOFT,
    a.SOFT,
    a.SOFT,
    a.HARD,
    a.AUTH,
    a.FRAUD,
    None,
    Decline(code="card_declined", decline_code="new_word"),
)

NOT_OWED = {"open": "", "paid": "already_paid", "void": "voided"}


@dataclass
class Truth:
    """An invoice as Stripe has it."""

    status: str = "open"
    decline: Decline | None = None
    attempts: list[SeenAttempt] = field(default_factory=list)
    ours: int = 0
    payments: int = 0
    mails: list[datetime] = field(default_factory=list)


class World:
    """Plays a story to its end. `luck` decides delays and results; the same luck gives the same story."""

    def __init__(self, story: Story, luck: Random) -> None:
        self.story, self.luck = story, luck
        self.queue: list[tuple[datetime, int, Fact | Effect]] = []
        self.count = 0
        self.invoices: dict[str, Truth] = {}
        self.withdrawn: dict[str, datetime] = {}
        self.outstanding: dict[str, str] = {}
        self.ended: set[str] = set()
        self.ids: list[str] = []
        self.paused = False
        self.cancelled_at: datetime | None = None
        self.told_paid: set[str] = set()
        self.told: dict[str, set[str]] = {}

    def put(self, when: datetime, item: Fact | Effect) -> None:
        self.count += 1
        heapq.heappush(self.queue, (when, self.count, item))

    def send(self, when: datetime, fact: Fact) -> None:
        """Deliver the fact after a delay, sometimes twice."""
        if isinstance(fact, SubscriptionEnded):
            self.cancelled_at = min(fact.occurred_at, self.cancelled_at or fact.occurred_at)
        for _ in range(2 if self.luck.random() < 0.2 else 1):
            self.put(when + timedelta(minutes=self.luck.choice((0, 1, 5, 60, 600, 1700))), fact)

    def fails(self, invoice: str, when: datetime, number: int) -> None:
        """Stripe tries and fails."""
        truth = self.invoices.setdefault(invoice, Truth())
        if truth.status == "open":
            truth.decline = self.luck.choice(DECLINES)
            truth.attempts.append(a.an_attempt(f"ch_{invoice}_{number}", when))
            self.send(when, a.a_failure(f"evt_f_{invoice}_{number}", when, invoice))

    def pays(self, invoice: str, when: datetime, key: str = "", charge: str = "") -> None:
        truth = self.invoices.setdefault(invoice, Truth())
        if truth.status == "open":
            truth.status = "paid"
            truth.payments += 1
            truth.attempts.append(a.an_attempt(charge or f"ch_paid_{invoice}", when, succeeded=True))
            self.send(when, a.a_payment(f"evt_p_{invoice}", when, invoice, request_key=key, request_id="req_1"))

    def voids(self, invoice: str, when: datetime) -> None:
        truth = self.invoices.setdefault(invoice, Truth())
        if truth.status == "open":
            truth.status = "void"
            self.send(when, InvoiceVoided(**a.header(f"evt_v_{invoice}", when, invoice), state=a.a_state("void")))

    def settles(self, invoice: str) -> None:
        """A debit that was on its way fails; nobody tells."""
        truth = self.invoices[invoice]
        if truth.decline == a.PROCESSING:
            truth.decline = a.SOFT

    def run(self, end: datetime) -> None:
        """Let everything happen, in the order of time, until `end`."""
        for _ in range(20_000):
            row = self.story.customer
            wake = row.next_due_at if row is not None else None
            if self.queue and self.queue[0][0] <= end and (wake is None or self.queue[0][0] <= wake):
                when, _n, item = heapq.heappop(self.queue)
                self.story.now = max(self.story.now, when)
                self._happen(item)
            elif wake is not None and wake <= end:
                self._tell(a.a_tick(max(self.story.now, wake)))
            else:
                return
        raise AssertionError("the story never rests")

    def _happen(self, item: Fact | Effect) -> None:
        if isinstance(item, Effect):
            self._perform(item)
        elif not item.id.startswith("plan:"):
            self._tell(item)
        else:
            self._plan(item)

    def _plan(self, item: Fact) -> None:
        _, verb, number = item.id.split(":")
        if verb == "fails":
            self.fails(item.invoice, item.occurred_at, int(number))
        elif verb == "switch":
            self.story.account = a.an_account(self.story.account.policy, paused=bool(int(number) % 2))
        elif verb == "settles":
            self.settles(item.invoice)
        elif verb == "void":
            self.voids(item.invoice, item.occurred_at)
        else:
            self.pays(item.invoice, item.occurred_at)

    def _tell(self, fact: Fact) -> None:
        self.paused = fact.paused if isinstance(fact, SubscriptionChanged) else self.paused
        effect = getattr(fact, "effect", "")
        if self.outstanding.get(fact.invoice) == effect:
            del self.outstanding[fact.invoice]
        self._count(fact)
        step = self.story.tell(fact)
        if fact.__struct_config__.tag != "time_passed":
            assert step.events, f"{fact.id} left no event"
        for asked in step.effects:
            self._asked(asked)
        for event in step.events:
            if event.status in {"recovered", "closed", "abandoned", "blocked"}:
                self.ended.add(event.invoice)
            elif event.reason == "goes_on":
                self.ended.discard(event.invoice)

    def _count(self, fact: Fact) -> None:
        """Which charges the row has been told of."""
        told = self.told.setdefault(fact.invoice, set())
        row = self.story.customer
        if isinstance(fact, InvoicePaid | InvoiceRead) and fact.state.status == "paid" and row is not None and fact.invoice in row.cases:
            self.told_paid.add(fact.invoice)
        if isinstance(fact, InvoiceRead):
            told |= {seen.charge for seen in fact.attempts}
        elif isinstance(fact, ChargeSettled) and fact.charge:
            told.add(fact.charge)

    def _asked(self, effect: Effect) -> None:
        self.ids.append(effect.id)
        if isinstance(effect, EffectWithdrawn):
            self.withdrawn[effect.effect] = self.story.now
            if self.outstanding.get(effect.invoice) == effect.effect:
                del self.outstanding[effect.invoice]
            return
        assert not self.story.account.paused, f"{effect.id} was asked for in a pause"
        if isinstance(effect, MessageRequested) and not effect.step:
            thanks = effect.template == "payment_recovered"
            assert self.story.case(effect.invoice).paid is thanks, f"{effect.id} tells of an end that was not"
            self.put(self.story.now + timedelta(minutes=self.luck.choice((0, 1, 900))), effect)
            return
        if effect.invoice in self.ended and isinstance(effect, ReadRequested):
            self.put(self.story.now, effect)  # it does no harm, and may show that the case goes on after all
            return
        assert effect.invoice not in self.ended, f"{effect.id} was asked for after the end"
        assert effect.invoice not in self.outstanding, f"{effect.id} was asked for while {self.outstanding[effect.invoice]} is unanswered"
        self.outstanding[effect.invoice] = effect.id
        if isinstance(effect, ChargeRequested):
            assert len(self.told[effect.invoice]) < self.story.account.policy.budgets.per_invoice, "a charge beyond the budget"
        if self.luck.random() < 0.92:
            self.put(self.story.now + timedelta(minutes=self.luck.choice((0, 0, 0, 1, 30, 900, 1600))), effect)

    def _perform(self, effect: Effect) -> None:
        why = "withdrawn" if effect.id in self.withdrawn else "expired" if self.story.now > effect.not_after else ""
        truth = self.invoices[effect.invoice]
        now = self.story.now
        if isinstance(effect, ReadRequested):
            self.send(now, a.no_reading(effect.id, now, why, invoice=effect.invoice) if why else self._reading(effect, truth))
        elif isinstance(effect, ChargeRequested):
            self._charge(effect, truth, why or NOT_OWED[truth.status])
        elif isinstance(effect, MessageRequested):
            not_now = NOT_OWED[truth.status] if effect.step else "" if truth.status == "paid" else "not_paid"
            why = why or not_now or self.luck.choice(("", "", "", "", "no_contact"))
            truth.mails += [] if why or not effect.step else [now]
            owed = tuple(one.invoice for one in effect.also if self.invoices[one.invoice].status == "open")
            self.send(now, a.a_mail_outcome(effect.id, now, "skipped" if why else "sent", why, effect.invoice, also=() if why else owed))

    def _reading(self, effect: Effect, truth: Truth) -> Fact:
        state = a.a_state(truth.status)
        return a.a_reading(
            effect.id,
            self.story.now,
            truth.decline,
            effect.invoice,
            state=state,
            attempts=tuple(truth.attempts),
            subscription_paused=self.paused,
            subscription_status="canceled" if self.cancelled_at is not None and self.cancelled_at <= self.story.now else "past_due",
        )

    def _charge(self, effect: ChargeRequested, truth: Truth, why: str) -> None:
        now, charge = self.story.now, f"ch_{effect.id}"
        if why or self.luck.random() < 0.15:
            self.send(now, a.a_settlement(effect.id, now, "not_done", effect.invoice, why=why or "busy"))
            return
        truth.ours += 1
        if self.luck.random() < 0.1:
            truth.decline = a.PROCESSING
            self.send(now, a.a_settlement(effect.id, now, "processing", effect.invoice, charge=charge))
            self.put(now + timedelta(days=self.luck.choice((1, 4, 20))), a.a_change("plan:settles:0", now, effect.invoice))
            return
        if self.luck.random() < 0.3:
            self.pays(effect.invoice, now, idempotency_key(effect.id), charge)
            self.send(now, a.a_settlement(effect.id, now, "succeeded", effect.invoice, charge=charge))
        else:
            truth.decline = self.luck.choice((a.SOFT, a.SOFT, a.HARD, a.AUTH))
            truth.attempts.append(a.an_attempt(charge, now))
            result = "needs_action" if truth.decline == a.AUTH else "declined"
            self.send(now, a.a_settlement(effect.id, now, result, effect.invoice, charge=charge, decline=truth.decline))
