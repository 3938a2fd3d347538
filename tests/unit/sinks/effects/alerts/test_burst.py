"""A burst of alerts through the real dispatcher and ledger: few messages, one outcome each, also when the process ends in between."""

import re
from datetime import timedelta

import pytest

from recovery.contracts.encoding.codec import decode_fact, encode
from recovery.contracts.topics import FACTS
from sinks.effects.alerts.alerts import BURST, WINDOW, Alerts
from sinks.effects.alerts.digests import Digests
from sinks.effects.alerts.slack import SlackChannel
from sinks.effects.engine.dispatcher import GIVE_UP_AFTER, Dispatcher
from sinks.effects.engine.ledger import Arrival, Ledger
from sinks.effects.engine.worker_pools import WORK, kind_of_work
from sinks.effects.performer import Clocks
from tests.support.alerts import AT, alert
from tests.support.services.fake_servers import CUT_AFTER_TAKING, FakeSlack, listening
from tests.support.waiting import until

NUMBER = 24
LANE = 8
"""Alerts that may be under way at once, beyond which the burst is noticed."""


class Merchants:
    def __init__(self, address):
        self.address, self.broken = address, 0

    def slack_webhook(self, account):
        return self.address

    def livemode(self, account):
        if self.broken:
            self.broken -= 1
            raise ValueError("the accounts cannot be read")
        return True


class Process:
    """The effects sink as far as alerts go, on clocks that a test moves."""

    def __init__(self, path, address, door):
        self.ledger = Ledger(f"sqlite:///{path}/ledger.sqlite")
        self.at = AT
        clocks = Clocks(lambda: self.at, lambda: self.at)
        self.merchants = Merchants(address)
        channel = SlackChannel(self.merchants, "", other_addresses=True)
        performers = dict.fromkeys(WORK, Alerts(channel, Digests(self.ledger), clocks))
        self.dispatcher = Dispatcher(self.ledger, performers, door, clocks, lambda account: False)

    def take(self, effects):
        arrivals = [arrival(effect, number) for number, effect in enumerate(effects)]
        self.ledger.receive(arrivals, [], [], 0.0)
        self.dispatcher.add(arrivals)

    def rest(self):
        """Work until nothing is due."""
        started = 1
        while started:
            started = self.dispatcher.start()
            until(lambda: self.dispatcher.collect() >= 0 and self.dispatcher.in_work == 0, 10, "the workers")

    def outcomes(self):
        facts = (decode_fact(message.value) for message in self.ledger.to_publish() if message.topic == FACTS.name)
        return {fact.effect: (fact.result, fact.message) for fact in facts}

    def end(self):
        self.dispatcher.close()
        self.ledger.close()


def arrival(effect, number):
    return Arrival(
        id=effect.id,
        account=effect.account,
        customer=effect.customer,
        invoice=effect.invoice,
        kind=kind_of_work(effect),
        body=encode(effect),
        place=f"effects.webhooks-0-{number}",
        received_at=float(number),
        not_after=effect.not_after.timestamp(),
    )


@pytest.fixture
def slack():
    with listening(FakeSlack) as server:
        yield server


@pytest.fixture
def burst():
    return [alert(number, "slack") for number in range(NUMBER)]


def invoices_in(messages):
    return [name for message in messages for name in re.findall(r"invoices/(in_\d+)", str(message))]


def test_each_of_many_alerts_is_told_once_in_few_messages(tmp_path, slack, door, burst):
    process = Process(tmp_path, slack.address, door)
    process.take(burst)
    process.rest()
    assert BURST <= len(slack.messages) <= BURST + LANE
    process.at += WINDOW + timedelta(seconds=1)
    process.rest()
    process.at += timedelta(seconds=2)  # those that asked while another one carried the digest
    process.rest()
    outcomes = process.outcomes()
    assert len(outcomes) == NUMBER
    assert {result for result, _ in outcomes.values()} == {"sent"}
    assert set(slack.by_effect()) == {message for _, message in outcomes.values()}
    assert max(slack.by_effect().values()) == 1
    assert len(slack.messages) <= BURST + LANE + 1
    told = invoices_in(slack.messages)
    assert len(told) == len(set(told)), "no alert is told twice"
    process.end()


def test_a_digest_whose_answer_was_lost_is_unknown_for_all_its_alerts_and_not_repeated(tmp_path, slack, door, burst):
    """Decision 18, for Slack."""
    process = Process(tmp_path, slack.address, door)
    process.take(burst)
    process.rest()
    alone = len(slack.messages)
    slack.next.append(CUT_AFTER_TAKING)
    for step in (WINDOW + timedelta(seconds=1), timedelta(seconds=2)):
        process.at += step
        process.rest()
    results = [result for result, _ in process.outcomes().values()]
    assert (results.count("sent"), results.count("unknown")) == (alone, NUMBER - alone)
    assert len(slack.messages) == alone + 1
    process.end()


def test_a_digest_whose_carrier_is_given_up_is_carried_by_another_alert(tmp_path, slack, door, burst):
    process = Process(tmp_path, slack.address, door)
    process.take(burst)
    process.rest()
    process.merchants.broken = GIVE_UP_AFTER
    for _ in range(GIVE_UP_AFTER + 2):
        process.at += WINDOW + timedelta(seconds=1)
        process.rest()
    results = [result for result, _ in process.outcomes().values()]
    assert (len(results), results.count("failed"), results.count("sent")) == (NUMBER, 1, NUMBER - 1)
    process.end()


def test_a_burst_outlives_the_process(tmp_path, slack, door, burst):
    first = Process(tmp_path, slack.address, door)
    first.take(burst)
    first.rest()
    alone = len(slack.messages)
    first.end()
    second = Process(tmp_path, slack.address, door)
    second.ledger.mark_claimed_in_doubt()
    second.dispatcher.restore(second.ledger.unfinished())
    second.at += WINDOW + timedelta(minutes=1)
    second.rest()
    second.at += timedelta(seconds=2)
    second.rest()
    assert {result for result, _ in second.outcomes().values()} == {"sent"}
    assert len(second.outcomes()) == NUMBER
    assert len(slack.messages) == alone + 1
    second.end()
