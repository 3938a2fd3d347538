"""Where returned mails lie: an IMAP folder over TLS, or a Maildir. What was read is moved away, what could not be read is set aside."""

import contextlib
import imaplib
import mailbox
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Protocol
from urllib.parse import unquote, urlsplit

Place = Literal["Handled", "Unread"]
TIMEOUT_SECONDS = 30.0
LARGEST_BYTES = 1 << 20
"""Of a mail that is read; the rest of a larger one says nothing about why it came back."""


class MailboxFailed(RuntimeError):
    """The mailbox does not answer as it should. The text says what and where."""


class Box(Protocol):
    """A folder with mails."""

    def mails(self) -> Iterator[tuple[str, bytes]]:
        """Each mail with the name that `move` knows it by."""

    def move(self, name: str, to: Place) -> None:
        """Put a mail into the subfolder `to`, which is made when it is not there."""

    def close(self) -> None:
        """Give it back."""


def opened(url: str) -> Box:
    """The mailbox at an address: `imaps://user:password@host[:port]/Folder`, or `maildir:/folder`.

    Raises:
        ValueError: the text is not such an address.
        MailboxFailed: the mailbox does not answer.
    """
    parts = urlsplit(url)
    if parts.scheme == "maildir" and parts.path:
        return Maildir(Path(unquote(parts.path)))
    if parts.scheme == "imaps" and parts.hostname and parts.username:
        folder = unquote(parts.path.lstrip("/")) or "INBOX"
        return Imap(parts.hostname, parts.port or 993, unquote(parts.username), unquote(parts.password or ""), folder)
    raise ValueError("DUNLIN_BOUNCE_MAILBOX_URL takes imaps://user:password@host/Folder or maildir:/folder.")


class Maildir:
    """A Maildir; subfolders are made as Maildir++ does."""

    def __init__(self, folder: Path) -> None:
        try:
            self._box = mailbox.Maildir(folder, create=False)
        except mailbox.NoSuchMailboxError as error:
            raise MailboxFailed(f"There is no Maildir at {folder}.") from error

    def mails(self) -> Iterator[tuple[str, bytes]]:
        """All mails, oldest name first."""
        for name in sorted(self._box.keys()):
            with contextlib.suppress(KeyError):  # somebody took it away meanwhile
                yield name, self._box.get_bytes(name)[:LARGEST_BYTES]

    def move(self, name: str, to: Place) -> None:
        """Move a mail; one that has gone already is not an error."""
        if name in self._box:
            self._box.add_folder(to).add(self._box.get_message(name))
            self._box.discard(name)

    def close(self) -> None:
        """Nothing is held."""


class Imap:
    """A folder of an IMAP server, over TLS with its certificate checked."""

    def __init__(self, host: str, port: int, user: str, password: str, folder: str, trusted: ssl.SSLContext | None = None) -> None:
        self._where, self._made = f"{host}:{port}", set[str]()
        try:
            context = trusted or ssl.create_default_context()
            self._imap = imaplib.IMAP4_SSL(host, port, ssl_context=context, timeout=TIMEOUT_SECONDS)
            self._imap.login(user, password)
        except (OSError, imaplib.IMAP4.error) as error:
            raise MailboxFailed(
                f"The mailbox at {self._where} does not let us in: {_words(error)}. Check DUNLIN_BOUNCE_MAILBOX_URL."
            ) from error
        self._command("SELECT", _quoted(folder))
        separator = self._separator()
        self._prefix = "" if folder.upper() == "INBOX" else f"{folder}{separator}"

    def mails(self) -> Iterator[tuple[str, bytes]]:
        """All mails that are not deleted, by their unique number."""
        numbers = b" ".join(part for part in self._command("UID", "SEARCH", "NOT DELETED") if isinstance(part, bytes))
        for number in numbers.split():
            uid = number.decode()
            found = self._command("UID", "FETCH", uid, f"(BODY.PEEK[]<0.{LARGEST_BYTES}>)")
            body = next((part[1] for part in found if isinstance(part, tuple)), None)
            if body is not None:
                yield uid, body

    def move(self, name: str, to: Place) -> None:
        """Copy a mail and delete it where it was; a copy that was made twice is better than one that was lost."""
        folder = _quoted(f"{self._prefix}Dunlin-{to}")
        if folder not in self._made:
            self._imap.create(folder)  # NO when it is there already
            self._made.add(folder)
        self._command("UID", "COPY", name, folder)
        self._command("UID", "STORE", name, "+FLAGS.SILENT", r"(\Deleted)")

    def close(self) -> None:
        """Remove what was moved and leave."""
        with contextlib.suppress(OSError, imaplib.IMAP4.error):
            self._imap.close()
            self._imap.logout()

    def _separator(self) -> str:
        [line] = self._command("LIST", '""', '""') or [b""]
        text = line.decode("ascii", "replace") if isinstance(line, bytes) else ""
        return text.split('"')[1] if text.count('"') >= 2 else "/"

    def _command(self, command: str, *arguments: str) -> list[Any]:
        try:
            if command == "UID":
                kind, found = self._imap.uid(*arguments)
            elif command == "SELECT":
                kind, found = self._imap.select(arguments[0])
            else:
                kind, found = self._imap.list(*arguments)
        except (OSError, imaplib.IMAP4.error) as error:
            raise MailboxFailed(f"The mailbox at {self._where} broke off at {command} {arguments[0]}: {_words(error)}.") from error
        if kind != "OK":
            raise MailboxFailed(f"The mailbox at {self._where} refused {command} {' '.join(arguments[:2])}: {found!r}.")
        return [part for part in found if part is not None]


def _quoted(folder: str) -> str:
    escaped = folder.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
