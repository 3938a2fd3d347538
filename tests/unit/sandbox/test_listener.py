"""The merchant's own system believes what is signed, and counts what comes twice."""

from datetime import UTC, datetime

from standardwebhooks import Webhook

from sandbox.webhook_receiver import WebhookReceiver

SECRET = "whsec_" + "b25lLW9uZS1vbmUtb25lLW9uZQ=="
BODY = b'{"id":"0-1-0","type":"payment_recovered"}'


def signed(message: str = "msg_1", secret: str = SECRET) -> dict[str, str]:
    now = datetime.now(UTC)
    signature = Webhook(secret).sign(message, now, BODY.decode())
    return {"webhook-id": message, "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}


def test_what_is_signed_is_heard_once_and_its_copies_counted() -> None:
    listener = WebhookReceiver([SECRET])
    assert listener.receive(BODY, signed())
    assert listener.receive(BODY, signed())
    (heard,) = listener.received.values()
    assert (heard.event, heard.type, heard.copies) == ("0-1-0", "payment_recovered", 2)


def test_what_is_not_signed_well_is_counted_and_not_believed() -> None:
    listener = WebhookReceiver([SECRET])
    other = signed(secret="whsec_" + "dHdvLXR3by10d28tdHdvLXR3bw==")
    assert not listener.receive(BODY, other)
    assert not listener.receive(BODY + b" ", signed())
    assert not listener.receive(BODY, {})
    assert not WebhookReceiver().receive(BODY, signed())
    assert (listener.received, listener.forged) == ({}, 3)
