"""What came from the log, sorted."""

import confluent_kafka as kafka

from recovery.contracts.dead_letters import DeadLetter
from recovery.contracts.effects import EffectWithdrawn
from recovery.contracts.encoding.codec import decode_parked, encode
from sinks.effects.engine.ledger import Ledger
from sinks.effects.engine.receiver import EffectReceiver, sort
from sinks.effects.engine.redrive import Delivered


def delivered(value, offset=7):
    return Delivered(topic="effects.stripe", partition=1, offset=offset, key=b"acct_1/cus_1", value=value, headers={"h": "1"})


def test_effects_withdrawals_and_unreadable_messages_are_told_apart(charge, now):
    head = {name: getattr(charge, name) for name in ("account", "customer", "invoice", "occurred_at", "received_at", "not_after")}
    withdrawal = EffectWithdrawn(id="w", effect="e9", because="paid", **head)
    batch = sort([delivered(encode(charge)), delivered(encode(withdrawal)), delivered(b"{"), delivered(None, 8)], lambda: now)
    (arrival,) = batch.arrivals
    assert (arrival.id, arrival.kind, arrival.place, arrival.body) == (charge.id, "charge_requested", "effects.stripe-1-7", encode(charge))
    assert batch.withdrawals == [("e9", "paid")]
    first, second = [decode_parked(message.value) for message in batch.parked]
    assert (first.value, first.offset, first.key, first.headers, first.replay_topic) == (
        b"{",
        7,
        b"acct_1/cus_1",
        {"h": "1"},
        "redrive.sinks",
    )
    assert (second.value, second.why) == (b"", "The message has no body.")


def test_an_effect_of_another_version_is_parked(charge, now):
    batch = sort([delivered(encode(charge).replace(b'"version":1', b'"version":9'))], lambda: now)
    assert batch.arrivals == []
    assert "Version 9" in decode_parked(batch.parked[0].value).why


def put_back(parked, offset=3):
    return Delivered(topic="redrive.sinks", partition=1, offset=offset, key=parked.key, value=encode(parked))


def parked(now, value, topic="effects.stripe", headers=None):
    place = {"stage": "sinks", "topic": topic, "partition": 1, "offset": 7, "key": b"acct_1/cus_1"}
    return DeadLetter(**place, value=value, headers=headers or {}, why="once unreadable", at=now, replay_topic="redrive.sinks")


def test_an_effect_that_could_not_be_read_and_is_put_back_comes_as_it_first_came(charge, now):
    batch = sort([put_back(parked(now, encode(charge)))], lambda: now)
    assert [(one.id, one.place, one.body) for one in batch.arrivals] == [(charge.id, "effects.stripe-1-7", encode(charge))]
    assert batch.given_up == []


def test_one_that_still_cannot_be_read_is_parked_again_under_a_place_of_its_own(now):
    once, twice = sort([put_back(parked(now, b"{"), 3), put_back(parked(now, b"{"), 4)], lambda: now).parked
    assert once.id != twice.id
    assert decode_parked(once.value).value == b"{"
    assert decode_parked(once.value).topic == "effects.stripe"


def test_what_another_sink_parked_and_what_is_no_parked_message_is_passed_by(charge, now):
    foreign = put_back(parked(now, b"{}", topic="recovery.events"))
    nothing = Delivered(topic="redrive.sinks", partition=1, offset=4, key=b"", value=b"{")
    assert sort([foreign, nothing], lambda: now) == sort([], lambda: now)


def test_a_given_up_mail_is_to_be_performed_after_all_and_a_given_up_charge_never(charge, mail, now):
    said = {"effect": mail.id, "result": "unknown", "reopened": "2"}
    batch = sort([put_back(parked(now, encode(mail), headers=said))], lambda: now)
    assert [(one.id, one.in_doubt, one.reopened) for one in batch.given_up] == [(mail.id, True, 2)]
    of_a_charge = {"effect": charge.id, "result": "failed", "reopened": "0", "decided_anew": "charge_requested"}
    assert sort([put_back(parked(now, encode(charge), headers=of_a_charge))], lambda: now).given_up == []


class Record:
    """A record of the log, or the end of a partition."""

    def __init__(self, topic, partition, offset=0, value=None):
        self._place, self._offset, self._value = (topic, partition), offset, value

    def topic(self):
        return self._place[0]

    def partition(self):
        return self._place[1]

    def offset(self):
        return self._offset

    def key(self):
        return b"acct_1/cus_1"

    def value(self):
        return self._value

    def headers(self):
        return None

    def error(self):
        return None if self._value is not None else kafka.KafkaError(kafka.KafkaError._PARTITION_EOF)


class Log:
    """A consumer of two partitions."""

    def __init__(self):
        self.batches, self.rest, self.assigned = [], [], []

    def subscribe(self, topics):
        pass

    def assignment(self):
        return [kafka.TopicPartition(*place) for place in self.assigned]

    def consume(self, number, _seconds):
        """The first of a batch, then the rest of it, as the inbox asks."""
        if number == 1:
            self.rest = self.batches.pop(0) if self.batches else []
            return [self.rest.pop(0)] if self.rest else []
        return self.rest

    def commit(self, offsets, asynchronous):
        pass


def test_the_inbox_is_current_once_every_partition_was_read_to_its_end(tmp_path, charge, now):
    """Before, the withdrawal of an effect that waits in the ledger may stand on the log unread."""
    ledger, log = Ledger(f"sqlite:///{tmp_path / 'l.sqlite'}"), Log()
    inbox = EffectReceiver(log, ledger, lambda: now)
    inbox.poll(0.0)
    assert not inbox.current, "without partitions nothing is known"
    log.assigned = [("effects.stripe", 0), ("effects.messages", 0)]
    log.batches = [[Record("effects.messages", 0)], [Record("effects.stripe", 0, 3, encode(charge))], [Record("effects.stripe", 0, 4)]]
    inbox.poll(0.0)
    inbox.poll(0.0)
    assert not inbox.current
    inbox.poll(0.0)
    assert inbox.current
    assert [row.id for row in ledger.unfinished()] == [charge.id]
    ledger.close()


def test_what_is_held_for_long_is_said_with_what_is_not_read_yet(tmp_path, now, caplog):
    ledger, log, seconds = Ledger(f"sqlite:///{tmp_path / 'l.sqlite'}"), Log(), [0.0]
    inbox = EffectReceiver(log, ledger, lambda: now, monotonic=lambda: seconds[0])
    log.assigned = [("effects.stripe", 0), ("effects.messages", 0)]
    log.batches = [[Record("effects.messages", 0)]]
    inbox.poll(0.0)
    assert not caplog.messages
    seconds[0] = 61.0
    inbox.poll(0.0)
    inbox.poll(0.0)
    assert [message.rpartition(": ")[2] for message in caplog.messages] == ["effects.stripe/0"]
    ledger.close()
