"""A Stripe and a mail server that answer everything after a while, so that what is measured is the caller. Prints its ports as JSON.

    python bench/support/effects_servers.py SECONDS

An invoice is open until it is paid; every charge succeeds. A mail is taken when its content has come.
"""

import asyncio
import json
import re
import sys
import time
from typing import Any

HOST = "127.0.0.1"
PAID: set[str] = set()
INVOICE = re.compile(r"/v1/invoices/(\w+)")
TEXT = re.compile(rb"^content-length: (\d+)", re.IGNORECASE | re.MULTILINE)


def invoice(name: str) -> dict[str, Any]:
    """An invoice as Stripe tells it, of a customer of its own."""
    paid = name in PAID
    card = {"fingerprint": "fp_1", "brand": "visa", "country": "DE", "funding": "credit", "exp_month": 1, "exp_year": 2040}
    charge = {
        "id": f"ch_{name}",
        "object": "charge",
        "status": "succeeded" if paid else "failed",
        "created": int(time.time()),
        "failure_code": None if paid else "card_declined",
        "disputed": False,
        "outcome": {"type": "authorized", "reason": None} if paid else {"type": "issuer_declined", "reason": "insufficient_funds"},
        "payment_method": "pm_1",
        "payment_method_details": {"type": "card", "card": card},
    }
    error = None if paid else {"code": "card_declined", "decline_code": "insufficient_funds", "charge": charge["id"]}
    intent = {
        "id": f"pi_{name}",
        "object": "payment_intent",
        "status": "succeeded" if paid else "requires_payment_method",
        "latest_charge": charge,
        "last_payment_error": error,
    }
    payment = {"id": f"inpay_{name}", "is_default": True, "created": 1, "payment": {"type": "payment_intent", "payment_intent": intent}}
    customer = {"id": f"cus_{name}", "object": "customer", "email": "ana@payer.example", "name": "Ana", "preferred_locales": ["de-DE"]}
    subscription = {"id": f"sub_{name}", "object": "subscription", "status": "past_due", "items": {"data": []}}
    return {
        "id": name,
        "object": "invoice",
        "status": "paid" if paid else "open",
        "currency": "eur",
        "amount_due": 4900,
        "amount_paid": 4900 if paid else 0,
        "amount_remaining": 0 if paid else 4900,
        "attempt_count": 1,
        "auto_advance": True,
        "created": int(time.time()),
        "hosted_invoice_url": "https://pay.example/i/1",
        "customer": customer,
        "parent": {"subscription_details": {"subscription": subscription}},
        "payments": {"data": [payment]},
    }


class Servers:
    """Both, with the same pause before an answer; while `hangs`, mails are never answered."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def stripe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A kept-alive connection of the Stripe package."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = TEXT.search(head)
                await reader.readexactly(int(length.group(1)) if length else 0)
                await asyncio.sleep(self._seconds)
                method, path, _ = head.split(b" ", 2)
                name = INVOICE.match(path.decode())
                assert name is not None, path
                if method == b"POST":
                    PAID.add(name.group(1))
                body = json.dumps(invoice(name.group(1))).encode()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def mail(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A conversation with smtplib."""
        try:
            writer.write(b"220 here\r\n")
            while line := await reader.readline():
                verb = line[:4].upper()
                if verb == b"DATA":
                    writer.write(b"354 go on\r\n")
                    await reader.readuntil(b"\r\n.\r\n")
                    await asyncio.sleep(self._seconds)
                writer.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 yes\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    async def hanging(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A mail server that takes connections and says nothing."""
        await reader.read()
        writer.close()


async def main() -> None:
    """Serve until stopped."""
    servers = Servers(float(sys.argv[1]))
    handlers = {"stripe": servers.stripe, "mail": servers.mail, "hanging_mail": servers.hanging}
    made = {name: await asyncio.start_server(handler, HOST, 0, limit=1 << 20) for name, handler in handlers.items()}
    print(json.dumps({name: server.sockets[0].getsockname()[1] for name, server in made.items()}), flush=True)
    await asyncio.gather(*(server.serve_forever() for server in made.values()))


if __name__ == "__main__":
    asyncio.run(main())
