"""The effects sink as a process, between a real Kafka and the sandbox."""

import socketserver
import threading
from collections.abc import Callable, Iterator

import pytest

from recovery.adapters.kafka import create_topics
from tests.support.effects_harness import KEY, World, make_world


@pytest.fixture(scope="session")
def topics(kafka: str) -> str:
    create_topics(kafka, "dunlin", 4, 1)
    return kafka


@pytest.fixture(scope="session")
def shared_world(topics: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = make_world(topics, tmp_path_factory.mktemp("effects"))
    yield world
    world.close()


@pytest.fixture
def world(shared_world: World) -> Iterator[World]:
    """The one sandbox of these tests with its ledger; each test takes invoices of its own and starts its own sink."""
    yield shared_world
    shared_world.stop_sinks()
    shared_world.order(clear=True)
    (shared_world.home / "key").write_text(KEY)


class DroppingMailServer(socketserver.ThreadingTCPServer):
    """Takes every mail and, for the first `drops` of them, hangs up instead of saying so."""

    daemon_threads = True

    def __init__(self, drops: int) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.drops, self.mails = drops, list[bytes]()
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.server_address[1]}"


class _Conversation(socketserver.StreamRequestHandler):
    server: DroppingMailServer

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                self.server.mails.append(b"".join(iter(self.rfile.readline, b".\r\n")))
                if len(self.server.mails) <= self.server.drops:
                    return
            self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 yes\r\n")


@pytest.fixture
def dropping() -> Iterator[Callable[[int], DroppingMailServer]]:
    made: list[DroppingMailServer] = []

    def make(drops: int) -> DroppingMailServer:
        made.append(DroppingMailServer(drops))
        return made[-1]

    yield make
    for server in made:
        server.shutdown()
        server.server_close()
