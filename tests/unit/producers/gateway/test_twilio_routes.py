"""What Twilio tells: believed by its signature alone, a STOP counts for all with the number, no text is kept (B53, B94)."""

from urllib.parse import urlencode

import pytest
from twilio.request_validator import RequestValidator

from producers.gateway.routes.twilio_routes import TwilioRoutes
from producers.providers.twilio_facts import word_of
from recovery.contracts.encoding.codec import encode
from recovery.contracts.facts import ConsentGiven, ConsentWithdrawn, MessageBounced, MessageDelivered, MessageReceived, MessageUndelivered
from recovery.signed_links import Sending
from tests.unit.producers.gateway.gateway_client import BASE, LINKS, DoorClient, MemoryContacts, Times

TOKEN, NUMBER = "t" * 32, "+4915112345678"
SMS = Sending("acct_1", "cus_1", "in_1", "acct_1.in_1.sms.4", 0)
TEXTS = f"{BASE}/api/twilio/sms/acct_1"
SID = "SM" + "0" * 32


@pytest.fixture
def contacts() -> MemoryContacts:
    return MemoryContacts(phones={("acct_1", NUMBER): ("cus_1", "cus_2"), ("acct_2", NUMBER): ("cus_9",)})


@pytest.fixture
def times() -> Times:
    return Times()


@pytest.fixture
def twilio(delivery, contacts, times) -> DoorClient:
    doors = TwilioRoutes(TOKEN, BASE, LINKS, contacts, lambda: ["acct_1", "acct_2"], (times, times), times.seconds).routes()
    return DoorClient(doors, delivery)


def post(client: DoorClient, address: str, token: str = TOKEN, **params: str):
    signature = RequestValidator(token).compute_signature(address, params)
    return client.ask(address, "POST", urlencode(params).encode(), x_twilio_signature=signature)


def text(client: DoorClient, body: str, address: str = TEXTS, **params: str):
    return post(client, address, From=NUMBER, To="+15005550006", Body=body, MessageSid=SID, **params)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("STOP", "stop"),
        (" stop. ", "stop"),
        ("Stop please", "stop"),
        ("Arrêt", "stop"),
        ("UNSUBSCRIBE", "stop"),
        ("cancel", "stop"),
        ("Cancel my order", "other"),
        ("Stopp!", "stop"),
        ("baja", "stop"),
        ("START", "start"),
        ("yes", "other"),
        ("help", "help"),
        ("Hilfe", "help"),
        ("", "other"),
        ("I will pay tomorrow", "other"),
        ("🙂", "other"),
    ],
)
def test_what_a_text_wants_is_read_from_its_words(body, word):
    assert word_of({"Body": body}) == word


def test_twilios_own_reading_of_a_text_goes_first():
    assert word_of({"Body": "genug jetzt", "OptOutType": "STOP"}) == "stop"


def test_stop_withdraws_the_consent_of_every_customer_of_the_account_with_the_number(twilio, delivery):
    """B53"""
    answered = text(twilio, "STOP")
    assert (answered.status, answered.headers[b"content-type"]) == (200, b"text/xml; charset=utf-8")
    assert b"<Message>" not in answered.body  # Twilio answers STOP by itself
    assert [(type(fact), fact.account, fact.customer, fact.medium) for fact in delivery.facts] == [
        (ConsentWithdrawn, "acct_1", "cus_1", "sms"),
        (ConsentWithdrawn, "acct_1", "cus_2", "sms"),
    ]


def test_a_number_that_all_accounts_share_withdraws_with_all(twilio, delivery):
    text(twilio, "STOP", f"{BASE}/api/twilio/sms")
    assert [fact.customer for fact in delivery.facts] == ["cus_1", "cus_2", "cus_9"]


def test_start_is_a_consent_with_its_proof_and_the_numbers_country(twilio, delivery):
    """B52, B53"""
    text(twilio, "START")
    fact = delivery.facts[0]
    assert isinstance(fact, ConsentGiven)
    assert (SID in fact.proof, fact.country) == (True, "DE")


