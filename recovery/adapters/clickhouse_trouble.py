"""Explains in one sentence why ClickHouse cannot be used, and what to do. Addresses are shown without their password."""

import re
from urllib.parse import urlsplit

_LOGIN = "ClickHouse at {place} refuses the login of user {user} ({said}): check user and password in DUNLIN_CLICKHOUSE_URL."
_RIGHT = "ClickHouse at {place} withholds a right from user {user} ({said}): grant it what docs/operations.md lists, then start again."
_TABLES = (
    "ClickHouse at {place} has not the tables yet ({said}): they are created by `python -m sinks migrate`, which `dunlin up` runs first."
)
_AWAY = "ClickHouse at {place} cannot be reached ({said}): is it running (`dunlin status`), and is DUNLIN_CLICKHOUSE_URL right?"
_OTHER = "ClickHouse at {place} answers with an error ({said}); see its log."

_BY_NAME = {
    "AUTHENTICATION_FAILED": _LOGIN,
    "REQUIRED_PASSWORD": _LOGIN,
    "UNKNOWN_USER": _LOGIN,
    "WRONG_PASSWORD": _LOGIN,
    "IP_ADDRESS_NOT_ALLOWED": _LOGIN,
    "USER_SESSION_LIMIT_EXCEEDED": _LOGIN,
    "ACCESS_DENIED": _RIGHT,
    "READONLY": _RIGHT,
    "UNKNOWN_TABLE": _TABLES,
    "UNKNOWN_DATABASE": _TABLES,
}
_NAMES = re.compile(r"\b([A-Z]{2,}(?:_[A-Z]{2,})*)\b")
_REASON = re.compile(r"(?:\[Errno -?\d+\] |: )((?:Connection|Network|No route|Name or|Temporary failure|timed out|Read timed)[\w ]*)")
_CODE = re.compile(r"(?i)\bcode: ?\d+")


def refused(error: Exception) -> bool:
    """Whether waiting does not cure it: the server answered and does not let this user do it."""
    return _meaning(str(error)) in {_LOGIN, _RIGHT}


def sentence(url: str, error: Exception) -> str:
    """What an error of a client of this address means."""
    parts = urlsplit(url)
    place = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
    text = " ".join(str(error).split())
    return _meaning(text).format(place=place, user=parts.username or "default", said=_short(text, parts.password).rstrip("."))


def _meaning(text: str) -> str:
    for name in _NAMES.findall(text):
        if name in _BY_NAME:
            return _BY_NAME[name]
    return _OTHER if _CODE.search(text) else _AWAY


def _short(text: str, password: str | None) -> str:
    """The words of the server or of the operating system, without what the client wraps around them."""
    known = _REASON.search(text)
    message = text.partition("DB::Exception: ")[2] or (known[1] if known else text)
    message = message.replace(password, "***") if password else message
    return message[:200]
