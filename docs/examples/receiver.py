"""An endpoint for Dunlin's webhooks: verifies, recognises what comes again, answers before it works. `pip install standardwebhooks`.

    WEBHOOK_SECRET=whsec_... python receiver.py 8000

Behind something that speaks https (Dunlin sends nowhere else), its address is https://your.host/api/webhooks/recovery-event.
"""

import json
import os
import queue
import sqlite3
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

PATH = "/api/webhooks/recovery-event"
LARGEST = 64 * 1024


class Seen:
    """The webhook-ids that were taken. In a file, so that a restart forgets none; keep them for at least 30 days."""

    def __init__(self, path: str) -> None:
        self.db = sqlite3.connect(path, check_same_thread=False)
        self.db.execute("CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY, body TEXT NOT NULL)")
        self.lock = threading.Lock()

    def is_new(self, message: str, body: bytes) -> bool:
        """Keep the event; False when it was kept before: the same event is delivered again after a lost answer, or by a replay."""
        with self.lock, self.db:
            return self.db.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (message, body.decode())).rowcount == 1


def handle(event: dict[str, Any]) -> None:
    """Your part. Amounts are minor units: 4900 with eur is 49.00 EUR."""
    print(f"{event['type']} {event['invoice']} {event['recovered_minor']} {event['currency']} {event['cause']}", flush=True)


class Endpoint(BaseHTTPRequestHandler):
    """Answers 204 to what is signed, also when it came before; 401 to anything else, which Dunlin then tries again."""

    webhook: Webhook
    seen: Seen
    work: "queue.Queue[dict[str, Any]]"

    def do_POST(self) -> None:
        """Take one event."""
        length = int(self.headers.get("content-length") or 0)
        if self.path != PATH or length > LARGEST:
            return self._answer(404 if self.path != PATH else 413)
        body = self.rfile.read(length)  # the bytes as they came: parsed and written anew they would have another signature
        try:
            event = self.webhook.verify(body, dict(self.headers.items()))
        except (WebhookVerificationError, ValueError):
            return self._answer(401)
        if self.seen.is_new(self.headers["webhook-id"], body):
            self.work.put(event)
        return self._answer(204)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing for each request."""


def main() -> None:
    """Serve on a port of this machine until stopped."""
    Endpoint.webhook = Webhook(os.environ["WEBHOOK_SECRET"])
    Endpoint.seen = Seen(os.environ.get("SEEN_FILE", "seen.sqlite"))
    Endpoint.work = queue.Queue()
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8000), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"listening": server.server_address[1]}), flush=True)
    while True:
        handle(Endpoint.work.get())


if __name__ == "__main__":
    main()
