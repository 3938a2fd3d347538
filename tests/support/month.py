"""A month of an imaginary merchant, whole and in memory: world, webhooks, facts, shards, effects and their outcomes. No network, no wait.

Everything but the transport is the real thing: the sandbox's world, the gateway's translation, the desks of the stream, the performers of
the effects sink, and the comparison of `dunlin verify`.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappop, heappush
from random import Random
from zlib import crc32

import msgspec

from dunlin.demo.comparison import ComparisonReport, WarehouseSnapshot, compare
from dunlin.demo.world import API_VERSION, SUBSCRIBED
from producers.gateway.stripe_webhook import messages_of
from recovery.contracts.effects import Effect, EffectWithdrawn
from recovery.contracts.encoding.codec import decode_effect, decode_event, encode
from recovery.contracts.events import Event
from recovery.contracts.facts import PolicyPublished, TimePassed
from recovery.contracts.topics import EVENTS, FACTS, PARKED_STREAMS
from recovery.ids import idempotency_key, message_id, stream_key
from recovery.policy import Policy
from sandbox.simulation import truth
from sandbox.simulation.events import Event as Happening
from sandbox.simulation.records import Request
from sandbox.simulation.world import Setting, World
from sinks.effects.engine.dispatcher import outgoing
from sinks.effects.mail.email import EmailPerformer, MailTransport
from sinks.effects.performer import Clocks, EffectRun, InDoubt, Performer, RetryLater, Settled, not_performed
from sinks.effects.stripe.charges import Charges
from sinks.effects.stripe.end_actions import EndActions
from sinks.effects.stripe.reads import Reads
from streams.guard import Guard
from streams.simulation import Output, ShardInMemory
from tests.support.services.imaginary_stripe import Door, Merchant, Postbox, moment

START = 1_772_442_000.0
SENDER = "billing@merchant.example"
ACTING = Policy(mode="act", test_first_invoices=False)


class Record(msgspec.Struct, frozen=True):
    """A message of `facts` as a shard sees it."""

    key: bytes
    value: bytes
    offset: int
    timestamp: int


@dataclass(frozen=True, kw_only=True)
class Weather:
    """How rough the way is: shares of late and repeated webhooks, the longest delay in hours, late effects, and calls without an answer."""

    late: float = 0.05
    twice: float = 0.02
    delay_hours: float = 2.5
    slow_effects: float = 0.02
    trouble: float = 0.0


CALM = Weather()
STORM = Weather(late=0.4, twice=0.25, delay_hours=60, slow_effects=0.15, trouble=0.12)


@dataclass(order=True)
class Waiting:
    """Something on its way: a webhook's body, or an effect with what is known of its performing."""

    at: float
    number: int
    body: bytes = field(compare=False, default=b"")
    event: str = field(compare=False, default="")
    effect: Effect | None = field(compare=False, default=None)
    since: datetime | None = field(compare=False, default=None)
    doubts: int = field(compare=False, default=0)
    tries: int = field(compare=False, default=0)


