"""Twilio's own client against a server that speaks its protocol: what was taken, what was not, and what it cannot be known."""

import socket

import pytest

from sinks.effects.delivery_errors import DeliveryUnknown, PermanentFailure, TemporaryFailure
from sinks.effects.sms.twilio import OptedOut, TextServer
from tests.support.services.fake_servers import CUT_AFTER_TAKING, TWILIO_ACCOUNT, TWILIO_TOKEN, Answer, FakeTwilio, listening

NUMBER = "+4915112345678"


@pytest.fixture
def twilio():
    with listening(FakeTwilio) as server:
        yield server


@pytest.fixture
def texts(twilio):
    return TextServer(TWILIO_ACCOUNT, TWILIO_TOKEN, "+15005550006", twilio.base, timeout=0.5)


def send(texts, claims=None):
    return texts.deliver(NUMBER, "Grüße €", 900, "https://pay.example/status?m=1", lambda: claims.append(1) if claims is not None else None)


def test_a_text_is_taken_with_sender_deadline_and_where_to_tell_its_fate(twilio, texts):
    claims = []
    sid = send(texts, claims)
    (sms,) = twilio.messages
    assert (sms.sid, sms.to, sms.sender, sms.body) == (sid, NUMBER, "+15005550006", "Grüße €")
    assert (sms.seconds, sms.status_to, claims) == (900, "https://pay.example/status?m=1", [1])


def test_a_messaging_service_sends_as_such(twilio):
    service = "MG" + "0" * 32
    send(TextServer(TWILIO_ACCOUNT, TWILIO_TOKEN, service, twilio.base))
    assert twilio.messages[0].sender == service


@pytest.mark.parametrize(
    ("answer", "error", "why"),
    [
        (FakeTwilio.refusal(20429, 429), TemporaryFailure, "Twilio is busy (20429)"),
        (FakeTwilio.refusal(20503, 503), TemporaryFailure, "Twilio is busy (20503)"),
        (FakeTwilio.refusal(21610), OptedOut, "opted_out"),
        (FakeTwilio.refusal(21211), PermanentFailure, "bad_number"),
        (FakeTwilio.refusal(21614), PermanentFailure, "bad_number"),
        (FakeTwilio.refusal(21408, 403), PermanentFailure, "not_allowed"),
        (FakeTwilio.refusal(21408), PermanentFailure, "region_not_enabled"),
        (FakeTwilio.refusal(21606), PermanentFailure, "bad_sender"),
        (FakeTwilio.refusal(20003, 401), PermanentFailure, "not_allowed"),
        (FakeTwilio.refusal(29999), PermanentFailure, "refused_29999"),
        (Answer(500, "oops", taken=True), DeliveryUnknown, "Twilio failed (500)"),
        (Answer(502, "<html>", taken=True), DeliveryUnknown, "Twilio failed (502)"),
        (Answer(201, "no json", taken=True), DeliveryUnknown, "Twilio's answer cannot be read: JSONDecodeError"),
        (CUT_AFTER_TAKING, DeliveryUnknown, "the connection to Twilio broke: ConnectionError"),
    ],
)
def test_the_ends_are_told_apart_without_the_number(twilio, texts, answer, error, why):
    twilio.next.append(answer)
    with pytest.raises(error) as raised:
        send(texts)
    assert str(raised.value) == why
    assert twilio.requests == 1, "nothing is repeated by the client"


def test_no_answer_in_time_is_a_doubt(twilio, texts):
    twilio.stuck.set()
    with pytest.raises(DeliveryUnknown, match="ReadTimeout"):
        send(texts)


def test_nobody_listening_is_no_doubt():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = TextServer(TWILIO_ACCOUNT, TWILIO_TOKEN, "+15005550006", f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(TemporaryFailure, match="no connection to Twilio"):
            send(nobody)


def test_a_refused_claim_sends_nothing(twilio, texts):
    def refuse():
        raise LookupError

    with pytest.raises(LookupError):
        texts.deliver(NUMBER, "text", 900, "", refuse)
    assert twilio.requests == 0


@pytest.mark.parametrize(
    ("account", "token", "sender", "words"),
    [
        ("SK1", TWILIO_TOKEN, "+15005550006", "TWILIO_ACCOUNT_SID"),
        (TWILIO_ACCOUNT, "", "+15005550006", "TWILIO_AUTH_TOKEN"),
        (TWILIO_ACCOUNT, TWILIO_TOKEN, "", "TWILIO_PHONE_NUMBER"),
        (TWILIO_ACCOUNT, TWILIO_TOKEN, "+49 (0)151/1", "TWILIO_PHONE_NUMBER"),
    ],
)
def test_wrong_settings_are_named(account, token, sender, words):
    with pytest.raises(ValueError, match=words):
        TextServer(account, token, sender)


def test_only_a_name_cannot_be_answered():
    assert not TextServer(TWILIO_ACCOUNT, TWILIO_TOKEN, "Wader Co").can_be_answered
    assert TextServer(TWILIO_ACCOUNT, TWILIO_TOKEN, "12345").can_be_answered
