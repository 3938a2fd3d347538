"""The merchant's own system: hears of recoveries by signed webhooks, believes only what is signed, and counts what comes twice."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from standardwebhooks import Webhook, WebhookVerificationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

PATH = "/api/webhooks/recovery-event"


@dataclass(slots=True)
class Heard:
    """One webhook by its id: of which event it told, and how often it came."""

    message: str
    event: str
    type: str
    copies: int = 1


@dataclass(slots=True)
class Listener:
    """What was heard. Without secrets it believes nothing. `forged` counts what was not signed well."""

    secrets: Sequence[str] = ()
    heard: dict[str, Heard] = field(default_factory=dict)
    forged: int = 0

    def hear(self, body: bytes, headers: dict[str, str]) -> bool:
        """Take a webhook; answers whether it is believed."""
        if not any(_signed(secret, body, headers) for secret in self.secrets):
            self.forged += 1
            return False
        message = headers["webhook-id"]
        if message in self.heard:
            self.heard[message].copies += 1
        else:
            told = json.loads(body)
            self.heard[message] = Heard(message, str(told["id"]), str(told["type"]))
        return True


def routes(listener: Listener) -> list[Route]:
    """`POST /api/webhooks/recovery-event`."""

    async def receive(request: Request) -> Response:
        believed = listener.hear(await request.body(), dict(request.headers))
        return Response(status_code=204 if believed else 401)

    return [Route(PATH, receive, methods=["POST"])]


def _signed(secret: str, body: bytes, headers: dict[str, str]) -> bool:
    try:
        Webhook(secret).verify(body, headers, json_parse=False)
    except (WebhookVerificationError, ValueError):
        return False
    return True
