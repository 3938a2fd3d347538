"""kill -9 of the broker while effects are performed: the sink goes on by itself, nothing is lost, nothing is charged twice."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from dunlin.stack.ports import HOST, free_ports, is_open
from recovery.adapters.kafka import create_topics
from tests.support.waiting import until

pytestmark = [pytest.mark.real, pytest.mark.crash]
REPOSITORY = Path(__file__).resolve().parents[4]


class Broker:
    """A broker of this test alone."""

    def __init__(self, root: Path) -> None:
        self.root, (self.port, self.controller) = root, free_ports(2)

    def start(self) -> None:
        ports = ["--port", str(self.port), "--controller-port", str(self.controller)]
        with (self.root / "output.log").open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dunlin.kafka_server", "--root", str(self.root / "server"), *ports],
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        until(lambda: is_open(self.port), 90, "the broker to listen")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def broker(tmp_path, kafka):  # the session's broker first: it makes the jars ready
    broker = Broker(tmp_path)
    broker.start()
    yield broker
    broker.kill()


def test_a_killed_broker_costs_time_and_nothing_else(world, broker):
    here = dataclasses.replace(world, kafka=f"{HOST}:{broker.port}")
    create_topics(here.kafka, "dunlin", 4, 1)
    bills = here.take(20)
    charges = [here.charge(bill) for bill in bills[:15]]
    here.order(pay="delay", seconds=0.2, count=15)
    process = here.start_sink()
    here.emit(*charges)
    until(lambda: len(here.truth()["attempts"]) and any(here.charges_of(bill) for bill in bills), 30, "the first charge")
    broker.kill()
    until(lambda: all(here.charges_of(bill) for bill in bills[:1]), 30, "work to go on without the broker")
    broker.start()
    mails = [here.mail(bill) for bill in bills[15:]]
    here.emit(*mails)
    told = here.outcomes({effect.id for effect in (*charges, *mails)}, 90)
    assert [len(here.charges_of(bill)) for bill in bills[:15]] == [1] * 15
    assert {told[mail.id][0].result for mail in mails} == {"sent"}
    assert process.poll() is None, here.log()
