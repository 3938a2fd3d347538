"""Webhooks through real programs: the effects sink on Kafka, the receiver that the documentation ships, and the command line."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from control.webhook_secrets import create, secret_of
from recovery import ids
from recovery.contracts.effects import WebhookRequested
from recovery.contracts.events import Event
from sinks.effects.webhooks.payload import webhook_id
from tests.support.effects_harness import REPOSITORY, World
from tests.support.waiting import until

pytestmark = pytest.mark.real


class Example:
    """The example receiver as a process; `lines` is what it says it handled."""

    def __init__(self, process: subprocess.Popen[str], port: int, said: str) -> None:
        self.process, self.port, self.said = process, port, said

    @property
    def lines(self) -> list[str]:
        with open(self.said) as file:
            return file.read().splitlines()[1:]


@pytest.fixture
def example(world: World) -> Iterator[Example]:
    secret = secret_of(b"s" * 32)
    (world.home / "crm.secrets").unlink(missing_ok=True)
    create(world.home / "crm.secrets", secret)
    said = str(world.home / "receiver.out")
    environment = {**os.environ, "WEBHOOK_SECRET": secret, "SEEN_FILE": str(world.home / "seen.sqlite")}
    with open(said, "w") as output:
        process = subprocess.Popen(
            [sys.executable, str(REPOSITORY / "docs" / "examples" / "receiver.py"), "0"], stdout=output, text=True, env=environment
        )
    until(lambda: os.path.getsize(said) > 0 or process.poll() is not None, 20, "the receiver")
    with open(said) as file:
        port = json.loads(file.readline())["listening"]
    tenants = world.home / "tenants.toml"
    before = tenants.read_text()
    url = f"http://127.0.0.1:{port}/api/webhooks/recovery-event"
    tenants.write_text(f'{before}\n[tenant.endpoints.crm]\nurl = "{url}"\nsecrets_file = "crm.secrets"\n')
    yield Example(process, port, said)
    tenants.write_text(before)
    process.kill()
    process.wait()


def webhook(world: World, number: int) -> WebhookRequested:
    now = world.now()
    event = Event(
        id=f"0-{number}-0",
        event_type="payment_recovered",
        account=world.account,
        customer=f"cus_{number}",
        invoice=f"in_{number}",
        occurred_at=now,
        received_at=datetime.now(UTC),
        recovered_minor=4900,
        currency="eur",
        recovered_by="our_retry",
    )
    return WebhookRequested(
        id=ids.effect_id(world.account, f"in_{number}", "webhook-crm", number),
        account=world.account,
        customer=f"cus_{number}",
        invoice=f"in_{number}",
        cause="test",
        occurred_at=now,
        received_at=datetime.now(UTC),
        not_after=now + timedelta(days=3),
        only_if="always",
        endpoint="crm",
        event=event,
    )


def dunlin(world: World, *words: str) -> subprocess.CompletedProcess[str]:
    settings = {
        "DUNLIN_HOME": str(world.home / "dunlin"),
        "DUNLIN_TENANTS_FILE": str(world.home / "tenants.toml"),
        "DUNLIN_WEBHOOK_ALLOW_PRIVATE_ADDRESSES": "yes",
    }
    command = [sys.executable, "-m", "dunlin", "webhooks", *words]
    return subprocess.run(command, cwd=REPOSITORY, env={**os.environ, **settings}, capture_output=True, text=True, timeout=60, check=False)


def test_an_event_reaches_the_example_receiver_once_and_again_under_its_id_by_hand(world: World, example: Example) -> None:
    """F25, B92."""
    world.start_sink(DUNLIN_WEBHOOK_ALLOW_PRIVATE_ADDRESSES="yes")
    asked = [webhook(world, number) for number in (1, 2, 3)]
    world.emit(*asked, *asked)
    told = world.outcomes({one.id for one in asked})
    assert {(fact.result, fact.tries, fact.status) for facts in told.values() for fact in facts} == {("delivered", 1, 204)}
    until(lambda: len(example.lines) >= 3, 10, "three events to be handled")
    assert sorted(example.lines) == [f"payment_recovered in_{number} 4900 eur our_retry" for number in (1, 2, 3)]

    message = webhook_id(asked[0].id)
    replayed = dunlin(world, "replay", message)
    assert replayed.returncode == 0, replayed.stderr
    log = json.loads(dunlin(world, "log", world.account, "--json").stdout)
    assert [one["sent_by"] for one in log if one["message"] == message] == ["replay", "dispatcher"]
    shown = json.loads(dunlin(world, "show", message).stdout)
    assert (shown["body"]["invoice"], len(shown["tries"])) == ("in_1", 2)

    rotated = dunlin(world, "rotate", world.account, "crm")
    assert "whsec_" in rotated.stdout, rotated.stderr
    tested = dunlin(world, "test", world.account, "crm")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert dunlin(world, "rotate", world.account, "crm", "--finish").returncode == 0
    assert dunlin(world, "test", world.account, "crm").returncode == 1, "the receiver still has the old secret"
    listed = dunlin(world, "list").stdout
    assert "crm" in listed
    assert "well" in listed
    until(lambda: len(example.lines) == 4, 10, "the test event to be handled")
    assert [line for line in example.lines if "in_1 " in line] == ["payment_recovered in_1 4900 eur our_retry"]


def test_without_the_setting_nothing_goes_to_this_machine(world: World, example: Example) -> None:
    world.start_sink()
    effect = webhook(world, 11)
    world.emit(effect)
    until(lambda: "https://" in dunlin(world, "log", world.account, "--failed").stdout, 30, "the refused try")
    assert example.lines == []
