"""The merchant's own system believes what is signed, and counts what comes twice."""

from datetime import UTC, datetime

from standardwebhooks import Webhook

from sandbox.listener import Listener

SECRET = "whsec_" + "b25lLW9uZS1vbmUtb25lLW9uZQ=="
BODY = b'{"id":"0-1-0","type":"payment_recovered"}'


def signed(message: str = "msg_1", secret: str = SECRET) -> dict[str, str]:
    now = datetime.now(UTC)
    signature = Webhook(secret).sign(message, now, BODY.decode())
    return {"webhook-id": message, "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}


def test_what_is_signed_is_heard_once_and_its_copies_counted() -> None:
    listener = Listener([SECRET])
    assert listener.hear(BODY, signed())
    assert listener.hear(BODY, signed())
    (heard,) = listener.heard.values()
    assert (heard.event, heard.type, heard.copies) == ("0-1-0", "payment_recovered", 2)


def test_what_is_not_signed_well_is_counted_and_not_believed() -> None:
    listener = Listener([SECRET])
    other = signed(secret="whsec_" + "dHdvLXR3by10d28tdHdvLXR3bw==")
    assert not listener.hear(BODY, other)
    assert not listener.hear(BODY + b" ", signed())
    assert not listener.hear(BODY, {})
    assert not Listener().hear(BODY, signed())
    assert (listener.heard, listener.forged) == ({}, 3)
