"""The ASGI parts that every route of the gateway needs: a request's body within a limit, and a response."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]

RETRY_AFTER = b"5"
"""The Retry-After of a 503, in seconds."""


class ClientGone(Exception):
    """The sender left before its body was complete."""


async def body_of(receive: Receive, length: int, limit: int) -> bytes | None:
    """The whole body, or None when it is larger than the limit; `length` is the announced one, 0 without one. Raises ClientGone."""
    if length > limit:
        return None
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            return None
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def headers_of(
    status: int, body: bytes, content_type: bytes = b"text/plain", closing: bool = False, more: Headers = ()
) -> list[tuple[bytes, bytes]]:
    """The headers of an answer; `closing` when the rest of the body is not read, `more` further headers."""
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode()), *more]
    if status == 503:
        headers.append((b"retry-after", RETRY_AFTER))
    if closing:
        headers.append((b"connection", b"close"))
    return headers


async def answer(
    send: Send, status: int, body: bytes, content_type: bytes = b"text/plain", closing: bool = False, more: Headers = ()
) -> None:
    """Send an answer with the headers of `headers_of`."""
    await send({"type": "http.response.start", "status": status, "headers": headers_of(status, body, content_type, closing, more)})
    await send({"type": "http.response.body", "body": body})
