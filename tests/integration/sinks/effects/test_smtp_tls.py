"""Mail over TLS with a password, against a real mail server: STARTTLS and TLS from the start, and never a password in the clear."""

import os
import shutil
import ssl
import subprocess

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from dunlin.stack.ports import free_ports
from sinks.effects.mail.smtp import MailServer, TemporaryFailure, address

MAIL = b"Subject: x\r\n\r\nhello\r\n"


class Box:
    """Keeps what arrives, and every user name and password that is tried."""

    def __init__(self):
        self.mails, self.tried, self.secure = [], [], []

    def authenticator(self, _server, session, _envelope, _mechanism, data):
        self.tried.append((data.login, data.password))
        self.secure.append(session.ssl is not None)
        return AuthResult(success=(data.login, data.password) == (b"dunlin@here", b"p@ss:word"), handled=False)

    async def handle_DATA(self, _server, _session, envelope):
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return "250 taken"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that nobody has signed but itself, and its key."""
    if shutil.which("openssl") is None:
        (pytest.fail if os.environ.get("DUNLIN_REQUIRE_ALL") == "1" else pytest.skip)("needs the program openssl")
    folder = tmp_path_factory.mktemp("certificate")
    subject = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    made = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", *subject)
    subprocess.run([*made, "-keyout", folder / "key", "-out", folder / "cert"], check=True, capture_output=True)
    return folder / "cert", folder / "key"


@pytest.fixture
def trusted(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))


@pytest.fixture
def serve(certificate):
    """Starts a server; answers its box and port."""
    running = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def start(**how):
        box = Box()
        how = {key: context if value == "the certificate" else value for key, value in how.items()}
        (port,) = free_ports(1)
        controller = Controller(box, hostname="127.0.0.1", port=port, authenticator=box.authenticator, **how)
        controller.start()
        running.append(controller)
        return box, port

    yield start
    for controller in running:
        controller.stop()


def send(url, **more):
    mails = MailServer(address(url), timeout=5)
    for _ in range(2):
        mails.deliver("a@here.example", "b@there.example", MAIL, lambda: None, **more)


STARTTLS = {"tls_context": "the certificate", "require_starttls": True, "auth_required": True}


def test_over_starttls_the_password_is_sent_encrypted_and_once_per_connection(serve, trusted):
    box, port = serve(**STARTTLS)
    send(f"smtp://dunlin%40here:p%40ss%3Aword@127.0.0.1:{port}")
    assert len(box.mails) == 2
    assert box.tried == [(b"dunlin@here", b"p@ss:word")]
    assert box.secure == [True]


def test_over_tls_from_the_start_the_mail_and_the_password_arrive(serve, trusted):
    box, port = serve(ssl_context="the certificate", auth_require_tls=False)
    send(f"smtps://dunlin%40here:p%40ss%3Aword@127.0.0.1:{port}")
    assert (len(box.mails), box.tried) == (2, [(b"dunlin@here", b"p@ss:word")])


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_server_whose_certificate_nobody_vouches_for_gets_neither_password_nor_mail(serve, scheme):
    how = STARTTLS if scheme == "smtp" else {"ssl_context": "the certificate", "auth_require_tls": False}
    box, port = serve(**how)
    with pytest.raises(TemporaryFailure, match="SSLCertVerificationError"):
        send(f"{scheme}://dunlin%40here:p%40ss%3Aword@127.0.0.1:{port}")
    assert (box.mails, box.tried) == ([], [])


def test_a_wrong_password_delays_the_mail_and_is_not_told(serve, trusted):
    box, port = serve(**STARTTLS)
    with pytest.raises(TemporaryFailure, match="SMTPAuthenticationError") as told:
        send(f"smtp://dunlin%40here:wrong-one@127.0.0.1:{port}")
    assert "wrong-one" not in str(told.value)
    assert box.mails == []


def test_a_server_elsewhere_without_tls_gets_no_password(serve, monkeypatch):
    box, port = serve(auth_require_tls=False)
    monkeypatch.setattr("sinks.effects.mail.smtp.Address.is_this_machine", False)
    with pytest.raises(TemporaryFailure, match="SMTPException"):
        send(f"smtp://dunlin%40here:p%40ss%3Aword@127.0.0.1:{port}")
    assert (box.mails, box.tried) == ([], [])


def test_copies_are_handed_over_with_the_mail(serve):
    box, port = serve()
    send(f"smtp://127.0.0.1:{port}", others=("c@there.example", "d@there.example"))
    assert [rcpt for _, rcpt, _ in box.mails] == [["b@there.example", "c@there.example", "d@there.example"]] * 2
