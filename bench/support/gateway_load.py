"""The load: signed webhooks over a fixed number of connections for a fixed time. Arguments: HOST:PORT SECONDS CONNECTIONS RUN.

Prints one JSON object: answers by status, rate, p50 and p99 in milliseconds.
"""

import asyncio
import collections
import hashlib
import hmac
import json
import statistics
import sys
import time

import uvloop

SECRET = "whsec_" + "ZHVubGluIGdhdGV3YXkgYmVuY2htYXJr"
DIFFERENT = 1024
TARGET = 3000


def requests(now: int, run: str) -> list[bytes]:
    """Distinct requests, ready to send: a failed invoice of some 3 KB each, signed now."""
    return [_request(now, run, number) for number in range(DIFFERENT)]


def _request(now: int, run: str, number: int) -> bytes:
    customer, invoice = f"cus_{number % 200:06d}", f"in_{run}{number:06d}"
    line = {"id": "il_1", "object": "line_item", "amount": 4900, "currency": "usd", "description": "1 x Team plan (at $49.00 / month)"}
    state = {"status": "open", "currency": "usd", "amount_due": 4900, "amount_paid": 0, "amount_remaining": 4900, "attempt_count": 1}
    schedule = {"created": now, "next_payment_attempt": now + 259200, "auto_advance": True, "billing_reason": "subscription_cycle"}
    parent = {"type": "subscription_details", "subscription_details": {"metadata": {}, "subscription": f"sub_{number}"}}
    object = {"id": invoice, "object": "invoice", "customer": customer, **state, **schedule, "collection_method": "charge_automatically"}
    object |= {"parent": parent, "lines": {"object": "list", "data": [line] * 8}, "metadata": {}}
    event = {"id": f"evt_{run}{number:06d}", "object": "event", "api_version": "2026-09-30.endive", "created": now, "livemode": False}
    event |= {"pending_webhooks": 1, "request": {"id": None, "idempotency_key": None}, "type": "invoice.payment_failed"}
    object["metadata"] = {"filler": "x" * max(0, TARGET - len(json.dumps(event)) - len(json.dumps(object)))}
    body = json.dumps({**event, "data": {"object": object}}).encode()
    signature = hmac.new(SECRET.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    head = f"POST /api/stripe/webhook HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Stripe-Signature: t={now},v1={signature}\r\n\r\n".encode() + body


class Connection(asyncio.Protocol):
    """Sends a request, waits for its answer, sends the next."""

    def __init__(self, prepared: list[bytes], first: int, until: float, seen: "collections.Counter[int]", times: list[float]) -> None:
        self.prepared, self.number, self.until, self.seen, self.times = prepared, first, until, seen, times
        self.buffer = b""
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        self.send()

    def send(self):
        self.started = time.perf_counter()
        self.transport.write(self.prepared[self.number % len(self.prepared)])
        self.number += 1

    def data_received(self, data):
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found or len(body) < int(head.lower().split(b"content-length: ")[1].split(b"\r")[0]):
            return
        now = time.perf_counter()
        self.times.append(now - self.started)
        self.seen[int(head[9:12])] += 1
        self.buffer = b""
        if now < self.until:
            self.send()
        else:
            self.transport.close()

    def connection_lost(self, _error):
        self.closed.set_result(None)


async def load(address: str, seconds: float, connections: int, run: str) -> dict[str, object]:
    """Load the address and sum up."""
    host, port = address.split(":")
    prepared, seen, times = requests(int(time.time()), run), collections.Counter(), []
    started = time.perf_counter()
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda n=n: Connection(prepared, n * 16, started + seconds, seen, times), host, int(port))
        for n in range(connections)
    ]
    await asyncio.gather(*(protocol.closed for _, protocol in made))
    took = time.perf_counter() - started
    cuts = statistics.quantiles(times, n=100)
    answers = {str(status): count for status, count in seen.items()}
    return {"answers": answers, "rate": seen[200] / took, "p50_ms": cuts[49] * 1000, "p99_ms": cuts[98] * 1000}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(load(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))))
