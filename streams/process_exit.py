"""Exit codes of a worker for its supervisor: 70 = restart me, 75 = do not restart; an operator must act."""

import logging
import os
from collections.abc import Callable
from typing import NoReturn, ParamSpec, TypeVar

import confluent_kafka as kafka

from recovery.adapters.kafka_trouble import error_text
from streams.kafka.hanging_transactions import ShardOpenError

log = logging.getLogger(__name__)

EXIT_RESTART = 70  # exit code: a restart continues from the last good transaction
EXIT_DO_NOT_RESTART = 75  # exit code: somebody has to look first

P = ParamSpec("P")
T = TypeVar("T")


def or_exit(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call, and leave the process on any failure: nothing of a failed batch is visible, its input counts as unread.

    An agent that raised would live on: Faust acknowledges the failing message and goes on with the next one.
    """
    try:
        return call(*args, **kwargs)
    except ShardOpenError as error:
        exit_process(EXIT_DO_NOT_RESTART, str(error))
    except kafka.KafkaException as error:
        exit_process(EXIT_RESTART, f"{call.__qualname__} failed. {error_text(error)}")
    except BaseException as error:
        log.critical("%s failed", call.__qualname__, exc_info=True)
        exit_process(EXIT_RESTART, f"{call.__qualname__} failed: {error!r}")


def exit_process(code: int, reason: str) -> NoReturn:
    """End the process now, without Faust's shutdown: that would wait for the very thing that failed."""
    log.critical("leaving with exit code %s (%s): %s", code, "stay down" if code == EXIT_DO_NOT_RESTART else "restart", reason)
    logging.shutdown()
    os._exit(code)
