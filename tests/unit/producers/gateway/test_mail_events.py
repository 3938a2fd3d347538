"""A mail provider's events: believed by their signature, told of whom they concern, sent again when they could not be stored (B53)."""

import json
from base64 import b64encode
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from producers.gateway.routes.mail_events import MailEventRoutes
from producers.mailbox.bounce_attribution import BounceResolver
from recovery.adapters.clock import wall
from recovery.contracts.facts import MessageBounced, MessageComplained
from tests.unit.producers.gateway.gateway_client import BASE, LINKS, MESSAGE_ID, SENT, DoorClient, MemoryContacts, now

SECRET, OLDER, FOREIGN = (f"whsec_{b64encode(letter * 24).decode()}" for letter in (b"a", b"b", b"c"))
BOUNCED = {"type": "bounced", "message_id": MESSAGE_ID, "recipient": "Anna@Payer.example", "status": "5.1.1", "why": "no such user"}


@pytest.fixture
def contacts() -> MemoryContacts:
    return MemoryContacts(emails={("acct_1", "anna@payer.example"): ("cus_1",)})


@pytest.fixture
def provider(delivery, contacts) -> DoorClient:
    secrets = {"acct_1": (SECRET, OLDER)}
    return DoorClient(
        MailEventRoutes(lambda account: secrets.get(account, ()), BounceResolver(LINKS, contacts), now, now).routes(), delivery
    )


def post(client: DoorClient, body: bytes, secret: str = SECRET, account: str = "acct_1", at: datetime | None = None):
    signed_at = at or wall()  # the library reads the machine's own clock
    named = {
        "webhook_id": "msg_1",
        "webhook_timestamp": str(int(signed_at.timestamp())),
        "webhook_signature": Webhook(secret).sign("msg_1", signed_at, body.decode("utf-8", "replace")),
    }
    return client.ask(f"{BASE}/api/mail/events/{account}", "POST", body, **named)


def events(*said: dict) -> bytes:
    return json.dumps({"events": said}).encode()


@pytest.mark.parametrize("secret", [SECRET, OLDER])
def test_bounces_and_complaints_are_told_of_whom_they_concern(provider, delivery, secret):
    complained = {"type": "complained", "list_unsubscribe": f"<{LINKS.unsubscribe(SENT)}>"}
    answered = post(provider, events(BOUNCED, complained), secret)
    assert (answered.status, json.loads(answered.body)) == (200, {"taken": 2, "unknown": 0})
    assert [(type(fact), fact.customer, fact.invoice) for fact in delivery.facts] == [
        (MessageBounced, "cus_1", "in_1"),
        (MessageComplained, "cus_1", "in_1"),
    ]


@pytest.mark.parametrize(
    ("change", "hard"), [({}, True), ({"status": "4.2.2"}, False), ({"hard": False}, False), ({"status": "", "hard": True}, True)]
)
def test_the_providers_own_word_on_hardness_goes_before_the_status(provider, delivery, change, hard):
    post(provider, events(BOUNCED | change))
    assert [fact.hard for fact in delivery.facts] == [hard]


def test_an_event_about_nobody_we_know_is_answered_and_counted(provider, delivery):
    answered = post(provider, events(BOUNCED | {"recipient": "nobody@payer.example"}))
    assert (answered.status, json.loads(answered.body)) == (200, {"taken": 0, "unknown": 1})
    assert not delivery.messages


def test_a_message_of_another_account_is_not_taken_with_this_ones_secret(provider, delivery):
    post(provider, events(BOUNCED | {"message_id": MESSAGE_ID.replace("acct_1", "acct_2")}))
    assert not delivery.messages


def test_what_is_not_signed_for_the_account_now_is_refused(provider, delivery):
    body = events(BOUNCED)
    assert post(provider, body, FOREIGN).status == 401
    assert post(provider, body, account="acct_2").status == 401
    assert post(provider, body, at=datetime(2026, 1, 1, tzinfo=UTC)).status == 401
    assert provider.ask(f"{BASE}/api/mail/events/acct_1", "POST", body).status == 401
    headers = {"webhook_id": "1", "webhook_timestamp": "x", "webhook_signature": "nonsense"}
    assert provider.ask(f"{BASE}/api/mail/events/acct_1", "POST", b"\xff", **headers).status == 401
    assert not delivery.messages


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"events":[{"type":"opened"}]}', b"no"])
def test_a_body_that_is_no_list_of_events_is_refused_with_its_reason(provider, delivery, body):
    answered = post(provider, body)
    assert answered.status == 400
    assert b"cannot be read" in answered.body
    assert not delivery.messages


def test_without_contacts_or_broker_the_provider_is_asked_to_come_again(provider, delivery, contacts):
    contacts.broken = True
    assert post(provider, events(BOUNCED)).status == 503
    contacts.broken, delivery.refuses = False, "later"
    assert post(provider, events(BOUNCED)).status == 503
