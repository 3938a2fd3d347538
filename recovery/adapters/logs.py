"""Logging: one line per thing that happened, key=value, no addresses and no names of people (B94)."""

import logging
import re
import sys
import time
from collections.abc import Callable

import structlog

_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")


def scrub(text: str) -> str:
    """The text with every e-mail address replaced, for anything that came from outside and is written down."""
    return _ADDRESS.sub("<address>", text)


class _Scrubbed(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return scrub(super().format(record))


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
    handler.setFormatter(_Scrubbed("%(asctime)s %(levelname)s %(name)s %(message)s", datefmt="%H:%M:%S"))
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
