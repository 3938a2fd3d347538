"""Delivers a mail to a mail server and distinguishes three results: accepted, refused, and broken off when it may have been accepted.

smtplib's own `sendmail` does not show whether a connection broke before or after the delivery; here each step is taken singly.
"""

import contextlib
import ipaddress
import smtplib
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from urllib.parse import unquote, urlsplit

import msgspec

from sinks.effects.delivery_errors import DeliveryUnknown, PermanentFailure, TemporaryFailure

__all__ = ["Address", "DeliveryUnknown", "MailServer", "PermanentFailure", "TemporaryFailure", "address"]
TIMEOUT = 15.0
"""Wall seconds for each step of the conversation."""
IDLE_SECONDS = 20.0
"""A connection unused for longer is opened anew: servers hang up on idle clients."""


class Address(msgspec.Struct, frozen=True):
    """Where the mail server is, from `smtp://[user:password@]host:port` or `smtps://...`."""

    host: str
    port: int
    user: str = ""
    password: str = ""
    tls_from_start: bool = False

    @property
    def is_this_machine(self) -> bool:
        """Whether mails stay on this machine."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def address(url: str) -> Address:
    """The mail server in a setting. Raises ValueError saying what is wrong."""
    parts = urlsplit(url)
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise ValueError("DUNLIN_SMTP_URL must have the form smtp://user:password@host:587 or smtps://user:password@host:465.")
    secure = parts.scheme == "smtps"
    port = parts.port or (465 if secure else 25)
    return Address(parts.hostname, port, unquote(parts.username or ""), unquote(parts.password or ""), secure)


class MailServer:
    """One connection per thread, reused; TLS whenever the server offers it, always before a password is sent."""

    def __init__(self, where: Address, timeout: float = TIMEOUT) -> None:
        self._where, self._timeout = where, timeout
        self._here = threading.local()
        self._context = ssl.create_default_context()  # reading the machine's certificates takes 10 ms and more

    def deliver(self, sender: str, recipient: str, mail: bytes, claim: Callable[[], object], others: Sequence[str] = ()) -> tuple[str, ...]:
        """Return when the server has taken the mail, with those recipients that it refuses for good while it takes others.

        `claim` is called just before the mail is handed over, and may raise. One of the `others` that is refused is left out.

        Raises:
            Deferred, RefusedForGood: the mail was not taken.
            Unclear: it may have been taken.

        """
        smtp = self._connected()
        try:
            _expect(smtp.mail(sender), 250, "the sender")
            refused = self._recipients(smtp, recipient, others)
        except (OSError, smtplib.SMTPException) as error:
            self._hang_up()
            raise TemporaryFailure(f"the mail server hung up: {type(error).__name__}") from error
        except (TemporaryFailure, PermanentFailure):
            self._reset(smtp)
            raise
        try:
            claim()
        except BaseException:
            self._reset(smtp)
            raise
        self._data(smtp, mail)
        return refused

    def _recipients(self, smtp: smtplib.SMTP, recipient: str, others: Sequence[str]) -> tuple[str, ...]:
        refusals: dict[str, TemporaryFailure | PermanentFailure] = {}
        for one in (recipient, *others):
            try:
                _expect(smtp.rcpt(one), 250, "the recipient")
            except (TemporaryFailure, PermanentFailure) as error:
                if one == recipient and isinstance(error, TemporaryFailure):
                    raise
                refusals[one] = error
        if len(refusals) == 1 + len(others):
            raise refusals[recipient]
        return tuple(one for one, refusal in refusals.items() if isinstance(refusal, PermanentFailure))

    def _data(self, smtp: smtplib.SMTP, mail: bytes) -> None:
        try:
            answer = smtp.data(mail)
        except smtplib.SMTPDataError as error:  # refused before any content was sent
            self._reset(smtp)
            raise _refusal(error.smtp_code, "the mail") from error
        except (OSError, smtplib.SMTPException) as error:
            self._hang_up()
            raise DeliveryUnknown(f"the connection broke while the mail was handed over: {type(error).__name__}") from error
        self._here.used = time.monotonic()
        _expect(answer, 250, "the mail")

    def _connected(self) -> smtplib.SMTP:
        smtp: smtplib.SMTP | None = getattr(self._here, "smtp", None)
        if smtp is not None and time.monotonic() - self._here.used < IDLE_SECONDS:
            return smtp
        self._hang_up()
        try:
            smtp = self._open()
        except (OSError, smtplib.SMTPException) as error:
            raise TemporaryFailure(f"no connection to the mail server: {type(error).__name__}") from error
        self._here.smtp, self._here.used = smtp, time.monotonic()
        return smtp

    def _open(self) -> smtplib.SMTP:
        where, context = self._where, self._context
        if where.tls_from_start:
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(where.host, where.port, timeout=self._timeout, context=context)
        else:
            smtp = smtplib.SMTP(where.host, where.port, timeout=self._timeout)
        smtp.ehlo_or_helo_if_needed()
        if not where.tls_from_start and smtp.has_extn("starttls"):
            smtp.starttls(context=context)
            smtp.ehlo()
        elif where.user and not where.tls_from_start and not where.is_this_machine:
            smtp.close()
            raise smtplib.SMTPException("the server offers no TLS, so the password is not sent")
        if where.user:
            smtp.login(where.user, where.password)
        return smtp

    def _reset(self, smtp: smtplib.SMTP) -> None:
        try:
            smtp.rset()
        except (OSError, smtplib.SMTPException):
            self._hang_up()

    def _hang_up(self) -> None:
        smtp: smtplib.SMTP | None = getattr(self._here, "smtp", None)
        self._here.smtp = None
        if smtp is not None:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                smtp.close()


def _expect(answer: tuple[int, bytes], code: int, what: str) -> None:
    if answer[0] // 10 != code // 10:  # 250 and 251 both mean yes
        raise _refusal(answer[0], what)


def _refusal(code: int, what: str) -> TemporaryFailure | PermanentFailure:
    text = f"the mail server refused {what} with {code}"
    return PermanentFailure(text) if 500 <= code < 600 else TemporaryFailure(text)
