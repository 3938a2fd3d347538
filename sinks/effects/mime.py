"""A mail as bytes. Pure: the same arguments always give the same bytes."""

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import msgspec

from sinks.effects.recipients import Recipients
from sinks.effects.render import Rendered, one_line


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What stands around a mail. `unsubscribe` is an https address that takes the wish by POST (RFC 8058), empty for none."""

    sender: str
    sender_name: str
    to: Recipients
    to_name: str
    reply_to: str = ""
    message_id: str
    at: datetime
    unsubscribe: str = ""


def compose(mail: Rendered, around: Envelope) -> bytes:
    """The mail as multipart/alternative: the text, then the page."""
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(display_name=one_line(around.sender_name), addr_spec=around.sender)
    message["To"] = Address(display_name=one_line(around.to_name), addr_spec=around.to.to)
    if around.to.copies:
        message["Cc"] = [Address(addr_spec=email) for email in around.to.copies]
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(around.at)
    message["Auto-Submitted"] = "auto-generated"
    if around.reply_to:
        message["Reply-To"] = around.reply_to
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
