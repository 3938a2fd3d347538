"""The desk of a shard: facts in, rows, events and effects out, nothing half done."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

import streams.desk
from bench.stream_facts import ACCOUNT, START, header, invoice_state
from recovery.contracts.codec import decode_event, decode_parked, encode
from recovery.contracts.events import Event
from recovery.contracts.facts import (
    Fact,
    InvoicePaid,
    ParkedReplayed,
    PaymentFailed,
    PolicyPublished,
    SwitchSet,
    TimePassed,
    WebhookIgnored,
)
from recovery.contracts.topics import EFFECTS_STRIPE, EVENTS, OUTCOMES, PARKED_STREAMS
from recovery.ids import stream_key
from recovery.policy import Policy
from streams.desk import NOW_ROW, ROWS_PER_TICK, Desk
from streams.guard import FAILURES_IN_A_ROW, Guard
from streams.shard import Names


class Told(msgspec.Struct):
    key: bytes | None
    value: bytes | None
    offset: int
    timestamp: int = 1_700_000_000_000


class Shard:
    """Rows in memory, outputs in a list."""

    def __init__(self, rows: dict[bytes, bytes] | None = None) -> None:
        self.number, self.names = 3, Names("app", "app-cases-changelog", (), ())
        self.rows = dict(rows or {})
        self.sent: list[tuple[str, bytes | None, bytes]] = []
        self.stopped: list[tuple[int, str]] = []
        self.offset = 0
        self.desk = Desk(self, Guard(lambda code, why: self.stopped.append((code, why))))

    def get(self, key: bytes) -> bytes | None:
        return self.rows.get(key)

    def put(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            self.rows.pop(key, None)
        else:
            self.rows[key] = value

    def emit(self, topic: str, key: bytes | None, value: bytes) -> None:
        self.sent.append((topic, key, value))

    def take(self, fact: Fact | bytes, key: bytes | None = None) -> list[Event]:
        """Apply one fact; answers the events it left."""
        before = len(self.sent)
        value = fact if isinstance(fact, bytes) else encode(fact)
        known = key or (stream_key(fact.account, fact.customer) if isinstance(fact, Fact) else b"k")
        self.desk.take(Told(known, value, self.offset))
        self.offset += 1
        return [decode_event(value) for topic, _, value in self.sent[before:] if topic == EVENTS.name]

    def on(self, topic: str) -> list[bytes]:
        return [value for name, _, value in self.sent if name == topic]


def failed(number: int = 1) -> PaymentFailed:
    return PaymentFailed(id=f"fail:{number}", state=invoice_state("open", START), **header(number, START))


def paid(number: int = 1) -> InvoicePaid:
    return InvoicePaid(id=f"paid:{number}", state=invoice_state("paid", START), **header(number, START))


def tick(hours: float) -> TimePassed:
    at = START + timedelta(hours=hours)
    return TimePassed(id=f"time:{hours}", account="*", occurred_at=at, received_at=at)


def acting(number: int = 1) -> PolicyPublished:
    return PolicyPublished(
        id=f"policy:{number}",
        account=ACCOUNT,
        occurred_at=START,
        received_at=START,
        number=number,
        policy=Policy(mode="act"),
        who="a test",
    )


def test_a_payment_that_never_failed_leaves_an_event_and_no_row() -> None:
    shard = Shard()
    (event,) = shard.take(paid())
    assert (event.event_type, event.cause) == ("fact_noted", "paid:1")
    assert shard.rows == {}


def test_a_failure_leaves_a_row_events_with_ids_of_their_place_and_a_read() -> None:
    shard = Shard()
    shard.take(acting())
    events = shard.take(failed())
    assert [event.event_type for event in events] == ["payment_failed", "read_requested"]
    assert [event.id for event in events] == ["3-1-0", "3-1-1"]
    assert stream_key(ACCOUNT, "cus_1") in shard.rows
    assert len(shard.on(EFFECTS_STRIPE.name)) == 1


def test_an_ending_also_goes_to_the_outcomes() -> None:
    shard = Shard()
    shard.take(failed())
    shard.take(paid())
    outcomes = [decode_event(value).event_type for value in shard.on(OUTCOMES.name)]
    assert outcomes == ["payment_recovered"]


def test_a_due_row_is_asked_once_and_again_at_its_next_wake() -> None:
    shard = Shard()
    shard.take(acting())
    shard.take(failed())
    assert shard.take(tick(1)) == []
    assert "read_failed" in [event.event_type for event in shard.take(tick(26))]
    assert shard.take(tick(26)) == []
    assert "read_requested" in [event.event_type for event in shard.take(tick(28))]


def test_a_restarted_desk_has_the_same_timers_and_the_same_time() -> None:
    shard = Shard()
    shard.take(acting())
    shard.take(tick(2))
    shard.take(failed())
    shard.desk.keep_time()
    again = Shard(shard.rows)
    assert again.desk.waiting == 1
    assert msgspec.json.decode(again.rows[NOW_ROW], type=datetime) == START + timedelta(hours=2)
    assert again.take(tick(27)) != []


def test_time_never_goes_back() -> None:
    shard = Shard()
    shard.take(tick(5))
    shard.take(tick(3))
    shard.desk.keep_time()
    assert msgspec.json.decode(shard.rows[NOW_ROW], type=datetime) == START + timedelta(hours=5)


def test_events_of_one_tick_have_different_ids() -> None:
    shard = Shard()
    shard.take(acting())
    for number in range(3):
        shard.take(failed(number))
    events = shard.take(tick(26))
    assert len(events) >= 3
    assert len({event.id for event in events}) == len(events)


def test_a_burst_is_several_ticks_long() -> None:
    shard = Shard()
    for number in range(ROWS_PER_TICK + 5):
        shard.take(failed(number))
    first, second = shard.take(tick(30)), shard.take(tick(30))
    assert len({event.customer for event in first}) == ROWS_PER_TICK
    assert len({event.customer for event in second}) == 5


@pytest.mark.parametrize("value", [b"", b"{", b"\xff\xfe", b'{"type":"unheard_of"}', b'{"type":"invoice_paid","id":1}', b"[]"])
def test_bytes_that_are_no_fact_are_parked_with_their_reason_and_leave_an_event(value: bytes) -> None:
    shard = Shard()
    (event,) = shard.take(value)
    (parked,) = [decode_parked(sent) for sent in shard.on(PARKED_STREAMS.name)]
    assert (event.event_type, parked.value, parked.offset) == ("fact_parked", value, 0)
    assert parked.why
    assert event.reason == parked.why
    assert shard.rows == {}


def test_an_unknown_version_is_parked() -> None:
    shard = Shard()
    value = encode(paid()).replace(b'"version":1', b'"version":9')
    (event,) = shard.take(value)
    assert "Version 9" in event.reason
    assert (event.account, event.cause) == (ACCOUNT, "paid:1")


def test_a_fact_that_makes_the_core_fail_is_parked_and_changes_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    shard = Shard()
    shard.take(failed())
    before = dict(shard.rows)

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(streams.desk, "advance", broken)
    (event,) = shard.take(paid())
    assert event.event_type == "fact_parked"
    assert "ZeroDivisionError" in event.reason
    assert shard.rows == before


def test_a_row_whose_timer_fails_is_parked_and_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    shard = Shard()
    shard.take(acting())
    shard.take(failed())

    def broken(*_: object) -> None:
        raise KeyError("a fault of ours")

    monkeypatch.setattr(streams.desk, "advance", broken)
    shard.take(tick(26))
    assert len(shard.on(PARKED_STREAMS.name)) == 1
    shard.take(tick(27))
    assert len(shard.on(PARKED_STREAMS.name)) == 1
    assert Shard(shard.rows).desk.waiting == 0


def test_a_row_whose_timer_failed_looks_again_when_it_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    shard = Shard()
    shard.take(acting())
    shard.take(failed())
    right = streams.desk.advance

    def broken(*_: object) -> None:
        raise KeyError("a fault of ours")

    monkeypatch.setattr(streams.desk, "advance", broken)
    shard.take(tick(26))
    monkeypatch.setattr(streams.desk, "advance", right)
    (parked,) = [decode_parked(sent) for sent in shard.on(PARKED_STREAMS.name)]
    account, customer = parked.key.decode().split("/")
    header = {"account": account, "customer": customer, "occurred_at": START, "received_at": START}
    events = shard.take(ParkedReplayed(id="r", who="ada", message="streams-3-0", topic=parked.topic, **header), parked.key)
    assert [event.event_type for event in events] == ["parked_replayed", "effect_withdrawn", "read_failed"]
    assert Shard(shard.rows).desk.waiting == 1


def test_the_worker_stops_when_nearly_everything_of_several_accounts_fails() -> None:
    shard = Shard()
    for number in range(FAILURES_IN_A_ROW):
        broken = encode(paid(number)).replace(b'"version":1', b'"version":9').replace(ACCOUNT.encode(), b"acct_%d" % (number % 3))
        shard.take(broken)
    ((code, why),) = shard.stopped
    assert code == 75
    assert "in a row" in why


def test_one_success_between_failures_keeps_the_worker_going() -> None:
    shard = Shard()
    for number in range(FAILURES_IN_A_ROW * 2):
        shard.take(paid(number) if number % 50 == 0 else b"{")
    assert shard.stopped == []


def test_a_paused_account_is_asked_for_nothing_and_a_switch_for_all_pauses_it_too() -> None:
    shard = Shard()
    shard.take(acting())
    everybody = SwitchSet(id="s1", account="*", occurred_at=START, received_at=START, paused=True, who="a test")
    shard.take(everybody, b"any")
    shard.take(failed())
    assert shard.on(EFFECTS_STRIPE.name) == []
    shard.take(msgspec.structs.replace(everybody, id="s2", paused=False), b"any")
    shard.take(tick(3))
    assert len(shard.on(EFFECTS_STRIPE.name)) == 1


def test_an_ignored_webhook_is_an_event() -> None:
    shard = Shard()
    fact = WebhookIgnored(
        id="w1", account=ACCOUNT, customer="~evt", occurred_at=datetime(2026, 1, 1, tzinfo=UTC), received_at=START, event_type="x", why="y"
    )
    (event,) = shard.take(fact)
    assert event.event_type == "webhook_ignored"
