"""What an endpoint is sent: the body by the receiver's contract, its id and its headers. Pure; the same event always gives the same bytes.

`python -m sinks.effects.webhooks.schema` prints the contract as JSON Schema, for docs/webhooks.json.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime

import msgspec
from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from recovery.contracts.events import Event

CONTRACT = 1
"""Version of the contract. Fields are only ever added; one that is taken away or changes its meaning is a new number."""
TEST_TYPE = "endpoint_test"
"""The type of what `dunlin webhooks test` sends; no event has it."""
USER_AGENT = "Dunlin-Webhooks/1"


class WebhookPayload(msgspec.Struct, frozen=True, kw_only=True):
    """One event as a merchant's endpoint receives it. Amounts are minor units of `currency`, times are UTC.

    `id` is the event's own, the same in ClickHouse and on `recovery.events`; `sequence` orders the events of one invoice. `amount_minor` is
    the amount owed at that moment, `recovered_minor` the amount that arrived with this event (with `recovery_reversed`: that went back),
    `cause` who recovered it, `attempts` our retries so far. `test`: the account is connected in Stripe's test mode, or this is a test
    event.
    """

    id: str
    type: str
    contract: int = CONTRACT
    account: str
    customer: str = ""
    invoice: str = ""
    subscription: str = ""
    sequence: int = 0
    amount_minor: int = 0
    recovered_minor: int = 0
    currency: str = ""
    cause: str = ""
    attempts: int = 0
    dunning_step: int = 0
    status: str = ""
    reason: str = ""
    result: str = ""
    decline_kind: str = ""
    decline_code: str = ""
    next_action: str = ""
    next_action_at: datetime | None = None
    occurred_at: datetime
    test: bool = False


def payload_of(event: Event, test: bool) -> WebhookPayload:
    """The payload of an event."""
    return WebhookPayload(
        id=event.id,
        type=event.event_type,
        account=event.account,
        customer=event.customer,
        invoice=event.invoice,
        subscription=event.subscription,
        sequence=event.sequence,
        amount_minor=event.amount_minor,
        recovered_minor=event.recovered_minor,
        currency=event.currency,
        cause=event.recovered_by,
        attempts=event.retry_count,
        dunning_step=event.dunning_step,
        status=event.status,
        reason=event.reason,
        result=event.result,
        decline_kind=event.decline_kind,
        decline_code=event.decline_code,
        next_action=event.next_action,
        next_action_at=event.next_action_at,
        occurred_at=event.occurred_at,
        test=test,
    )


def encoded(payload: WebhookPayload) -> bytes:
    """The bytes that are signed and sent."""
    return msgspec.json.encode(payload)


def webhook_id(effect: str) -> str:
    """The `webhook-id` of a delivery: the same for every try and replay of one effect, without the dot that separates what is signed."""
    return f"msg_{hashlib.sha256(effect.encode()).hexdigest()[:32]}"


def headers(message: str, body: bytes, secrets: Iterable[str], at: datetime) -> dict[str, str]:
    """The headers of an attempt made `at` (aware, wall time): signed with every secret, so that a rotation may overlap.

    Raises ValueError when a secret is not base64; the text contains none of it.
    """
    signatures = []
    for secret in secrets:
        try:
            signatures.append(Webhook(secret).sign(message, at, body.decode()))
        except (ValueError, EmptyWebhookSecretError) as error:
            raise ValueError("A secret of the endpoint is not whsec_ with base64 behind it. `dunlin webhooks rotate` makes one.") from error
    return {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "accept-encoding": "identity",
        "webhook-id": message,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
