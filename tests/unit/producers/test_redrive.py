"""What is written when a parked message is replayed, and what is refused in words."""

from datetime import UTC, datetime

import msgspec
import pytest

from producers.replay.batch import ReplayRun
from producers.replay.facts_redrive import Replay, ReplayRefused, ReplayRequest
from recovery.adapters.dead_letter_reader import DeadLetterFilter, HeldMessage, MessagePosition
from recovery.adapters.kafka import NotDelivered
from recovery.contracts.dead_letters import DeadLetter, DeadLetterReplayed
from recovery.contracts.encoding.codec import decode_fact, decode_note, decode_parked, encode
from recovery.contracts.facts import ContactAllowed, PauseSet, PaymentFailed, ResumeRequested
from tests.support import builders as a
from tests.unit.producers.stripe_objects import an_event, an_invoice, dumped

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ASKED = ReplayRequest(who="ada", why="mended", business=NOW, wall=NOW)
FACT = encode(a.a_failure())


class Accounts:
    def accounts(self):
        return ["acct_1"]

    def secrets(self, account):
        return ("whsec_1",) if account == "acct_1" else ()

    def livemode(self, account):
        return False


class Broker:
    """Takes messages; `down`: never says so."""

    def __init__(self):
        self.sent, self.waiting, self.down = [], [], False

    def send(self, topic, key, value, partition=-1):
        self.waiting.append((topic, key, value, partition))

    def flush(self, seconds=30.0):
        if self.down:
            raise NotDelivered("The broker is down.")
        self.sent += self.waiting
        self.waiting = []

    def on(self, topic):
        return [message for message in self.sent if message[0] == topic]


@pytest.fixture
def broker():
    return Broker()


@pytest.fixture
def put_back(broker):
    """Put a message back as somebody who finds it at a place."""

    def run(parked, *, dry=False):
        held = held_of(parked)
        replay = Replay(Accounts(), lambda _: (parked, NOW), broker)
        return replay.plan(held) if dry else replay.redrive(held, ASKED)

    return run


def parked(stage, topic, value, key=b"acct_1/cus_1", **more):
    place = {"stage": stage, "topic": topic, "partition": 1, "offset": 7, "key": key, "value": value}
    return DeadLetter(**place, why="unreadable then", at=NOW, trace="acct_1:evt_1", replay_topic="facts", **more)


def held_of(parked, replayed=None):
    place, said = MessagePosition(parked.stage, 1, 15), {"why": parked.why, "error": parked.error, "trace": parked.trace}
    account = parked.key.split(b"/")[0].decode()
    return HeldMessage(place=place, account=account, topic=parked.topic, size=len(parked.value), parked_at=NOW, replayed=replayed, **said)


def test_a_webhook_is_translated_again_and_written_as_the_fact_it_should_have_been(put_back, broker):
    body = dumped(an_event("invoice.payment_failed", an_invoice()))
    put_back(parked("gateway", "raw", body, b"acct_1"))
    (_, key, value, _), (_, _, told, _) = broker.on("facts")
    fact = decode_fact(value)
    assert isinstance(fact, PaymentFailed)
    assert (fact.id, fact.received_at) == ("acct_1:evt_1", NOW)
    assert key == f"acct_1/{fact.customer}".encode()
    said = decode_fact(told)
    assert (said.message, said.who, said.why, said.account, said.trace) == ("gateway-1-15", "ada", "mended", "acct_1", "acct_1:evt_1")


def test_the_note_names_the_place_and_says_who_and_why(put_back, broker):
    put_back(parked("streams", "facts", FACT))
    [(_, key, note, partition)] = broker.on("parked.notes")
    assert (key, partition) == (b"streams-1-15", 1)
    assert decode_note(note) == DeadLetterReplayed(stage="streams", partition=1, offset=15, who="ada", why="mended", at=NOW)


def test_without_the_brokers_word_there_is_no_note(put_back, broker):
    broker.down = True
    with pytest.raises(NotDelivered):
        put_back(parked("streams", "facts", FACT))
    assert {topic for topic, *_ in broker.waiting} == {"facts"}


def test_a_fact_goes_back_with_the_same_bytes_to_the_same_partition(put_back, broker):
    put_back(parked("streams", "facts", FACT))
    assert broker.on("facts")[0] == ("facts", b"acct_1/cus_1", FACT, 1)


def test_a_row_whose_timer_failed_is_only_asked_again_what_is_due(put_back, broker):
    put_back(parked("streams", "dunlin-cases-changelog", b"{}"))
    [(_, key, value, partition)] = broker.on("facts")
    fact = decode_fact(value)
    assert (key, partition, fact.customer, fact.__struct_config__.tag) == (b"acct_1/cus_1", 1, "cus_1", "parked_replayed")


@pytest.mark.parametrize("topic", ["recovery.events", "effects.messages"])
def test_what_a_sink_parked_goes_to_the_sinks_whole(put_back, broker, topic):
    there = parked("sinks", topic, b"{}")
    put_back(there)
    [(_, key, value, partition)] = broker.on("redrive.sinks")
    assert (decode_parked(value), key, partition) == (there, b"acct_1/cus_1", 1)