class Month:
    """One run. The same arguments give the same month."""

    def __init__(
        self,
        seed: int,
        *,
        customers: int = 300,
        days: float = 30,
        stripe_retries: bool = False,
        policy: Policy = ACTING,
        weather: Weather = CALM,
        merchant_acts: bool = False,
        shards: int = 2,
    ) -> None:
        self.world = World(Setting(seed, START, customers=customers, days=days, stripe_retries=stripe_retries))
        self.luck, self.weather, self.merchant_acts = Random(seed), weather, merchant_acts
        self.now = START
        self.account = self.world.setting.account
        self.merchant = Merchant(self.account)
        self.shards = [ShardInMemory(number, "month", Guard(_stopped)) for number in range(shards)]
        self.facts: list[list[Record]] = [[] for _ in self.shards]
        self.outputs: list[list[Output]] = [[] for _ in self.shards]
        self.events: list[Event] = []
        self.effects: list[Effect] = []
        self.withdrawn: set[str] = set()
        self.parked: list[bytes] = []
        self._queue: list[Waiting] = []
        self._count = 0
        clocks = Clocks(self._clock, self._clock)
        door = Door(self.world, self._clock, self.luck, weather.trouble)
        post = MailTransport(Postbox(self.world, self._clock, self.luck, weather.trouble), SENDER, True)  # type: ignore[arg-type] # a double
        self._performers: dict[str, Performer] = {
            "read_requested": Reads(door, clocks),  # type: ignore[arg-type] # the door is a double, here and below
            "charge_requested": Charges(door, self.merchant, clocks),  # type: ignore[arg-type] # a double
            "message_requested": EmailPerformer(door, self.merchant, self.merchant, post, clocks),  # type: ignore[arg-type] # a double
        }
        self._performers["subscription_end_requested"] = EndActions(door, self.merchant, clocks)  # type: ignore[arg-type] # a double
        self._clocks = clocks
        self._publish(policy)

    def run(self) -> "Month":
        """Live through the month, hour by hour, and deliver what is still on its way at the end."""
        end = self.world.month_end
        while self.now < end:
            self.now = min(self.now + 3600.0, end)
            self._deliver(self.world.advance(self.now))
            if self.merchant_acts:
                self._merchant()
            self._work(self.now)
            self._pass_time()
            self._work(self.now)
        self._work(float("inf"))
        for shard in self.shards:
            shard.keep_time()
        return self

    def report(self, baseline: bool = False) -> ComparisonReport:
        """The comparison that `dunlin verify` makes."""
        events = [{"id": event.id, "accepted": event.accepted} for event in self.world.announce.events.values() if event.subscribed]
        whole = {"account": self.account, "events": events, **truth.acts(self.world), "webhooks": [], "forged_webhooks": 0}
        return compare(whole, self.told(), {"by_currency": self._nobody() if baseline else {}})

    def told(self) -> WarehouseSnapshot:
        """What the warehouse would say of the events."""
        first: dict[str, Event] = {}
        back: Counter[str] = Counter()
        failed: Counter[str] = Counter()
        for event in self.events:
            if event.event_type == "payment_failed":
                first.setdefault(event.invoice, event)
            elif event.event_type == "payment_recovered":
                back[event.currency] += event.recovered_minor
        for event in first.values():
            failed[event.currency] += event.amount_minor
        return WarehouseSnapshot(
            failed=frozenset(first),
            attempted=frozenset(idempotency_key(event.effect) for event in self._of("retry_attempted") if event.result),
            recovered=frozenset(event.invoice for event in self._of("payment_recovered")),
            failed_minor=dict(failed),
            recovered_minor=dict(back),
            mails=frozenset(
                message_id(event.effect, SENDER.partition("@")[2])
                for kind in ("dunning_sent", "transactional_mail_sent")
                for event in self._of(kind)
            ),
            causes=frozenset(event.cause for event in self.events),
            rows=len(self.events),
            distinct_rows=len({event.id for event in self.events}),
            p50_ms=0.0,
            p99_ms=0.0,
            parked=len(self.parked),
        )

    @property
    def in_doubt(self) -> frozenset[str]:
        """The ids of mails of which it cannot be known whether they were sent (product decision 18)."""
        skipped = (event for kind in ("dunning_skipped", "transactional_mail_skipped") for event in self._of(kind))
        return frozenset(message_id(event.effect, SENDER.partition("@")[2]) for event in skipped if event.result == "unknown")

    def _of(self, event_type: str) -> Iterator[Event]:
        return (event for event in self.events if event.event_type == event_type)

    def _nobody(self) -> dict[str, dict[str, int]]:
        twin = World(self.world.setting, recording=False)
        twin.advance(self.now)
        return truth.money(twin)

    def _clock(self) -> datetime:
        return moment(self.now)

    def _put(self, at: float, **what: object) -> None:
        self._count += 1
        heappush(self._queue, Waiting(at, self._count, **what))  # type: ignore[arg-type] # fields of Waiting

    def _deliver(self, events: list[Happening]) -> None:
        for event in events:
            event.subscribed = event.type in SUBSCRIBED
            if event.subscribed:
                body = event.body(API_VERSION)
                late, again = self.luck.random() < self.weather.late, self.luck.random() < self.weather.twice
                self._put(self.now + (self._delay() if late else 0.0), body=body, event=event.id)
                if again:
                    self._put(self.now + self._delay(), body=body, event=event.id)

    def _delay(self) -> float:
        return self.luck.random() * self.weather.delay_hours * 3600

    def _work(self, until: float) -> None:
        """Deliver and perform what is due, and what follows from it."""
        while self._queue and self._queue[0].at <= until:
            one = heappop(self._queue)
            if one.effect is None:
                self.world.announce.events[one.event].accepted += 1
                _, messages = messages_of(
                    self.merchant, self.account, [self.account], msgspec.json.decode(one.body), one.body, self._clock()
                )
                for message in messages:
                    if message.topic == FACTS.name:
                        self._tell(message.key, message.value)
            else:
                self._perform(one, one.effect)
            self._deliver(self.world.announce.drain())

    def _perform(self, one: Waiting, effect: Effect) -> None:
        def claim() -> datetime:
            one.since = one.since or self._clock()
            return one.since

        kind = str(effect.__struct_config__.tag)
        gone = "withdrawn" if effect.id in self.withdrawn else "expired" if self._clock() > effect.not_after else ""
        if gone and one.since is None:
            answer: object = Settled(not_performed(effect, gone, self._clocks))
        else:
            forbidden = "withdrawn" if effect.id in self.withdrawn else ""
            job = EffectRun(
                effect=effect, claim=claim, possibly_done_since=one.since, in_doubt_count=one.doubts, attempt=one.tries, withdrawn=forbidden
            )
            answer = self._performers[kind](job)
        if isinstance(answer, Settled):
            told = outgoing(effect, answer.fact)
            self._tell(told.key, told.value)
            return
        assert isinstance(answer, InDoubt | RetryLater), f"{effect.id} broke: {answer}"
        since = one.since if isinstance(answer, InDoubt) else None
        self._put(self.now + 60, effect=effect, since=since, doubts=one.doubts + isinstance(answer, InDoubt), tries=one.tries + 1)

    def _tell(self, key: bytes, value: bytes) -> None:
        self._take(crc32(key) % len(self.shards), key, value)

    def _take(self, number: int, key: bytes, value: bytes) -> None:
        record = Record(key, value, len(self.facts[number]), int(self.now * 1000))
        self.facts[number].append(record)
        sent = self.shards[number].take(record)
        self.outputs[number] += sent
        for output in sent:
            if output.topic == EVENTS.name:
                self.events.append(decode_event(output.value))
            elif output.topic == PARKED_STREAMS.name:
                self.parked.append(output.value or b"")
            elif output.topic.startswith("effects."):
                self._asked(decode_effect(output.value))

    def _asked(self, effect: Effect) -> None:
        self.effects.append(effect)
        if isinstance(effect, EffectWithdrawn):
            self.withdrawn.add(effect.effect)
            return
        if str(effect.__struct_config__.tag) not in self._performers:
            return  # nobody answers: the stream must go on without
        slow = self.luck.random() < self.weather.slow_effects
        self._put(self.now + (self.luck.random() * 30 * 3600 if slow else 0.0), effect=effect)

    def _everywhere(self, value: bytes, key: bytes) -> None:
        for number in range(len(self.shards)):
            self._take(number, key, value)

    def _publish(self, policy: Policy) -> None:
        at = self._clock()
        fact = PolicyPublished(
            id="policy:1", account=self.account, occurred_at=at, received_at=at, number=1, policy=policy, who="ops", why="the month begins"
        )
        self._pass_time()
        self._everywhere(encode(fact), stream_key(self.account, ""))

    def _pass_time(self) -> None:
        at = self._clock()
        self._everywhere(encode(TimePassed(id=f"time:{self.now:.0f}", account="*", occurred_at=at, received_at=at)), b"time")

    def _merchant(self) -> None:
        """Now and then the merchant does something about a failed invoice."""
        open_bills = [bill for bill in self.world.books.invoices.values() if bill.status == "open" and bill.first_failed_at is not None]
        if not open_bills or self.luck.random() > 0.04:
            return
        bill, at = self.luck.choice(open_bills), self.now
        request = Request(f"req_merchant_{at:.0f}")
        act = self.luck.choice(("void", "write_off", "out_of_band", "delete", "collection_off"))
        if act == "void":
            self.world.void(bill.id, at, request)
        elif act == "write_off":
            self.world.mark_uncollectible(bill.id, at, request)
        elif act == "out_of_band":
            self.world.pay(bill.id, at, request, out_of_band=True)
        elif act == "delete" and not self.world.books.customers[bill.customer].deleted:
            self.world.delete_customer(bill.customer, at, request)
        elif act == "collection_off":
            self.world.set_auto_advance(bill.id, at, request, False)
        self._deliver(self.world.announce.drain())


def _stopped(_code: int, reason: str) -> None:
    raise AssertionError(reason)
