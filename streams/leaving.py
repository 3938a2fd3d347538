"""How a worker leaves: at once, with an exit code that tells its supervisor what to do next."""

import logging
import os
from collections.abc import Callable
from typing import NoReturn, ParamSpec, TypeVar

import confluent_kafka as kafka

from recovery.adapters.kafka_trouble import said
from streams.settle import CannotOpen

log = logging.getLogger(__name__)

RESTART = 70  # exit code: a restart continues from the last good transaction
STAY_DOWN = 75  # exit code: somebody has to look first

P = ParamSpec("P")
T = TypeVar("T")


def or_leave(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call, and leave the process on any failure: nothing of a failed batch is visible, its input counts as unread.

    An agent that raised would live on: Faust acknowledges the failing message and goes on with the next one.
    """
    try:
        return call(*args, **kwargs)
    except CannotOpen as error:
        leave(STAY_DOWN, str(error))
    except kafka.KafkaException as error:
        leave(RESTART, f"{call.__qualname__} failed. {said(error)}")
    except BaseException as error:
        log.critical("%s failed", call.__qualname__, exc_info=True)
        leave(RESTART, f"{call.__qualname__} failed: {error!r}")


def leave(code: int, reason: str) -> NoReturn:
    """End the process now, without Faust's shutdown: that would wait for the very thing that failed."""
    log.critical("leaving with exit code %s (%s): %s", code, "stay down" if code == STAY_DOWN else "restart", reason)
    logging.shutdown()
    os._exit(code)