def test_a_text_of_an_unknown_number_is_answered_politely_and_recorded(twilio, delivery, contacts):
    contacts.phones.clear()
    answered = text(twilio, "who is this?")
    assert b"<Message>" in answered.body
    [fact] = delivery.facts
    assert isinstance(fact, MessageReceived)
    assert (fact.account, fact.customer, fact.word, fact.message) == ("acct_1", "", "other", SID)
    assert delivery.on("facts")[0].key == f"acct_1/~{SID}".encode()


def test_two_machines_do_not_talk_to_each_other_for_ever(twilio, times):
    assert b"<Message>" in text(twilio, "beep").body
    assert b"<Message>" not in text(twilio, "beep").body
    times.later = 3601
    assert b"<Message>" in text(twilio, "beep").body


def test_no_number_and_no_text_is_kept(twilio, delivery):
    """B94"""
    for body in ("STOP", "START", "my card is 4242", "HELP"):
        text(twilio, body)
    assert not any(NUMBER.encode() in message.value or b"4242" in message.value for message in delivery.messages)


@pytest.mark.parametrize("address", [TEXTS, LINKS.sms_status(SMS)])
def test_what_twilio_did_not_sign_is_refused(twilio, delivery, address):
    assert post(twilio, address, token="z" * 32, From=NUMBER, Body="STOP", MessageSid=SID).status == 403
    assert twilio.ask(address, "POST", b"Body=STOP").status == 403
    assert twilio.ask(address, "POST", b"\xff\xfe").status == 403
    assert not delivery.messages


def test_an_account_that_we_do_not_know_is_not_there(twilio, delivery):
    assert text(twilio, "STOP", f"{BASE}/api/twilio/sms/acct_7").status == 404
    assert not delivery.messages


def test_a_stop_is_not_taken_while_contacts_or_broker_are_away(twilio, delivery, contacts):
    contacts.broken = True
    assert text(twilio, "STOP").status == 503
    contacts.broken, delivery.refuses = False, "later"
    assert text(twilio, "STOP").status == 503


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        ("queued", "", []),
        ("sent", "", []),
        ("delivered", "", [MessageDelivered]),
        ("undelivered", "30003", [MessageUndelivered]),
        ("failed", "30006", [MessageUndelivered, MessageBounced]),
        ("failed", "21610", [MessageUndelivered, ConsentWithdrawn]),
    ],
)
def test_what_became_of_a_text_is_told_with_its_effect(twilio, delivery, status, code, told):
    answered = post(twilio, LINKS.sms_status(SMS), MessageSid=SID, MessageStatus=status, ErrorCode=code)
    assert answered.status == 200
    facts = delivery.facts
    assert [type(fact) for fact in facts] == told
    if facts:
        assert (facts[0].customer, facts[0].invoice, facts[0].effect, facts[0].message) == ("cus_1", "in_1", SMS.effect, SID)


def test_a_status_is_told_once_however_often_it_comes(twilio, delivery):
    for _ in range(2):
        post(twilio, LINKS.sms_status(SMS), MessageSid=SID, MessageStatus="delivered")
    first, second = delivery.facts
    assert encode(first) == encode(second)


def test_a_status_without_our_token_or_with_anothers_is_not_there(twilio, delivery):
    bare = f"{BASE}/api/twilio/status/acct_1"
    others = LINKS.sms_status(SMS).replace("/acct_1?", "/acct_2?")
    for address in (bare, bare + "?m=abc", others):
        assert post(twilio, address, MessageSid=SID, MessageStatus="delivered").status == 404
    assert not delivery.messages


def test_a_start_that_may_mean_several_merchants_gives_consent_to_none(twilio, delivery):
    """Consent is given to one merchant; a STOP counts for all."""
    text(twilio, "START", f"{BASE}/api/twilio/sms")
    assert {(type(fact), fact.word) for fact in delivery.facts} == {(MessageReceived, "start")}
    assert [fact.customer for fact in delivery.facts] == ["cus_1", "cus_2", "cus_9"]


def test_a_start_on_a_shared_number_counts_where_one_merchant_knows_the_sender(twilio, delivery, contacts):
    for account, phone in list(contacts.phones):
        if account != "acct_1":
            del contacts.phones[account, phone]
    text(twilio, "START", f"{BASE}/api/twilio/sms")
    assert {(type(fact), fact.account) for fact in delivery.facts} == {(ConsentGiven, "acct_1")}