SWITCH = PauseSet(id="s", account="acct_1", occurred_at=NOW, received_at=NOW, paused=False, who="jo")
RESUMED = ResumeRequested(id="r", account="acct_1", customer="cus_1", occurred_at=NOW, received_at=NOW, who="jo")
ALLOWED = ContactAllowed(id="a", account="acct_1", customer="cus_1", occurred_at=NOW, received_at=NOW, who="jo")


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (parked("gateway", "raw", dumped(an_event("charge.refunded", {"id": "ch_1"})), b"acct_1"), "still cannot be translated"),
        (parked("gateway", "raw", dumped(an_event("account.application.deauthorized", {"id": "ca_1"})), b"acct_1"), "dunlin pause acct_1"),
        (parked("gateway", "raw", b"{}", b"acct_gone"), "acct_gone is not in the tenants file"),
        (parked("streams", "facts", b"{"), "cannot read it either"),
        (parked("streams", "facts", encode(SWITCH)), "Set it anew"),
        (parked("streams", "facts", encode(RESUMED)), "jo requested it then"),
        (parked("streams", "facts", encode(ALLOWED)), "jo requested it then"),
        (parked("sinks", "effects.stripe", b"{}", headers={"decided_anew": "charge_requested"}), "command retry"),
    ],
)
def test_what_must_not_come_back_is_refused_in_words_and_nothing_is_written(put_back, broker, message, words):
    with pytest.raises(ReplayRefused, match=words):
        put_back(message)
    assert broker.sent == broker.waiting == []


def test_a_dry_look_writes_nothing(put_back, broker):
    assert [out.topic for out in put_back(parked("streams", "facts", FACT), dry=True)] == ["facts"]
    assert broker.sent == broker.waiting == []


def test_a_message_that_names_no_account_is_told_under_a_name_that_the_warehouse_takes(put_back, broker):
    put_back(parked("streams", "facts", FACT, b""))
    assert decode_fact(broker.on("facts")[1][2]).account == "~unknown"


@pytest.fixture
def run(broker):
    """A run over these messages; what it said, and whether none was refused."""

    def all_of(found, **options):
        said = []
        replay = Replay(Accounts(), lambda place: (found[place], NOW), broker)
        fine = ReplayRun(replay, ASKED, **{"repeat": False, "dry": False, **options}, report=said.append).all(
            [msgspec.structs.replace(held_of(each, options_of(place)), place=place) for place, each in found.items()]
        )
        return fine, said

    def options_of(place):
        return DeadLetterReplayed(stage=place.stage, partition=1, offset=place.offset, who="bea", at=NOW) if place.offset == 2 else None

    return all_of


FOUND = {
    MessagePosition("streams", 1, 1): parked("streams", "facts", FACT),
    MessagePosition("streams", 1, 2): parked("streams", "facts", FACT),
}


def test_what_was_put_back_before_is_passed_by_unless_it_is_wanted_again(run, broker):
    fine, said = run(FOUND)
    assert fine
    assert said[-1] == "1 of 2 replayed; 1 was replayed before (--again repeats it)"
    assert said[1] == "streams-1-2: replayed before, 2026-11-24 12:00 UTC by bea"
    assert len(broker.on("parked.notes")) == 1
    assert run(FOUND, repeat=True)[1][-1] == "2 of 2 replayed"


def test_one_that_is_refused_does_not_hold_up_the_others(run):
    found = {MessagePosition("streams", 1, 0): parked("streams", "facts", b"{"), **FOUND}
    fine, said = run(found)
    assert not fine
    assert said[-1].startswith("1 of 3 replayed")
    assert said[-1].endswith("1 cannot be")


def test_a_dry_run_counts_and_writes_nothing(run, broker):
    assert run(FOUND, dry=True)[1][-1].startswith("1 of 2 would be replayed")
    assert broker.sent == []


def held(**changes):
    return msgspec.structs.replace(held_of(parked("streams", "facts", FACT)), **changes)


@pytest.mark.parametrize(
    ("wanted", "means"),
    [
        (DeadLetterFilter(), True),
        (DeadLetterFilter(names=("streams-1-15",)), True),
        (DeadLetterFilter(names=("streams-1-16",)), False),
        (DeadLetterFilter(topic="streams"), True),
        (DeadLetterFilter(topic="parked.streams"), True),
        (DeadLetterFilter(topic="facts"), True),
        (DeadLetterFilter(topic="sinks"), False),
        (DeadLetterFilter(reason="UNREADABLE"), True),
        (DeadLetterFilter(reason="another"), False),
        (DeadLetterFilter(since=NOW), True),
        (DeadLetterFilter(until=NOW), False),
    ],
)
def test_messages_are_chosen_by_name_topic_reason_and_time(wanted, means):
    assert wanted.means(held()) is means


def test_a_name_is_a_place_and_nothing_else():
    assert MessagePosition.named("streams-2-15") == MessagePosition("streams", 2, 15)
    assert str(MessagePosition("streams", 2, 15)) == "streams-2-15"
    for wrong in ("", "streams", "streams-2", "streams-2-x", "kitchen-1-1", "streams--1-2"):
        with pytest.raises(ValueError, match="names no parked message"):
            MessagePosition.named(wrong)


def test_a_dead_letter_without_its_bytes_is_refused_and_says_where_they_are(put_back, broker):
    letter = parked("streams", "facts", b"", left_out=1_900_000, sha256="ab" * 32)
    with pytest.raises(ReplayRefused, match="offset 7.*" + "ab" * 32):
        put_back(letter)
    assert broker.sent == []


def test_an_outcome_that_was_too_large_goes_to_the_streams_and_not_to_a_sink(put_back, broker):
    letter = msgspec.structs.replace(parked("sinks", "facts", FACT), partition=-1, offset=-1)
    put_back(letter)
    assert (b"acct_1/cus_1", FACT, -1) in [(key, value, partition) for _, key, value, partition in broker.on("facts")]
    assert broker.on("redrive.sinks") == []
