"""The mailbox of returned mails over IMAP: through TLS with its certificate checked, moved when told, and wrong passwords said (B53)."""

import os
import re
import shutil
import socketserver
import ssl
import subprocess
import threading

import pytest

from producers.mailbox.mailboxes import Imap, MailboxFailed

MAILS = {1: b"Subject: one\r\n\r\nfirst\r\n", 2: b"Subject: two\r\n\r\nsecond\r\n"}


class Server(socketserver.ThreadingTCPServer):
    """As much of an IMAP server as a mailbox of returned mails needs, with its folders in memory."""

    allow_reuse_address, daemon_threads = True, True

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), Session)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.folders: dict[str, dict[int, bytes]] = {"Bounces": dict(MAILS)}
        self.deleted: set[int] = set()

    def handle_error(self, request, client_address) -> None:
        """A client that does not trust us leaves in the middle of the handshake."""


class Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.say("* OK ready")
        for line in self.rfile:
            tag, command = line.decode().strip().split(" ", 1)
            self.say(f"{tag} {self.answer(command)}")
            if command == "LOGOUT":
                return

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())

    def answer(self, command: str) -> str:
        box = self.server.folders
        if command == "CAPABILITY":
            self.say("* CAPABILITY IMAP4rev1")
        elif command.startswith("LOGIN"):
            return "OK in" if command == 'LOGIN dunlin "p@ss word"' else "NO wrong password"
        elif command.startswith("LIST"):
            self.say(r'* LIST (\Noselect) "." ""')
        elif command.startswith("CREATE"):
            box.setdefault(command.split('"')[1], {})
        elif command.startswith("UID SEARCH"):
            self.say("* SEARCH " + " ".join(str(uid) for uid in box["Bounces"] if uid not in self.server.deleted))
        elif found := re.fullmatch(r"UID FETCH (\d+) \(BODY\.PEEK\[\]<0\.\d+>\)", command):
            raw = box["Bounces"][int(found[1])]
            self.wfile.write(b"* %s FETCH (UID %s BODY[]<0> {%d}\r\n%s)\r\n" % (found[1].encode(), found[1].encode(), len(raw), raw))
        elif found := re.fullmatch(r'UID COPY (\d+) "(.+)"', command):
            box[found[2]][int(found[1])] = box["Bounces"][int(found[1])]
        elif found := re.fullmatch(r"UID STORE (\d+) \+FLAGS\.SILENT \(\\Deleted\)", command):
            self.server.deleted.add(int(found[1]))
        elif command == "CLOSE":
            for uid in self.server.deleted:
                box["Bounces"].pop(uid, None)
        return "OK done"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    if shutil.which("openssl") is None:
        (pytest.fail if os.environ.get("DUNLIN_REQUIRE_ALL") == "1" else pytest.skip)("needs the program openssl")
    folder = tmp_path_factory.mktemp("certificate")
    subject = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    made = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", *subject)
    subprocess.run([*made, "-keyout", folder / "key", "-out", folder / "cert"], check=True, capture_output=True)
    return folder / "cert", folder / "key"


@pytest.fixture
def server(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    running = Server(context)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


def opened(server: Server, certificate, password: str = "p@ss word") -> Imap:
    trusted = ssl.create_default_context(cafile=str(certificate[0]))
    return Imap("127.0.0.1", server.server_address[1], "dunlin", password, "Bounces", trusted)


def test_mails_are_read_and_moved_beside_their_folder(server, certificate):
    box = opened(server, certificate)
    assert dict(box.mails()) == {str(uid): raw for uid, raw in MAILS.items()}
    box.move("1", "Handled")
    box.move("2", "Unread")
    assert dict(box.mails()) == {}
    box.close()
    assert server.folders == {"Bounces": {}, "Bounces.Dunlin-Handled": {1: MAILS[1]}, "Bounces.Dunlin-Unread": {2: MAILS[2]}}


def test_a_wrong_password_is_said_with_the_setting(server, certificate):
    with pytest.raises(MailboxFailed, match="DUNLIN_BOUNCE_MAILBOX_URL"):
        opened(server, certificate, "wrong")


def test_a_certificate_that_nobody_vouches_for_is_refused(server):
    with pytest.raises(MailboxFailed, match="certificate"):
        Imap("127.0.0.1", server.server_address[1], "dunlin", "p@ss word", "Bounces")
