"""Mails that come back, read: delivery reports (RFC 3464) and complaints of mailbox providers (RFC 5965). Pure, and total on any bytes."""

import re
from email import message_from_bytes, policy
from email.message import Message
from email.parser import HeaderParser
from typing import Any

from producers.mailbox.bounce_attribution import DeliveryReport

_STATUS = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_CONTENT_TYPE = re.compile(rb"^content-type:[^\n]*+(?:\n[ \t][^\n]*+)*+", re.IGNORECASE | re.MULTILINE)
LONGEST_CONTENT_TYPE = 4_096
"""Bytes; the time that `email` takes grows with the square of this header's length, before any other check."""
READ_OF_DIAGNOSTIC = 2_000
"""Characters of a server's reply that are searched."""
_NOT_THE_ADDRESS = frozenset({"2.2", "2.3", "3", "6", "7"})
"""Subjects (RFC 3463) of a permanent failure that say nothing against the address: mailbox full, message too long, the system, the
content, a policy. They count as soft."""
_COMPLAINTS = frozenset({"abuse", "fraud", "opt-out", "opt-out-list", "other", "virus"})


class NotAReport(ValueError):
    """The mail is not a readable report: a reply by a person, an out-of-office note, a report without a recipient."""


def notices(raw: bytes) -> list[DeliveryReport]:
    """The report of a returned mail (a DSN, RFC 3464) for each recipient; empty for one that reports success. Raises NotAReport."""
    if any(len(found[0]) > LONGEST_CONTENT_TYPE for found in _CONTENT_TYPE.finditer(raw)):
        raise NotAReport(f"A header Content-Type has more than {LONGEST_CONTENT_TYPE:,} bytes.")
    try:
        mail = message_from_bytes(raw, policy=policy.compat32)
        kind = str(mail.get_param("report-type", "")).lower()
        if mail.get_content_type() != "multipart/report" or kind not in {"delivery-status", "feedback-report"}:
            raise NotAReport(f"It is not a report but {mail.get_content_type()}.")
        original = _original(mail)
        return _bounces(mail, original) if kind == "delivery-status" else _complaint(mail, original)
    except NotAReport:
        raise
    except Exception as error:  # the library gives up in its own ways on what is no mail; who reads the folder decides
        raise NotAReport(f"It cannot be read: {type(error).__name__}.") from error


def is_hard(status: str, diagnostic: str) -> bool:
    """Whether an enhanced status code means that the address does not exist: 5.x.x, except faults of other kinds (RFC 3463)."""
    match = _STATUS.search(status) or _STATUS.search(diagnostic)
    if match and match[0].endswith(".0.0"):  # unspecified; the server's own words are often better
        match = _STATUS.search(diagnostic) or match
    if match is None or match[1] != "5":
        return False
    return match[2] not in _NOT_THE_ADDRESS and f"{match[2]}.{match[3]}" not in _NOT_THE_ADDRESS


def _bounces(mail: Message, original: Message) -> list[DeliveryReport]:
    blocks = [block for part in mail.walk() if part.get_content_type() == "message/delivery-status" for block in _payload(part)]
    reported = [block for block in blocks if block["Final-Recipient"] or block["Original-Recipient"]]
    if not reported:
        raise NotAReport("It names no recipient.")
    return [_bounce(block, original) for block in reported if _word(block, "Action") in {"failed", "delayed"}]


def _bounce(block: Message, original: Message) -> DeliveryReport:
    status, diagnostic = _word(block, "Status"), _typed(block, "Diagnostic-Code")
    hard = _word(block, "Action") == "failed" and is_hard(status, diagnostic)
    recipient = _typed(block, "Original-Recipient") or _typed(block, "Final-Recipient")
    return _notice(original, kind="bounced", hard=hard, why=f"{status} {diagnostic}".strip(), recipient=recipient)


def _complaint(mail: Message, original: Message) -> list[DeliveryReport]:
    reports = [block for part in mail.walk() if part.get_content_type() == "message/feedback-report" for block in _payload(part)]
    if not reports:
        raise NotAReport("It holds no report.")
    kind = _word(reports[0], "Feedback-Type")
    if kind not in _COMPLAINTS:
        return []
    recipient = _typed(reports[0], "Original-Rcpt-To") or str(original["To"] or "")
    return [_notice(original, kind="complained", why=kind, recipient=recipient.strip().strip("<>"))]


def _notice(original: Message, **fields: Any) -> DeliveryReport:
    message_id, unsubscribe = str(original["Message-ID"] or "").strip(), str(original["List-Unsubscribe"] or "")
    return DeliveryReport(**fields, message_id=message_id, unsubscribe="".join(unsubscribe.split()))


def _original(mail: Message) -> Message:
    """The headers of the mail that is reported, whether it came whole or as headers alone."""
    for part in mail.walk():
        if part.get_content_type() == "message/rfc822" and _payload(part):
            return _payload(part)[0]
        if part.get_content_type() == "text/rfc822-headers":
            raw = part.get_payload(decode=True)
            return HeaderParser().parsestr(raw.decode("utf-8", "replace") if isinstance(raw, bytes) else "")
    return Message()


def _payload(part: Message) -> list[Message]:
    inside = part.get_payload()
    if isinstance(inside, list):
        return [each for each in inside if isinstance(each, Message)]
    return [HeaderParser().parsestr(str(inside))]


def _word(block: Message, name: str) -> str:
    return str(block[name] or "")[:READ_OF_DIAGNOSTIC].strip().lower()


def _typed(block: Message, name: str) -> str:
    """The value of a typed field: `rfc822; a@b.example` without its type."""
    value = " ".join(str(block[name] or "")[:READ_OF_DIAGNOSTIC].split())
    return value.partition(";")[2].strip() if ";" in value else value
