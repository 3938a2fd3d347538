"""The desk of a shard: facts in, rows, events and effects out, nothing half done."""

import hashlib
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

import streams.processor
from recovery.contracts.encoding.codec import Unprocessable, decode_effect, decode_event, decode_parked, encode
from recovery.contracts.events import Event
from recovery.contracts.facts import (
    Fact,
    InvoicePaid,
    ParkedReplayed,
    PauseSet,
    PaymentFailed,
    PolicyPublished,
    ReadFailed,
    TimePassed,
    WebhookIgnored,
)
from recovery.contracts.limits import CLOCK_AHEAD, KEY_BYTES, PARKED_BYTES, ROW_BYTES, TICK_STEP
from recovery.contracts.topics import EFFECTS_STRIPE, EVENTS, OUTCOMES, PARKED_STREAMS
from recovery.ids import stream_key
from recovery.policy import Policy
from sinks.warehouse import rows
from streams.guard import FAILING_ACCOUNTS, FAILURES_OF_AN_ACCOUNT, Guard
from streams.processor import HELD_ROW, LARGEST_ROW, NOW_ROW, RESERVED_BYTES, ROWS_PER_TICK, ShardProcessor, check_row
from streams.transactional_shard import Names
from tests.support.stream_facts import ACCOUNT, START, header, invoice_state


class Told(msgspec.Struct):
    key: bytes | None
    value: bytes | None
    offset: int
    timestamp: int = int((START + timedelta(days=60)).timestamp() * 1000)


class Shard:
    """Rows in memory, outputs in a list."""

    def __init__(self, rows: dict[bytes, bytes] | None = None) -> None:
        self.number, self.names = 3, Names("app", "app-cases-changelog", (), ())
        self.rows = dict(rows or {})
        self.sent: list[tuple[str, bytes | None, bytes]] = []
        self.stopped: list[tuple[int, str]] = []
        self.offset = 0
        self.desk = ShardProcessor(self, Guard(lambda code, why: self.stopped.append((code, why))))

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
        self.desk.process(Told(known, value, self.offset))
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
    assert (event.event_type, event.cause) == ("fact_had_no_effect", "paid:1")
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
    assert shard.take(tick(2)) == []
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
    assert again.desk.timer_count == 1
    assert msgspec.json.decode(again.rows[NOW_ROW], type=datetime) == START + timedelta(hours=2)
    assert again.take(tick(20)) == []
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
def test_bytes_that_are_no_fact_are_dead_lettered_with_their_reason_and_leave_an_event_of_their_account(value: bytes) -> None:
    shard = Shard()
    (event,) = shard.take(value, b"acct_1/cus_1")
    (parked,) = [decode_parked(sent) for sent in shard.on(PARKED_STREAMS.name)]
    assert (event.event_type, parked.value, parked.offset) == ("fact_parked", value, 0)
    assert parked.why
    assert (event.account, event.reason) == ("acct_1", parked.why)
    assert shard.rows == {}


@pytest.mark.parametrize("value", [b"", b"{", b"[]"])
def test_bytes_of_no_account_are_a_dead_letter_alone(value: bytes) -> None:
    """No merchant could read a row without an account, and the warehouse would dead-letter it again."""
    shard = Shard()
    assert shard.take(value, b"time") == []
    (dead,) = [decode_parked(sent) for sent in shard.on(PARKED_STREAMS.name)]
    assert (dead.value, dead.offset) == (value, 0)


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

    monkeypatch.setattr(streams.processor, "advance", broken)
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

    monkeypatch.setattr(streams.processor, "advance", broken)
    (event,) = shard.take(tick(26))
    assert (event.event_type, event.account, event.customer, event.details) == ("fact_parked", ACCOUNT, "cus_1", {"timer": "stopped"})
    assert "KeyError" in event.reason
    assert rows.line(encode(event), EVENTS.name, 3, 0)
    assert len(shard.on(PARKED_STREAMS.name)) == 1
    assert shard.take(tick(27)) == []
    assert len(shard.on(PARKED_STREAMS.name)) == 1
    assert Shard(shard.rows).desk.timer_count == 0


