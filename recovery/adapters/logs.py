"""Logging: one line per thing that happened, key=value, no addresses, no names of people and no secrets (B94)."""

import logging
import re
import sys
import time
from collections.abc import Callable
from types import TracebackType

import structlog

from recovery.presentation.printable import printable

_SECRETS = (
    ("hooks.slack", re.compile(r"https?://hooks\.slack[\w.-]{0,40}/\S{1,500}"), "<slack address>"),
    ("://", re.compile(r"(?<=://)[^\s/@:]{0,200}:[^\s/@]{1,200}@"), "<login>@"),
    ("_", re.compile(r"(?<![A-Za-z0-9])(?:sk|rk|ek)_[A-Za-z0-9_]{4,300}"), "<key>"),
    ("whsec_", re.compile(r"whsec_[\w+/=-]{1,300}"), "<secret>"),
    ("xox", re.compile(r"\bxox[a-z]-[\w-]{4,300}"), "<key>"),
    ("@", re.compile(r"[\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{1,200}"), "<address>"),
    ("+", re.compile(r"\+[1-9](?:[ ()./-]{0,2}\d){6,14}"), "<number>"),
    ("00", re.compile(r"(?<![\w.,:-])00[1-9](?:[ ()/-]{0,2}\d){7,13}(?![\w.,:-]\d)"), "<number>"),
)
"""What a text must contain to be searched, the pattern, and the replacement. All quantifiers are bounded, so the search takes linear
time."""

LONGEST_SCRUBBED = 20_000
"""Characters of a text that are kept."""


def scrub(text: str) -> str:
    """The text without e-mail addresses, telephone numbers, keys and secrets, for anything that came from outside and is written down.

    It is cut before it is searched.
    """
    text = text[:LONGEST_SCRUBBED]
    for hint, pattern, instead in _SECRETS:
        if hint in text:
            text = pattern.sub(instead, text)
    return text


class OneLine(logging.Formatter):
    """A record as one line in which strangers' words can neither begin another nor drive a terminal; a traceback is indented below."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line."""
        return scrub(printable(super().formatMessage(record)))

    def formatException(self, ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]) -> str:
        """The lines of a traceback."""
        return _below(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:
        """The lines of a stack."""
        return _below(stack_info)


LINES = 200
"""Lines of a traceback that are written: its end says what happened."""


def _below(text: str) -> str:
    return "\n".join(f"    {scrub(printable(line))}" for line in text.splitlines()[-LINES:])


NOISY = ("librdkafka", "aiokafka", "urllib3", "clickhouse_connect")
"""Libraries that write up to 20 lines a second while a server is away."""
ONCE_IN = 5.0
"""Seconds between two lines of a noisy library."""


class Calm(logging.Filter):
    """Lets a noisy library say one thing in five seconds; everybody else may speak freely."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._monotonic = monotonic
        self._spoke: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written."""
        library = record.name.partition(".")[0]
        if library not in NOISY:
            return True
        now, before = self._monotonic(), self._spoke.get(library)
        if before is not None and now - before < ONCE_IN:
            return False
        self._spoke[library] = now
        return True


def set_up(level: str = "info") -> None:
    """Log to standard error in one line each; called once by an entry point."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine("%(asctime)s %(levelname)s %(name)s %(message)s", datefmt="%H:%M:%S"))
    handler.addFilter(Calm())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.format_exc_info,
            structlog.stdlib.render_to_log_kwargs,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
