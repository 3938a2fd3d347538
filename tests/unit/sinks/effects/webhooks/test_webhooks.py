"""Deliveries to endpoints through the dispatcher and a ledger: taken, tried again, given up, and endpoints that are spared or disabled."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dunlin.stack.ports import free_ports
from recovery.contracts.effects import WebhookRequested
from recovery.contracts.encoding.codec import decode_fact, encode
from recovery.contracts.events import Event
from sinks.effects.engine.dispatcher import Dispatcher
from sinks.effects.engine.ledger import Arrival, Ledger
from sinks.effects.engine.worker_pools import kind_of_work
from sinks.effects.performer import Clocks
from sinks.effects.webhooks import retry_schedule
from sinks.effects.webhooks.admin import DeliveryAdmin
from sinks.effects.webhooks.circuit import half_open
from sinks.effects.webhooks.delivery_log import DeliveryLog, Health
from sinks.effects.webhooks.endpoints import Where
from sinks.effects.webhooks.performer import Webhooks
from sinks.effects.webhooks.sender import DeliveryAttempt, Sender
from sinks.effects.webhooks.ssrf_guard import AddressPolicy
from tests.support.services.webhook_receiver import Receiver, drip, flood, hang, hang_up, slow, status
from tests.support.waiting import until


class Days:
    """A clock that a test moves; business and wall time alike."""

    def __init__(self) -> None:
        self.passed = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.passed

    def go(self, **by: float) -> None:
        self.passed += timedelta(**by)


class Directory:
    """The endpoints of one account."""

    def __init__(self, receiver: Receiver) -> None:
        self.url, self.secrets, self.there = receiver.url, (receiver.secret,), True

    def find(self, account: str, name: str) -> Where | None:
        return Where(self.url, self.secrets, True) if self.there else None


class World:
    """A dispatcher with an endpoint; `again` starts a fresh process on the same ledger."""

    def __init__(self, url: str, receiver: Receiver, door: Any) -> None:
        self.url, self.door, self.receiver, self.days = url, door, receiver, Days()
        self.directory = Directory(receiver)
        self.sender = Sender(AddressPolicy(private=True), self.days, total=0.5)
        self.number = 0
        self.again()

    def again(self) -> None:
        self.ledger = Ledger(self.url)
        self.journal = DeliveryLog(self.ledger.engine, self.ledger.writing)
        clocks = Clocks(self.days, self.days)
        performer = Webhooks(self.directory, self.sender, self.journal, clocks)  # type: ignore[arg-type]  # a fake of the same shape
        self.dispatcher = Dispatcher(self.ledger, {"webhook_requested": performer}, self.door, clocks, lambda account: False)
        self.ledger.mark_claimed_in_doubt()
        self.dispatcher.restore(self.ledger.unfinished())

    def ask(self, count: int = 1, endpoint: str = "crm") -> list[WebhookRequested]:
        asked = []
        for _ in range(count):
            self.number += 1
            number, now = self.number, self.days()
            event = Event(
                id=f"0-{number}-0",
                event_type="payment_recovered",
                account="acct_1",
                customer=f"cus_{number}",
                invoice=f"in_{number}",
                occurred_at=now,
                received_at=now,
                amount_minor=4900,
                recovered_minor=4900,
                currency="eur",
                recovered_by="our_retry",
            )
            asked.append(
                WebhookRequested(
                    id=f"acct_1.in_{number}.webhook-{endpoint}.1",
                    account="acct_1",
                    customer=f"cus_{number}",
                    invoice=f"in_{number}",
                    occurred_at=now,
                    received_at=now,
                    not_after=now + timedelta(days=3),
                    only_if="always",
                    endpoint=endpoint,
                    event=event,
                )
            )
        arrivals = [
            Arrival(
                id=one.id,
                account=one.account,
                customer=one.customer,
                invoice=one.invoice,
                kind=kind_of_work(one),
                body=encode(one),
                place="effects.webhooks-0-1",
                received_at=self.days().timestamp(),
                not_after=one.not_after.timestamp(),
            )
            for one in asked
        ]
        self.ledger.receive(arrivals, [], [], self.days().timestamp())
        self.dispatcher.add(arrivals)
        return asked

    def turn(self) -> int:
        """Start what is due and write its answers down, until nothing is due; answers how many were started."""
        count = 0
        while started := self.dispatcher.start():
            count += started
            until(lambda: self.dispatcher.collect() >= 0 and self.dispatcher.in_work == 0, 20, "the workers")
        return count

    def facts(self) -> list[Any]:
        return [decode_fact(message.value) for message in self.ledger.to_publish()]

    def close(self) -> None:
        self.dispatcher.close()
        self.ledger.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def world(tmp_path: Path, receiver: Receiver, door: Any) -> Iterator[World]:
    world = World(f"sqlite:///{tmp_path / 'ledger.sqlite'}", receiver, door)
    yield world
    world.close()
    world.sender.close()


def test_an_event_reaches_the_endpoint_signed_and_says_what_happened(world: World, receiver: Receiver) -> None:
    """F25, B92."""
    (effect,) = world.ask()
    world.turn()
    (body,) = receiver.bodies.values()
    assert body.items() >= {"type": "payment_recovered", "id": "0-1-0", "recovered_minor": 4900, "currency": "eur", "test": True}.items()
    assert receiver.forged == []
    (fact,) = world.facts()
    assert (fact.result, fact.tries, fact.status, fact.event, fact.effect) == ("delivered", 1, 204, "0-1-0", effect.id)


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (hang, "no whole answer"),
        (drip, "no whole answer"),
        (hang_up, "broke"),
        (status(500), "500"),
        (status(404), "404"),
        (status(302, location="http://127.0.0.1:1/"), "redirects are not followed"),
    ],
    ids=["hangs", "drips", "hangs up", "500", "404", "redirects"],
)
def test_what_fails_is_tried_again_under_the_same_id(world: World, receiver: Receiver, answer: Callable[..., None], word: str) -> None:
    receiver.answers = [answer]
    (effect,) = world.ask()
    world.turn()
    assert world.turn() == 0
    assert world.facts() == []
    world.days.go(seconds=7)
    world.turn()
    (fact,) = world.facts()
    assert (fact.result, fact.tries) == ("delivered", 2)
    assert list(receiver.seen.values()) == [2]
    assert word in world.journal.of_delivery(effect.id)[0].why


def test_a_redirect_is_not_followed(world: World, receiver: Receiver) -> None:
    receiver.answers = [status(307, location=receiver.url)]
    world.ask()
    world.turn()
    assert sum(receiver.seen.values()) == 1


@pytest.mark.parametrize("answer", [slow(0.2), flood, status(200, b"ok")], ids=["slow", "huge answer", "200"])
def test_what_is_taken_is_taken_however_it_is_said(world: World, receiver: Receiver, answer: Callable[..., None]) -> None:
    receiver.answers = [answer]
    (effect,) = world.ask()
    world.turn()
    assert world.facts()[0].result == "delivered"
    assert len(world.journal.of_delivery(effect.id)[0].answer) <= 300


def test_nobody_listening_is_a_failure_like_others(world: World, receiver: Receiver) -> None:
    world.directory.url = f"http://127.0.0.1:{free_ports(1)[0]}/"
    world.ask()
    world.turn()
    assert world.facts() == []
    assert "no connection" in world.journal.latest("acct_1")[0].why


def test_after_three_days_a_delivery_is_given_up_and_its_endpoint_disabled_and_told_once(world: World, receiver: Receiver) -> None:
    receiver.answer = status(500)
    first, *_ = world.ask(2)
    while not world.facts():
        world.turn()
        world.days.go(minutes=5)
    asked = world.ask(3)
    world.turn()
    told = [fact for fact in world.facts() if type(fact).__name__ == "EndpointDisabled"]
    settled = {fact.effect: fact for fact in world.facts() if type(fact).__name__ == "WebhookSettled"}
    assert [(fact.endpoint, fact.customer) for fact in told] == [("crm", "~endpoint-crm")]
    assert "three days" in told[0].why
    assert (settled[first.id].result, settled[first.id].status) == ("failed", 500)
    assert 9 <= settled[first.id].tries <= 13
    assert {(settled[one.id].result, settled[one.id].why, settled[one.id].tries) for one in asked} == {("skipped", "endpoint_disabled", 0)}


def test_gone_disables_at_once_and_another_secret_or_a_hand_enables(world: World, receiver: Receiver) -> None:
    receiver.answers = [status(410)]
    world.ask()
    world.turn()
    assert {type(fact).__name__ for fact in world.facts()} == {"WebhookSettled", "EndpointDisabled"}
    world.again()
    world.ask()
    world.turn()
    assert sum(receiver.seen.values()) == 1
    world.journal.keep_health("acct_1", "crm", half_open(world.journal.health("acct_1", "crm")))
    world.ask()
    world.turn()
    assert sum(receiver.seen.values()) == 2
    receiver.answers = [status(410)]
    world.ask()
    world.turn()
    world.directory.secrets = (receiver.secret, "whsec_" + "bmV3LW5ldy1uZXctbmV3LW5ldw==")
    world.ask()
    world.turn()
    assert [fact.result for fact in world.facts() if hasattr(fact, "result")] == ["failed", "skipped", "delivered", "failed", "delivered"]


def test_an_endpoint_that_fails_is_only_probed_and_others_go_on(world: World, receiver: Receiver) -> None:
    receiver.answer = hang
    world.ask(30)
    world.turn()
    assert sum(receiver.seen.values()) <= retry_schedule.OPEN_AFTER + 3  # those that were under way when it became clear
    for _ in range(8):
        before = sum(receiver.seen.values())
        world.days.go(seconds=16)
        world.turn()
        assert sum(receiver.seen.values()) - before <= 1
    receiver.answer = status(200)
    for _ in range(12):
        world.days.go(hours=1)
        world.turn()
    assert [fact.result for fact in world.facts()] == ["delivered"] * 30


def test_a_crash_between_post_and_settling_repeats_the_same_id(world: World, receiver: Receiver) -> None:
    """Product decision 18."""
    (effect,) = world.ask()
    world.dispatcher.start()
    until(lambda: receiver.seen, 5, "the request")
    until(lambda: world.journal.of_delivery(effect.id), 5, "the try")
    world.dispatcher._done.get(timeout=5)  # its answer is lost with the process
    world.again()
    world.turn()
    assert list(receiver.seen.values()) == [2]
    assert [fact.result for fact in world.facts()] == ["delivered"]


def test_an_endpoint_that_is_gone_from_the_file_gets_nothing(world: World, receiver: Receiver) -> None:
    world.directory.there = False
    world.ask()
    world.turn()
    assert [(fact.result, fact.why) for fact in world.facts()] == [("skipped", "no_endpoint")]
    assert not receiver.seen


def test_what_is_found_too_late_says_how_often_it_was_tried(world: World, receiver: Receiver) -> None:
    receiver.answer = status(503)
    world.ask()
    world.turn()
    world.days.go(days=4)
    world.turn()
    assert [(fact.result, fact.why, fact.tries) for fact in world.facts()] == [("failed", "expired", 1)]


def test_retry_after_is_obeyed(world: World, receiver: Receiver) -> None:
    receiver.answers = [status(429, retry_after="3600")]
    world.ask()
    world.turn()
    world.days.go(minutes=59)
    assert world.turn() == 0
    world.days.go(minutes=2)
    world.turn()
    assert world.facts()[0].result == "delivered"


def test_the_log_forgets_after_thirty_days(world: World) -> None:
    world.ask()
    world.turn()
    world.days.go(days=31)
    world.ask()
    world.turn()
    assert [one.effect for one in world.journal.latest("acct_1")] == ["acct_1.in_2.webhook-crm.1"]


def test_what_a_former_process_tried_counts(world: World, receiver: Receiver) -> None:
    receiver.answers = [status(500), status(500)]
    world.ask()
    world.turn()
    world.days.go(seconds=7)
    world.turn()
    world.again()
    world.days.go(minutes=2)
    assert world.turn() == 0
    world.days.go(minutes=5)
    world.turn()
    assert msgspec.structs.asdict(world.facts()[0])["tries"] == 3


@pytest.fixture
def hand(world: World) -> DeliveryAdmin:
    return DeliveryAdmin(world.directory, world.sender, DeliveryLog.beside(world.ledger.engine), world.days)  # type: ignore[arg-type]  # the same fake


def test_a_replay_has_the_same_id_and_body_and_is_written_down(world: World, receiver: Receiver, hand: DeliveryAdmin) -> None:
    """B146."""
    (effect,) = world.ask()
    world.turn()
    first = dict(receiver.bodies)
    receiver.bodies.clear()
    (message,) = receiver.seen
    for reference in (message, effect.id):
        assert hand.replay(reference).delivered
    assert receiver.bodies == first
    assert receiver.seen[message] == 3
    assert [one.sent_by for one in hand.show(message).tries] == ["dispatcher", "replay", "replay"]


def test_a_range_holds_what_was_tried_in_it_and_can_be_narrowed(world: World, receiver: Receiver, hand: DeliveryAdmin) -> None:
    begun = world.days()
    receiver.answers = [status(500)]
    (failed,) = world.ask()
    world.turn()
    world.days.go(seconds=1)
    (taken,) = world.ask()
    (other,) = world.ask(endpoint="books")
    world.turn()
    hand.test("acct_1", "crm")
    end = world.days()
    found = hand.within("acct_1", begun, end)
    assert (found[0], set(found[1:])) == (failed.id, {taken.id, other.id})  # the last two were tried side by side
    assert len(found) == 3
    assert hand.within("acct_1", begun, end, endpoint="books") == [other.id]
    assert hand.within("acct_1", begun, end, failed=True) == [failed.id]
    assert hand.within("acct_1", begun, end, types=("payment_failed",)) == []
    assert hand.within("acct_1", begun - timedelta(days=1), begun) == []
    assert hand.within("acct_2", begun, end) == []


def test_a_range_brings_what_an_endpoint_missed_while_it_was_switched_off(world: World, receiver: Receiver, hand: DeliveryAdmin) -> None:
    """F25: such deliveries were never tried, so the log of tries does not know them."""
    begun = world.days()
    receiver.answers = [status(410)]
    (last,) = world.ask()
    world.turn()
    world.days.go(seconds=1)
    (missed,) = world.ask()
    world.turn()
    world.directory.there = False
    (other,) = world.ask(endpoint="books")
    world.turn()
    world.directory.there = True
    (waiting,) = world.ask()
    world.days.go(seconds=1)
    end = world.days()
    assert hand.within("acct_1", begun, end, failed=True) == [last.id, missed.id, other.id]
    assert hand.within("acct_1", begun, end, endpoint="crm") == [last.id, missed.id], "what waits is delivered without a hand"
    assert hand.within("acct_1", begun, end, types=("payment_failed",)) == []
    assert hand.within("acct_2", begun, end) == []
    hand.enable("acct_1", "crm")
    assert hand.replay(missed.id).delivered
    assert hand.within("acct_1", begun, end, failed=True) == [last.id, other.id]
    assert waiting.id not in hand.within("acct_1", begun, end)


def test_what_is_shown_holds_no_secret(world: World, receiver: Receiver, hand: DeliveryAdmin) -> None:
    receiver.answers = [status(500, b"call ana@payer.example")]
    (effect,) = world.ask()
    world.turn()
    shown = msgspec.json.encode(hand.show(effect.id)).decode()
    assert receiver.secret.removeprefix("whsec_") not in shown
    assert "v1," not in shown
    assert "ana@" not in shown
    assert '"type":"payment_recovered"' in shown


def test_a_test_event_is_signed_marked_and_opens_no_way_to_a_disabled_endpoint(
    world: World, receiver: Receiver, hand: DeliveryAdmin
) -> None:
    receiver.answers = [status(410)]
    (effect,) = world.ask()
    world.turn()
    assert hand.test("acct_1", "crm").delivered
    (body,) = [body for body in receiver.bodies.values() if body["type"] == "endpoint_test"]
    assert (body["test"], receiver.forged) == (True, [])
    with pytest.raises(LookupError, match="switched off"):
        hand.replay(effect.id)
    assert [one.standing for one in hand.standings([("acct_1", "crm")])] == ["disabled"]
    assert hand.enable("acct_1", "crm")
    assert not hand.enable("acct_1", "crm")
    assert hand.replay(effect.id).delivered


def test_what_is_unknown_is_said_in_words(world: World, hand: DeliveryAdmin) -> None:
    with pytest.raises(LookupError, match="webhooks log"):
        hand.show("msg_nothing")
    with pytest.raises(LookupError, match="ledger has no event"):
        hand.replay("msg_nothing")
    world.directory.there = False
    with pytest.raises(LookupError, match="no endpoint"):
        hand.test("acct_1", "crm")


def test_a_try_that_was_not_made_for_a_reason_of_ours_counts_neither_as_a_try_nor_against_the_endpoint(world: World) -> None:
    (asked,) = world.ask()
    send = world.sender.send
    world.sender.send = lambda *_: DeliveryAttempt(why="other names are being looked up", ours=True)  # type: ignore[method-assign]  # a fake in its place
    for _ in range(20):
        assert world.turn() == 1
        world.days.go(seconds=11)
    assert world.journal.tries(asked.id)[0] == 0
    assert world.journal.health("acct_1", "crm") == Health()
    world.sender.send = send  # type: ignore[method-assign]  # the real one again
    world.turn()
    assert [fact.result for fact in world.facts()] == ["delivered"]