def test_rows_whose_timers_fail_at_one_tick_leave_events_of_different_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    shard = Shard()
    shard.take(acting())
    for number in range(3):
        shard.take(failed(number))

    def broken(*_: object) -> None:
        raise KeyError("a fault of ours")

    monkeypatch.setattr(streams.processor, "advance", broken)
    events = shard.take(tick(26))
    assert [event.event_type for event in events] == ["fact_parked"] * len(events)
    assert len({event.id for event in events}) == len(shard.on(PARKED_STREAMS.name)) == len(events) >= 1


def test_a_row_whose_timer_failed_looks_again_when_it_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    shard = Shard()
    shard.take(acting())
    shard.take(failed())
    right = streams.processor.advance

    def broken(*_: object) -> None:
        raise KeyError("a fault of ours")

    monkeypatch.setattr(streams.processor, "advance", broken)
    shard.take(tick(26))
    monkeypatch.setattr(streams.processor, "advance", right)
    (parked,) = [decode_parked(sent) for sent in shard.on(PARKED_STREAMS.name)]
    account, customer = parked.key.decode().split("/")
    header = {"account": account, "customer": customer, "occurred_at": START, "received_at": START}
    events = shard.take(ParkedReplayed(id="r", who="ada", message="streams-3-0", topic=parked.topic, **header), parked.key)
    assert [event.event_type for event in events] == ["parked_replayed", "effect_withdrawn", "read_failed"]
    assert Shard(shard.rows).desk.timer_count == 1


def test_a_tick_ahead_of_the_brokers_time_is_dead_lettered_and_moves_nothing() -> None:
    shard = Shard()
    shard.take(tick(1))
    limit = int((START + timedelta(hours=2)).timestamp() * 1000)
    ahead = TimePassed(id="t", account="*", occurred_at=START + timedelta(hours=2) + CLOCK_AHEAD, received_at=START)
    shard.desk.process(Told(b"time", encode(ahead), 7, limit))
    assert shard.on(PARKED_STREAMS.name) == []
    further = msgspec.structs.replace(ahead, occurred_at=ahead.occurred_at + timedelta(seconds=1))
    shard.desk.process(Told(b"time", encode(further), 8, limit))
    assert len(shard.on(PARKED_STREAMS.name)) == 1
    shard.desk.keep_time()
    assert msgspec.json.decode(shard.rows[NOW_ROW], type=datetime) == ahead.occurred_at


def test_a_single_tick_far_ahead_of_the_one_before_does_nothing_and_the_next_right_one_corrects_it() -> None:
    shard = Shard()
    shard.take(acting())
    shard.take(failed())
    shard.take(tick(2))
    assert shard.take(tick(50)) == []
    assert shard.take(tick(3)) == []
    assert HELD_ROW not in shard.rows
    assert shard.take(tick(51)) == []  # held anew
    shard.desk.keep_time()
    assert msgspec.json.decode(shard.rows[NOW_ROW], type=datetime) == START + timedelta(hours=3)


def test_after_a_pause_of_everything_the_second_tick_confirms_the_first_even_across_a_restart() -> None:
    shard = Shard()
    shard.take(acting())
    shard.take(failed())
    shard.take(tick(2))
    assert shard.take(tick(70)) == []
    again = Shard(shard.rows)
    assert again.take(tick(70.1)) != []
    assert HELD_ROW not in again.rows


def test_a_step_at_its_limit_needs_no_second_tick() -> None:
    shard = Shard()
    shard.take(tick(2))
    step = TICK_STEP.total_seconds() / 3600
    shard.take(tick(2 + step))
    assert HELD_ROW not in shard.rows
    shard.take(tick(2 + 2 * step + 1 / 3600))
    assert HELD_ROW in shard.rows


def test_an_outcome_of_a_sink_with_a_fast_clock_gets_the_brokers_time() -> None:
    shard = Shard()
    shard.take(acting())
    shard.take(failed())
    (read,) = [decode_effect(value) for value in shard.on(EFFECTS_STRIPE.name)]
    about = {name: getattr(read, name) for name in ("account", "customer", "invoice")}
    ahead = START + timedelta(days=3)
    answer = ReadFailed(id="o", effect=read.id, why="gone", occurred_at=ahead, received_at=ahead, **about)
    broker = START + timedelta(minutes=1)
    shard.desk.process(Told(stream_key(read.account, read.customer), encode(answer), 9, int(broker.timestamp() * 1000)))
    told = [decode_event(value) for topic, _, value in shard.sent if topic == EVENTS.name and b"read_failed" in value]
    assert [event.occurred_at for event in told if event.cause == "o"] == [broker]


