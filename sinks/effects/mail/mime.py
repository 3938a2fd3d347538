"""A mail as bytes. Pure: the same arguments always give the same bytes."""

from collections.abc import Sequence
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.policy import SMTP
from email.utils import format_datetime, getaddresses

import msgspec

from recovery.email_addresses import is_address
from recovery.presentation.messages.mail_content import Rendered
from recovery.presentation.messages.untrusted_text import LONGEST_NAME, in_header, one_line, person
from sinks.effects.mail.recipients import Recipients


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The headers around a mail. `unsubscribe` is an https address that accepts the POST of RFC 8058, empty without one."""

    sender: str
    sender_name: str
    to: Recipients
    to_name: str
    reply_to: str = ""
    message_id: str
    at: datetime
    unsubscribe: str = ""


def compose(mail: Rendered, around: Envelope) -> bytes:
    """The mail as multipart/alternative: the text, then the page.

    What is written is read again, and must have the headers that were meant: names and subjects are strangers' words, which the e-mail
    library decodes and folds in its own ways. A mail that does not pass is written without names and with a subject in ASCII.

    Raises:
        ValueError: not even that passes.

    """
    plain = msgspec.structs.replace(around, sender_name="", to_name="")
    subject = in_header(mail.subject).encode("ascii", "replace").decode()
    for wanted, envelope in ((mail, around), (msgspec.structs.replace(mail, subject=subject), plain)):
        try:
            written = _written(wanted, envelope)
        except (ValueError, MessageError):
            continue
        if _reads_as_meant(written, wanted, envelope):
            return written
    raise ValueError("The mail's headers cannot be written so that they are read as meant.")


def _written(mail: Rendered, around: Envelope) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(display_name=in_header(around.sender_name, LONGEST_NAME), addr_spec=around.sender)
    message["To"] = Address(display_name=person(around.to_name), addr_spec=around.to.to)
    if around.to.copies:
        message["Cc"] = [Address(addr_spec=email) for email in around.to.copies]
    message["Subject"] = in_header(mail.subject)
    message["Date"] = format_datetime(around.at)
    message["Auto-Submitted"] = "auto-generated"
    if is_address(around.reply_to):
        message["Reply-To"] = Address(addr_spec=around.reply_to)
    message.set_content(mail.text, cte="quoted-printable")
    message.add_alternative(mail.html, subtype="html", cte="quoted-printable")
    message["Content-Language"] = mail.language  # set earlier, it would move into the text part
    message.set_boundary(f"=_{around.message_id.strip('<>').partition('@')[0][:60]}")
    return _unfolded(around) + message.as_bytes()


def _unfolded(around: Envelope) -> bytes:
    """The headers that programs compare or follow. Folded they would be valid, but not all read them so, and long ones would be encoded."""
    lines = [f"Message-ID: {around.message_id}"]
    if around.unsubscribe:
        lines += [f"List-Unsubscribe: <{around.unsubscribe}>", "List-Unsubscribe-Post: List-Unsubscribe=One-Click"]
    return "".join(f"{one_line(line)}\r\n" for line in lines).encode("ascii")


_NAMES = {
    "message-id",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "from",
    "to",
    "cc",
    "subject",
    "date",
    "auto-submitted",
    "reply-to",
    "content-type",
    "content-language",
    "mime-version",
}


def _reads_as_meant(written: bytes, mail: Rendered, around: Envelope) -> bool:
    """Whether a mail program finds the headers that were meant, each once and no others: addresses, subject and kind of body."""
    read = BytesHeaderParser(policy=SMTP).parsebytes(written)
    names = [name.lower() for name in read]
    return (
        len(names) == len(set(names))
        and _NAMES.issuperset(names)
        and _addresses(read.get_all("From")) == [around.sender]
        and _addresses(read.get_all("To")) == [around.to.to]
        and _addresses(read.get_all("Cc")) == list(around.to.copies)
        and _addresses(read.get_all("Reply-To")) == ([around.reply_to] if is_address(around.reply_to) else [])
        and "".join(str(read["Subject"]).split()) == "".join(in_header(mail.subject).split())  # folding may add a space
        and read.get_content_type() == "multipart/alternative"
    )


def _addresses(headers: Sequence[object] | None) -> list[str]:
    return [address for _, address in getaddresses([str(header) for header in headers or ()])]
