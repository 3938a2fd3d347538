"""A delivery goes to the address that was checked, and is given only to whoever proves there to be the host that the url names."""

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sinks.effects.webhooks.sender import Sender
from sinks.effects.webhooks.ssrf_guard import AddressPolicy
from tests.support.services.webhook_receiver import Receiver

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")


class World:
    """A receiver that speaks TLS as hooks.example, and a sender that trusts its certificate and is told by `names` where hosts are."""

    def __init__(self, receiver: Receiver, folder: Path) -> None:
        self.receiver, self.asked = receiver, list[str]()
        self.answers, self.said = [["127.0.0.1"]], list[str | None]()
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        server.sni_callback = lambda socket, name, context: self.said.append(name)
        receiver.server.socket = server.wrap_socket(receiver.server.socket, server_side=True)
        trusted = ssl.create_default_context(cafile=str(folder / "cert.pem"))
        self.sender = Sender(AddressPolicy(private=True), lambda: datetime.now(UTC), resolve=self.resolve, total=5, trusted=trusted)

    def resolve(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    subject = ["-subj", "/CN=hooks.example", "-addext", "subjectAltName=DNS:hooks.example", "-days", "2"]
    files = ["-keyout", "key.pem", "-out", "cert.pem", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run(["openssl", "req", "-x509", *files, *subject], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def world(folder: Path) -> Iterator[World]:
    with Receiver() as receiver:
        world = World(receiver, folder)
        yield world
        world.sender.close()


def test_the_host_is_named_and_verified_at_the_checked_address(world: World) -> None:
    found = world.sender.send(f"https://hooks.example:{world.receiver.port}/x", b"{}", {"webhook-id": "msg_1"})
    assert found.delivered, found.why
    assert world.said == ["hooks.example"]
    assert world.receiver.headers[0]["host"] == f"hooks.example:{world.receiver.port}"


def test_a_certificate_of_another_host_gets_nothing(world: World) -> None:
    found = world.sender.send(f"https://other.example:{world.receiver.port}/x", b"{}", {"webhook-id": "msg_1"})
    assert not found.delivered
    assert "certificate" in found.why
    assert not world.receiver.seen


def test_a_name_is_resolved_once_so_that_a_second_answer_changes_nothing(world: World) -> None:
    """DNS rebinding: what was checked is what is connected to."""
    world.answers = [["127.0.0.1"], ["127.0.0.9"]]
    found = world.sender.send(f"https://hooks.example:{world.receiver.port}/x", b"{}", {"webhook-id": "msg_1"})
    assert found.delivered, found.why
    assert world.asked == ["hooks.example"]


def test_a_name_server_that_hangs_and_an_address_that_refuses_hold_nobody_up(world: World) -> None:
    world.answers = [["127.0.0.2", "127.0.0.1"]]
    assert world.sender.send(f"https://hooks.example:{world.receiver.port}/x", b"{}", {"webhook-id": "msg_1"}).delivered
    world.sender._total = 0.1
    world.sender._resolve = lambda host, port: world.receiver.closing.wait(1) and []  # type: ignore[assignment,return-value]  # never in time
    assert "not resolved within" in world.sender.send("https://hooks.example/x", b"{}", {}).why