def test_a_webhook_that_stripe_dates_ahead_gets_the_brokers_time() -> None:
    shard = Shard()
    ahead = msgspec.structs.replace(failed(), occurred_at=START + timedelta(hours=20))
    broker = int(START.timestamp() * 1000)
    shard.desk.process(Told(stream_key(ACCOUNT, "cus_1"), encode(ahead), 0, broker))
    (event, *_) = [decode_event(value) for topic, _, value in shard.sent if topic == EVENTS.name]
    assert (event.event_type, event.occurred_at) == ("payment_failed", START)


def of_account(name: str, value: bytes) -> bytes:
    return value.replace(ACCOUNT.encode(), name.encode())


def unreadable(number: int, account: str) -> bytes:
    return of_account(account, encode(paid(number)).replace(b'"version":1', b'"version":9'))


def test_the_worker_leaves_when_nearly_every_account_fails() -> None:
    shard = Shard()
    for number in range(FAILING_ACCOUNTS * FAILURES_OF_AN_ACCOUNT):
        assert shard.desk.leaving is None
        shard.take(unreadable(number, f"acct_{number % FAILING_ACCOUNTS}"))
    ((code, why),) = shard.stopped
    assert code == 75
    assert f"{FAILING_ACCOUNTS} of {FAILING_ACCOUNTS} accounts" in why
    assert shard.desk.leaving == (code, why)


def test_the_facts_that_made_the_worker_leave_are_dead_lettered() -> None:
    shard = Shard()
    for number in range(FAILING_ACCOUNTS * FAILURES_OF_AN_ACCOUNT):
        shard.take(unreadable(number, f"acct_{number % FAILING_ACCOUNTS}"))
    assert len(shard.on(PARKED_STREAMS.name)) == FAILING_ACCOUNTS * FAILURES_OF_AN_ACCOUNT


def test_a_few_accounts_cannot_stop_the_worker_however_much_they_send() -> None:
    shard = Shard()
    for number in range(2_000):
        shard.take(unreadable(number, f"acct_{number % (FAILING_ACCOUNTS - 1)}"))
    assert shard.stopped == []


def test_many_failing_accounts_cannot_stop_the_worker_while_others_are_applied() -> None:
    shard = Shard()
    for number in range(5):
        shard.take(of_account(f"acct_good_{number}", encode(paid(number))), b"k")
    for number in range(2_000):
        shard.take(unreadable(number, f"acct_{number % 40}"))
    assert shard.stopped == []


def test_accounts_that_are_known_by_their_policy_count_among_all_after_a_restart() -> None:
    shard = Shard()
    for number in range(10):
        shard.take(of_account(f"acct_known_{number}", encode(acting())), b"policy")
    again = Shard(shard.rows)
    for number in range(2_000):
        again.take(unreadable(number, f"acct_{number % 30}"))
    assert again.stopped == []


def test_an_account_that_succeeds_again_is_no_failing_one() -> None:
    shard = Shard()
    for number in range(2_000):
        name = f"acct_{number % 50}"
        shard.take(of_account(name, encode(paid(number))) if number % 100 < 50 else unreadable(number, name), b"k")
    assert shard.stopped == []


def test_a_fact_with_an_id_beyond_the_limit_is_dead_lettered_and_changes_nothing() -> None:
    shard = Shard()
    shard.take(failed())
    before = dict(shard.rows)
    (event,) = shard.take(encode(paid()).replace(b'"invoice":"in_1"', b'"invoice":"in_%s"' % (b"x" * 600_000)), b"k")
    assert (event.event_type, event.invoice) == ("fact_parked", "")
    assert "bytes" in event.reason
    assert shard.rows == before
    (parked,) = [decode_parked(value) for value in shard.on(PARKED_STREAMS.name)]
    assert len(parked.value) > 600_000


