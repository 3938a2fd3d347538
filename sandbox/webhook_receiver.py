"""The merchant's own system: receives recoveries by signed webhooks, accepts only signed ones, and counts repetitions."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from standardwebhooks import Webhook, WebhookVerificationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

PATH = "/api/webhooks/recovery-event"


@dataclass(slots=True)
class ReceivedWebhook:
    """One webhook by its id: its event, and how often it arrived."""

    message: str
    event: str
    type: str
    copies: int = 1


@dataclass(slots=True)
class WebhookReceiver:
    """The received webhooks. Without secrets it accepts nothing. `forged` counts those with an invalid signature."""

    secrets: Sequence[str] = ()
    received: dict[str, ReceivedWebhook] = field(default_factory=dict)
    forged: int = 0

    def receive(self, body: bytes, headers: dict[str, str]) -> bool:
        """Take a webhook; answers whether it is believed."""
        if not any(_signed(secret, body, headers) for secret in self.secrets):
            self.forged += 1
            return False
        message = headers["webhook-id"]
        if message in self.received:
            self.received[message].copies += 1
        else:
            payload = json.loads(body)
            self.received[message] = ReceivedWebhook(message, str(payload["id"]), str(payload["type"]))
        return True


def routes(receiver: WebhookReceiver) -> list[Route]:
    """`POST /api/webhooks/recovery-event`."""

    async def receive(request: Request) -> Response:
        believed = receiver.receive(await request.body(), dict(request.headers))
        return Response(status_code=204 if believed else 401)

    return [Route(PATH, receive, methods=["POST"])]


def _signed(secret: str, body: bytes, headers: dict[str, str]) -> bool:
    try:
        Webhook(secret).verify(body, headers, json_parse=False)
    except (WebhookVerificationError, ValueError):
        return False
    return True
