"""From a payer's wish, and from a mail that came back, through the real gateway, Kafka and stream, to silence (B53)."""

import mailbox
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from control.tenants import ContactStore
from recovery.adapters.kafka import Publisher
from recovery.contracts.effects import EffectWithdrawn, MessageRequested, ReadRequested
from recovery.contracts.encoding.codec import decode_effect, decode_event, encode
from recovery.contracts.facts import Fact, TimePassed
from recovery.contracts.topics import FACTS
from recovery.ids import message_id, stream_key
from recovery.signed_links import LinkSigner, Sending
from tests.integration.producers.conftest import Broker, Program, RunningGateway
from tests.support import builders as a
from tests.unit.producers.returned_mails import bounce

pytestmark = pytest.mark.real
KEY = "k" * 40


@dataclass
class House:
    """The gateway and a stream worker in front of one broker."""

    folder: Path
    broker: Broker
    gateway: RunningGateway
    began: datetime

    def tell(self, fact: Fact) -> None:
        publisher = Publisher(self.broker.bootstrap)
        publisher.send(FACTS.name, stream_key(fact.account, fact.customer), encode(fact))
        publisher.flush()

    def pass_days(self, days: int) -> None:
        """Two ticks: a step of more than a day is taken when the second one confirms it."""
        publisher = Publisher(self.broker.bootstrap)
        for when in (self.began + timedelta(days=days), self.began + timedelta(days=days, minutes=1)):
            for partition in range(4):
                tick = TimePassed(id=f"time:{partition}:{when.timestamp()}", account="", occurred_at=when, received_at=when)
                publisher.send(FACTS.name, b"time", encode(tick), partition)
        publisher.flush()

    def effects(self, topic: str, kind: type, customer: str) -> list:
        found: list = []

        def enough(values: list[bytes]) -> bool:
            found[:] = [each for each in map(decode_effect, values) if isinstance(each, kind) and each.customer == customer]
            return bool(found)

        self.broker.values(topic, enough)
        return found

    def events(self, customer: str, event_type: str) -> list:
        """The customer's events up to one of this type."""
        found: list = []

        def enough(values: list[bytes]) -> bool:
            found[:] = [each for each in map(decode_event, values) if each.customer == customer]
            return any(each.event_type == event_type for each in found)

        self.broker.values("recovery.events", enough)
        return found

    def mail_for(self, customer: str, invoice: str) -> MessageRequested:
        """A hard decline of the customer's, whose first mail is asked for at once."""
        state, later = a.a_state(created=self.began), self.began + timedelta(seconds=1)
        self.tell(of(customer, a.a_failure(f"evt_{invoice}", self.began, invoice, state=state)))
        [read] = self.effects("effects.stripe", ReadRequested, customer)
        attempts = (a.an_attempt(f"ch_{invoice}", self.began),)
        self.tell(of(customer, a.a_reading(read.id, later, a.HARD, invoice, state=state, attempts=attempts)))
        [mail] = self.effects("effects.messages", MessageRequested, customer)
        return mail


def of(customer: str, fact: Fact) -> Fact:
    """The fact, about this customer."""
    return msgspec.structs.replace(fact, customer=customer)


@pytest.fixture
def house(broker: Broker, tmp_path: Path):
    (tmp_path / "links.keys").write_text(f"{KEY}\n")
    (tmp_path / "links.keys").chmod(0o600)
    gateway = RunningGateway(tmp_path, broker.bootstrap)
    assert Program(tmp_path, ["producers", "policies"], gateway.settings).process.wait(60) == 0
    ready = tmp_path / "streams.ready"
    worker = Program(tmp_path, ["streams", "worker"], {**gateway.settings, "DUNLIN_READY_FILE": str(ready), "DUNLIN_WORKER_ID": "test"})
    try:
        worker.until(ready.exists, "the stream is ready")
        began = datetime.fromtimestamp(int(time.time()), UTC) - timedelta(days=70)  # no tick may be ahead of the broker's time
        house = House(tmp_path, broker, gateway, began)
        house.pass_days(0)
        yield house
    finally:
        worker.stop()
        gateway.client.close()
        gateway.program.stop()


def test_one_click_takes_back_the_mail_under_way_and_no_other_follows(house):
    """B53"""
    mail = house.mail_for("cus_1", "in_1")
    sending = Sending("acct_1", "cus_1", "in_1", mail.id, int(time.time()))
    address = LinkSigner([KEY]).unsubscribe(sending)
    assert house.gateway.client.get(address).status_code == 200
    assert house.gateway.client.post(address, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    [withdrawn] = house.effects("effects.messages", EffectWithdrawn, "cus_1")
    assert withdrawn.effect == mail.id
    house.tell(of("cus_1", a.a_mail_outcome(mail.id, house.began + timedelta(seconds=2), "skipped", "withdrawn", "in_1")))
    house.pass_days(60)
    events = house.events("cus_1", "case_abandoned")
    assert [event.reason for event in events if event.event_type == "contact_changed"] == ["unsubscribed"]
    assert [each.id for each in house.effects("effects.messages", MessageRequested, "cus_1")] == [mail.id]


def test_a_mail_that_came_back_for_good_is_the_last_one(house):
    """B53"""
    contacts = ContactStore(f"sqlite:///{house.folder / 'contacts.sqlite'}")
    contacts.remember("acct_1", "cus_2", "Anna@payer.example", "Anna", "de", house.began)
    mail = house.mail_for("cus_2", "in_2")
    house.tell(of("cus_2", a.a_mail_outcome(mail.id, house.began + timedelta(seconds=2), "sent", invoice="in_2")))
    house.events("cus_2", "dunning_sent")
    box = mailbox.Maildir(house.folder / "box", create=True)
    signed = message_id(mail.id, "billing.example", LinkSigner([KEY]).mail_tag(mail.id, "cus_2"))
    box.add(bounce(headers=f"Message-ID: {signed}\nTo: anna@payer.example\n"))
    settings = {**house.gateway.settings, "DUNLIN_BOUNCE_MAILBOX_URL": f"maildir:{house.folder / 'box'}"}
    assert Program(house.folder, ["producers", "bounces"], settings).process.wait(60) == 0
    assert (len(box), len(box.get_folder("Handled"))) == (0, 1)
    events = house.events("cus_2", "contact_changed")
    [changed] = [event for event in events if event.event_type == "contact_changed"]
    assert (changed.reason, changed.effect) == ("bounced", mail.id)
    house.pass_days(61)
    house.events("cus_2", "case_abandoned")
    assert [each.id for each in house.effects("effects.messages", MessageRequested, "cus_2")] == [mail.id]