def test_a_fact_that_no_dead_letter_can_hold_leaves_a_reference() -> None:
    shard = Shard()
    value = encode(paid()).replace(b'"invoice":"in_1"', b'"invoice":"in_%s"' % (b"x" * 1_900_000))
    shard.take(value, b"k")
    (sent,) = shard.on(PARKED_STREAMS.name)
    parked = decode_parked(sent)
    assert len(sent) <= PARKED_BYTES
    assert (parked.value, parked.left_out, parked.sha256) == (b"", len(value), hashlib.sha256(value).hexdigest())
    assert (parked.topic, parked.partition, parked.offset) == ("facts", 3, 0)


def test_a_fact_that_tells_nothing_is_its_keys_accounts() -> None:
    shard = Shard()
    (event,) = shard.take(b'{"x":' + b"[" * 100_000, b"acct_1/cus_1")
    assert (event.event_type, event.account) == ("fact_parked", "acct_1")


@pytest.mark.parametrize("word", ["é" * 255, "😀" * 64, "x\n", "x" * 256])
def test_the_event_of_a_dead_letter_can_be_written_whatever_the_fact_said(word: str) -> None:
    shard = Shard()
    said = {"type": word, "id": word * 20, "account": word, "customer": word, "invoice": word, "trace": word * 20, "version": 1}
    (event,) = shard.take(msgspec.json.encode(said), b"acct_1/cus_1")
    (value,) = shard.on(EVENTS.name)
    assert event.account == "acct_1"
    assert rows.line(value, EVENTS.name, 3, 0)


def test_a_key_beyond_the_limit_is_dead_lettered() -> None:
    shard = Shard()
    (event,) = shard.take(paid(), b"k" * (KEY_BYTES + 1))
    assert event.event_type == "fact_parked"
    assert shard.rows == {}
    assert all(len(key or b"") <= KEY_BYTES for _, key, _ in shard.sent)
    (event,) = shard.take(paid(2), b"k" * KEY_BYTES)
    assert event.event_type == "fact_had_no_effect"


def test_a_row_that_would_grow_beyond_its_limit_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    shard = Shard()
    shard.take(acting())
    shard.take(failed())
    before, sent = dict(shard.rows), len(shard.sent)
    (row,) = [value for key, value in shard.rows.items() if key[:1] != b"\0"]
    monkeypatch.setattr(streams.processor, "ROW_BYTES", len(row) - 1)
    (event,) = shard.take(msgspec.structs.replace(failed(), id="fail:again", invoice="in_2"))
    assert event.event_type == "fact_parked"
    assert "1 invoices" in event.reason or "2 invoices" in event.reason
    assert shard.rows == before
    assert [topic for topic, _, _ in shard.sent[sent:]] == [PARKED_STREAMS.name, EVENTS.name]


@pytest.mark.parametrize(
    ("size", "before", "opens", "fits"),
    [
        (ROW_BYTES, 0, False, True),
        (ROW_BYTES + 1, 0, False, False),
        (ROW_BYTES - RESERVED_BYTES, 0, True, True),
        (ROW_BYTES - RESERVED_BYTES + 1, 0, True, False),
        (ROW_BYTES + 5, ROW_BYTES + 5, False, True),
        (ROW_BYTES + 6, ROW_BYTES + 5, False, False),
        (LARGEST_ROW, LARGEST_ROW + 1, False, False),
    ],
)
def test_a_row_has_a_limit_and_keeps_room_for_the_cases_that_it_has(size: int, before: int, opens: bool, fits: bool) -> None:
    if fits:
        check_row(size, before, 3, 2 if opens else 3)
    else:
        with pytest.raises(Unprocessable, match="row would have"):
            check_row(size, before, 3, 2 if opens else 3)


def test_a_message_beyond_its_limit_is_refused_before_anything_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    shard = Shard()
    shard.take(acting())
    monkeypatch.setattr(streams.processor, "MESSAGE_BYTES", 300)
    before = dict(shard.rows)
    (event,) = shard.take(failed())
    assert event.event_type == "fact_parked"
    assert shard.rows == before
    assert shard.on(EFFECTS_STRIPE.name) == []


def test_a_paused_account_is_asked_for_nothing_and_a_switch_for_all_pauses_it_too() -> None:
    shard = Shard()
    shard.take(acting())
    everybody = PauseSet(id="s1", account="*", occurred_at=START, received_at=START, paused=True, who="a test")
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
