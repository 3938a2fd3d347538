"""The payers' mailboxes: an SMTP server that takes mail for anybody, keeps it, and lets its reader act on it."""

import asyncio
import email
import json
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

from aiosmtpd.smtp import SMTP

from sandbox.mail.mail_page import seen
from sandbox.runtime import Runtime

KEPT = 5000
SLOW_S = 3.0
_LINK = re.compile(r"(?:/|%2F)i(?:/|%2F)([0-9A-Za-z]{32})")


@dataclass(frozen=True, slots=True)
class Letter:
    """One physical mail as it arrived; `number` counts from 1."""

    number: int
    message_id: str
    sender: str
    recipients: list[str]
    subject: str
    text: str
    html: str
    headers: list[tuple[str, str]]
    at_wall: float
    at_business: float
    customer: str | None
    invoice: str | None


class Mailbox:
    """The letters of everybody: the last 5,000 in memory, all of them in `mails.jsonl`."""

    def __init__(self, machine: Runtime, path: Path) -> None:
        self._machine = machine
        self._path = path
        self.letters: deque[Letter] = deque(maxlen=KEPT)
        self.arrived = 0

    def deliver(self, sender: str, recipients: list[str], raw: bytes) -> Letter:
        """Keep one mail and pass it to the world, once per recipient."""
        parsed = email.message_from_bytes(raw, policy=policy.default)
        message = parsed if isinstance(parsed, EmailMessage) else EmailMessage()
        text, html = _part(message, "plain"), _part(message, "html")
        link = _LINK.search(html) or _LINK.search(text)
        token = link.group(1) if link else None
        at = self._machine.catch_up()
        self.arrived += 1
        message_id = str(message.get("Message-ID", f"<{self.arrived}@without-id>")).strip()
        subject, wall = str(message.get("Subject", "")), self._machine.clock.wall()
        behaviour = self._machine.world.behaviour
        shown = seen(html)
        mails = [behaviour.receive(message_id, to=to, token=token, subject=subject, wall=wall, at=at, seen=shown) for to in recipients[:1]]
        letter = Letter(
            number=self.arrived,
            message_id=message_id,
            sender=sender,
            recipients=recipients,
            subject=subject,
            text=text,
            html=html,
            headers=[(name, str(value)) for name, value in message.items()],
            at_wall=wall,
            at_business=at,
            customer=mails[0].customer if mails else None,
            invoice=mails[0].invoice if mails else None,
        )
        self.letters.append(letter)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(letter)) + "\n")
        return letter

    def find(self, number: int) -> Letter | None:
        """The letter of this number, if it is still in memory."""
        return next((letter for letter in self.letters if letter.number == number), None)

    def newest(self) -> Iterator[Letter]:
        """The letters still in memory, newest first."""
        return reversed(self.letters)


class _Postman:
    """aiosmtpd's handler of one connection: every mail is welcome unless a fault is ordered.

    A mail takes its fault when it is announced (MAIL) and keeps it until it is stored, so that a fault ordered
    meanwhile strikes the next mail and not half of this one.
    """

    def __init__(self, box: Mailbox, machine: Runtime) -> None:
        self._box = box
        self._machine = machine
        self._fault: str | None = None

    async def handle_MAIL(self, _server: SMTP, _session: Any, envelope: Any, address: str, options: list[str]) -> str:
        self._fault = self._machine.faults.next_smtp()
        if self._fault == "refuse":
            return "451 4.3.0 Mailbox service is resting, try again later"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Any, envelope: Any) -> str:
        if self._fault == "slow":
            await asyncio.sleep(SLOW_S)
        await self._machine.courier.begun_are_done()
        letter = self._box.deliver(envelope.mail_from or "", list(envelope.rcpt_tos), envelope.content)
        if self._fault == "drop_after_data":
            # cut at once: what is answered below finds no connection. No isinstance: uvloop's transport is no asyncio.Transport
            cast(asyncio.Transport, server.transport).abort()
        return f"250 2.0.0 Queued as {letter.number}"


async def listen(box: Mailbox, machine: Runtime, port: int) -> tuple[asyncio.Server, int]:
    """Accept mail on the loopback; answers the server and its port."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(_Postman(box, machine), hostname="inbox.localhost", ident="Sandbox inbox", loop=loop), "127.0.0.1", port
    )
    return server, int(server.sockets[0].getsockname()[1])


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    return str(part.get_content()) if part is not None else ""
