"""A real sandbox process, the official client, and a receiver of webhooks whose answers the test decides."""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import stripe

WANTED = [
    "invoice.payment_failed",
    "invoice.payment_action_required",
    "invoice.paid",
    "invoice.payment_succeeded",
    "invoice.updated",
    "charge.failed",
    "payment_intent.payment_failed",
    "customer.updated",
    "customer.subscription.updated",
    "customer.subscription.deleted",
    "payment_method.attached",
]


def until(condition: Callable[[], Any], what: str, seconds: float = 20.0) -> Any:
    """The first true answer of the condition; fails after the deadline."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = condition()
        if answer:
            return answer
        threading.Event().wait(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


@dataclass
class Receiver:
    """Takes webhooks; `status` is what it answers now."""

    url: str
    status: int = 200
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in list(self.got)]


@dataclass
class Running:
    """One sandbox process."""

    info: dict[str, Any]
    client: stripe.StripeClient
    home: Path
    process: subprocess.Popen[bytes]

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.info["api_base"] + path, timeout=20) as answer:
            return json.load(answer)

    def post(self, path: str, **body: Any) -> Any:
        data = json.dumps(body).encode()
        request = urllib.request.Request(self.info["api_base"] + path, data=data, method="POST")
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def refused(self, path: str, **body: Any) -> int:
        """The status with which a call is refused."""
        with pytest.raises(urllib.error.HTTPError) as refusal:
            self.post(path, **body)
        return int(refusal.value.code)

    def another_client(self, **options: Any) -> stripe.StripeClient:
        options = {"max_network_retries": 0, **options}
        return stripe.StripeClient(options.pop("api_key", self.info["api_key"]), base_addresses={"api": self.info["api_base"]}, **options)

    def unpaid(self, cause: str | None = None) -> dict[str, Any]:
        """An open invoice that failed, as the truth shows it."""
        for bill in self.get("/_truth")["invoices"]:
            real = (bill["first_decline"] or {}).get("cause")
            fits = bill["status"] == "open" and real and (cause is None or real == cause) and bill["auto_advance"]
            if fits and (cause != "expired" or self._still_expired(bill)):
                return bill
        raise AssertionError(f"no open invoice failed for {cause}")

    def _still_expired(self, bill: dict[str, Any]) -> bool:
        """Whether the network has not yet renewed the card."""
        card = self.client.v1.customers.payment_methods.list(bill["customer"], {"limit": 100}).data[-1].card
        today = datetime.fromtimestamp(self.get("/_clock")["now"], UTC)
        return (card.exp_year, card.exp_month) < (today.year, today.month)


@pytest.fixture(scope="module")
def start_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Running]]:
    running: list[Running] = []

    def start(*options: str) -> Running:
        home = tmp_path_factory.mktemp("sandbox")
        command = [sys.executable, "-m", "sandbox", "serve", "--home", str(home), *options]
        process = subprocess.Popen(command, env={**os.environ, "DUNLIN_READY_FILE": str(home / "ready")})
        until(lambda: (home / "ready").exists() or process.poll() is not None, "sandbox ready")
        info = json.loads((home / "sandbox.json").read_text())
        one = Running(info, None, home, process)  # type: ignore[arg-type]  # set in the next line
        one.client = one.another_client()
        running.append(one)
        return one

    yield start
    for one in running:
        one.process.terminate()
        assert one.process.wait(15) == 0


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            one.got.append((dict(self.headers.items()), body))
            self.send_response(one.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    one = Receiver(f"http://127.0.0.1:{server.server_port}/hook")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield one
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def month(start_sandbox: Callable[..., Running]) -> Running:
    """A small sandbox some way into its month, held there."""
    one = start_sandbox("--customers", "800", "--speed", "864000", "--seed", "7")
    one.post("/_start")
    until(lambda: one.get("/_progress")["failures"] >= 100, "100 failures")
    one.post("/_clock/hold", reason="test")
    return one
