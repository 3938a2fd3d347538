"""Kill switches: what they stop is held until they have been read, and while they cannot be read."""

from datetime import UTC, datetime

import confluent_kafka as kafka
import pytest

from recovery.contracts.encoding.codec import encode
from recovery.contracts.facts import PauseSet, TimePassed
from sinks.effects.engine.kill_switches import TRUSTED_SECONDS, Switches
from sinks.effects.engine.ledger import Ledger

AT = datetime(2026, 5, 4, tzinfo=UTC)


class Message:
    """A record of the log, or the news that there is none left."""

    def __init__(self, offset, value=None, error=None):
        self._offset, self._value, self._error = offset, value, error

    def offset(self):
        return self._offset

    def value(self):
        return self._value

    def error(self):
        return self._error


class Log:
    """A partition of `facts` that tests write to, with a broker that can be away and markers at its end that no consumer is given."""

    def __init__(self):
        self.values, self.markers, self.reachable, self.position = [], 0, True, 0

    def assign(self, partitions):
        (partition,) = partitions
        self.position = max(partition.offset, 0)

    def get_watermark_offsets(self, _partition, timeout):
        assert timeout <= 5, "the loop stands still meanwhile"
        if not self.reachable:
            raise kafka.KafkaException(kafka.KafkaError(kafka.KafkaError._TRANSPORT))
        return 0, len(self.values) + self.markers

    def consume(self, number, _seconds):
        if not self.reachable:
            return []
        found = [Message(offset, value) for offset, value in enumerate(self.values)][self.position : self.position + number]
        self.position += len(found)
        if self.position == len(self.values):
            end = kafka.KafkaError(kafka.KafkaError._PARTITION_EOF)
            found.append(Message(len(self.values) + self.markers, error=end))
        return found

    def close(self):
        pass

    def tell(self, account, paused):
        fact = PauseSet(id=f"s{len(self.values)}", account=account, occurred_at=AT, received_at=AT, paused=paused, who="op", why="test")
        self.values.append(encode(fact))

    def let_time_pass(self, number):
        self.values += [encode(TimePassed(id=f"t{n}", account="*", occurred_at=AT, received_at=AT)) for n in range(number)]


class Seconds:
    """A monotonic clock that a test moves."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def log():
    return Log()


@pytest.fixture
def seconds():
    return Seconds()


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    yield ledger
    ledger.close()


@pytest.fixture
def start(log, ledger, seconds):
    return lambda: Switches(log, ledger, seconds)


def test_a_pause_given_while_no_process_was_here_is_known_when_the_sink_starts(log, start):
    log.let_time_pass(3)
    log.tell("acct_1", paused=True)
    log.markers = 2
    switches = start()
    switches.catch_up()
    assert (switches.paused("acct_1"), switches.paused("acct_2")) == (True, False)


def test_without_a_broker_nothing_is_known_and_the_start_does_not_wait_for_it(log, start):
    log.tell("acct_1", paused=True)
    log.reachable = False
    switches = start()
    switches.catch_up()
    assert switches.paused("acct_1") is None


def test_what_was_known_before_a_restart_permits_nothing_until_the_rest_is_read(log, start, ledger, seconds):
    log.let_time_pass(1)
    before = start()
    before.catch_up()
    before.close()
    log.tell("*", paused=True)
    log.reachable = False
    switches = start()
    switches.catch_up()
    assert switches.paused("acct_1") is None
    log.reachable = True
    seconds.now += 10
    switches.poll()
    switches.poll()
    assert switches.paused("acct_1") is True


def test_a_broker_that_goes_away_takes_the_permission_with_it_and_brings_it_back(log, start, seconds):
    switches = start()
    switches.catch_up()
    log.reachable = False
    seconds.now += TRUSTED_SECONDS
    switches.poll()
    assert switches.paused("acct_1") is False
    seconds.now += 1
    assert switches.paused("acct_1") is None
    log.reachable = True
    seconds.now += 10
    switches.poll()
    assert switches.paused("acct_1") is False


def test_facts_that_are_written_all_the_time_do_not_make_the_switches_unknown(log, start, seconds):
    switches = start()
    switches.catch_up()
    for _ in range(60):
        log.let_time_pass(3)
        seconds.now += 1
        switches.poll()
        assert switches.paused("acct_1") is False


def test_a_long_rest_is_read_before_anything_is_permitted(log, start, seconds):
    log.let_time_pass(4500)
    log.tell("acct_1", paused=True)
    switches = start()
    switches.poll()
    assert switches.paused("acct_1") is None
    switches.poll()
    switches.poll()
    switches.poll()
    assert switches.paused("acct_1") is True


def test_a_log_that_was_made_anew_is_read_from_its_beginning(log, start, seconds):
    log.let_time_pass(9)
    before = start()
    before.catch_up()
    before.close()
    log.values.clear()
    log.tell("acct_1", paused=True)
    switches = start()
    switches.catch_up()
    assert switches.paused("acct_1") is True
