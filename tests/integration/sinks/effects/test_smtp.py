"""The mail server's answers at the socket, step by step."""

import socketserver
import threading

import pytest

from sinks.effects.mail.smtp import DeliveryUnknown, MailServer, PermanentFailure, TemporaryFailure, address


class ScriptedServer(socketserver.ThreadingTCPServer):
    """Says what the script holds for a step, `250 yes` otherwise; None hangs up. Counts connections, claims nothing."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.script, self.connections, self.mails, self.recipients = {}, 0, [], {}
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def mail_server(self):
        return MailServer(address(f"smtp://127.0.0.1:{self.server_address[1]}"), timeout=5)


class _Conversation(socketserver.StreamRequestHandler):
    def handle(self):
        self.server.connections += 1
        self.wfile.write(b"220 here\r\n")
        begun = False
        while line := self.rfile.readline():
            verb = line[:4].upper().decode()
            said = self.server.script.get(verb, "354 go on" if verb == "DATA" else "250 yes")
            if verb == "RCPT":
                said = next((answer for start, answer in self.server.recipients.items() if f"<{start}" in line.decode()), said)
            if said is None:
                return
            if verb == "MAIL" and begun:
                said = "503 one mail at a time"
            begun = verb in {"MAIL", "RCPT"} and (begun or said.startswith("250"))
            self.wfile.write(said.encode() + b"\r\n")
            if said.startswith("354") and not self._take():
                return

    def _take(self):
        self.server.mails.append(b"".join(iter(self.rfile.readline, b".\r\n")))
        said = self.server.script.get("END", "250 taken")
        if said is not None:
            self.wfile.write(said.encode() + b"\r\n")
        return said is not None


@pytest.fixture
def server():
    server = ScriptedServer()
    yield server
    server.shutdown()
    server.server_close()


def send(mails, claim=lambda: None):
    mails.deliver("a@here.example", "b@there.example", b"Subject: x\r\n\r\nhello\r\n", claim)


def test_two_mails_of_a_thread_share_one_connection(server):
    mails = server.mail_server()
    send(mails)
    send(mails)
    assert (server.connections, len(server.mails)) == (1, 2)


@pytest.mark.parametrize(
    ("step", "said", "kind", "claimed"),
    [
        ("MAIL", "451 resting", TemporaryFailure, 0),
        ("RCPT", "450 greylisted", TemporaryFailure, 0),
        ("RCPT", "550 no such user", PermanentFailure, 0),
        ("RCPT", None, TemporaryFailure, 0),
        ("DATA", "451 not now", TemporaryFailure, 1),
        ("DATA", "554 no", PermanentFailure, 1),
        ("END", "452 full", TemporaryFailure, 1),
        ("END", "554 spam", PermanentFailure, 1),
        ("END", None, DeliveryUnknown, 1),
        ("DATA", None, DeliveryUnknown, 1),
    ],
)
def test_each_end_of_a_conversation_is_told_apart_and_the_next_mail_goes_out(server, step, said, kind, claimed):
    mails, claims = server.mail_server(), []
    server.script = {step: said}
    with pytest.raises(kind) as told:
        send(mails, lambda: claims.append(1))
    assert "@" not in str(told.value)
    assert len(claims) == claimed
    server.script = {}
    before = len(server.mails)
    send(mails)
    assert len(server.mails) == before + 1


def test_a_refused_claim_hands_nothing_over(server):
    mails = server.mail_server()

    def refuse():
        raise LookupError("withdrawn")

    with pytest.raises(LookupError):
        send(mails, refuse)
    assert server.mails == []
    send(mails)
    assert len(server.mails) == 1


def test_a_server_that_is_not_there_defers(server):
    server.server_close()
    with pytest.raises(TemporaryFailure, match="no connection"):
        send(MailServer(address("smtp://127.0.0.1:1"), timeout=1))


@pytest.mark.parametrize(
    ("answers", "refused"),
    [
        ({"b@": "550 gone"}, ("b@there.example",)),
        ({"c@": "550 gone"}, ("c@there.example",)),
        ({"c@": "450 later", "d@": "550 gone"}, ("d@there.example",)),
        ({}, ()),
    ],
)
def test_one_recipient_that_is_refused_does_not_keep_the_mail_from_the_others(server, answers, refused):
    """B56."""
    server.recipients = answers
    gone = server.mail_server().deliver("a@here.example", "b@there.example", b"x\r\n", lambda: None, ("c@there.example", "d@there.example"))
    assert gone == refused
    assert len(server.mails) == 1


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ({"b@": "450 later"}, TemporaryFailure),
        ({"b@": "550 gone", "c@": "550 gone"}, PermanentFailure),
        ({"b@": "550 gone", "c@": None}, TemporaryFailure),
    ],
)
def test_a_mail_whose_first_recipient_must_wait_or_that_nobody_takes_is_not_handed_over(server, answers, kind):
    server.recipients, claims = answers, []
    with pytest.raises(kind):
        server.mail_server().deliver("a@here.example", "b@there.example", b"x\r\n", lambda: claims.append(1), ("c@there.example",))
    assert (server.mails, claims) == ([], [])
