"""Nothing may be undecided in a shard's partitions when it loads its rows.

`init_transactions()` ends what the last owner left, with one exception: a broker killed between deciding a transaction
and writing its end markers can come back believing that the markers are there. The records then stay undecided, a new
owner would load the state from before them, apply the inputs again, and its own first end marker would make both
visible. So whatever is still undecided after `init_transactions()` is aborted or waited for before a row is read.
"""

import logging
import time
from collections.abc import Callable, Sequence

log = logging.getLogger(__name__)

MARKERS_WITHIN = 2.0  # seconds a healthy broker may take from answering to having written the end markers
TIME_OUT_WITHIN = 35.0  # seconds: transaction.timeout.ms (20 s), then the broker's sweep (every 10 s), and some grace
CHECK_EVERY = 0.2
SPEAK_EVERY = 5.0


class ShardOpenError(Exception):
    """The shard must not be opened as it is, and a restart would not change that; the text says what to do."""


def resolve_hanging_transactions(
    undecided: Callable[[], Sequence[str]],
    changelog: str,
    abort: Callable[[], None],
    *,
    now: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Return when no topic is undecided any more.

    First waits for markers on their way. Then aborts through the shard's own producer (`abort`), which decides every open
    transaction of the same producer id; its inputs are applied again, from the last position in the changelog. What
    another producer left open is ended by the broker after that transaction's time-out. Raises CannotOpen when something
    stays open after that.

    Only outputs open, but not the changelog, means a transaction that is half there: its position is committed, its
    outputs are not. Aborting would lose them, so this case only waits.
    """
    if not (topics := _remaining(undecided, MARKERS_WITHIN, now, pause)):
        return
    if changelog in topics:
        log.warning("an interrupted transaction is open in %s: aborting it, its inputs will be applied again", topics)
        abort()
        if not (topics := _remaining(undecided, MARKERS_WITHIN, now, pause)):
            return
    log.warning("transactions of another producer are open in %s: waiting for the broker to end them", topics)
    if topics := _remaining(undecided, TIME_OUT_WITHIN, now, pause):
        raise ShardOpenError(
            f"records in {', '.join(topics)} belong to a hanging transaction. Find it with `kafka-transactions.sh "
            "find-hanging`, abort it with `kafka-transactions.sh abort` (if only output topics are named here, its position "
            "is already committed: the outputs would be lost, so compare them with recovery.events first), then start again"
        )


def _remaining(
    undecided: Callable[[], Sequence[str]], within: float, now: Callable[[], float], pause: Callable[[float], None]
) -> list[str]:
    """The topics still undecided after waiting at most `within` seconds."""
    started = spoken = now()
    while topics := list(undecided()):
        if now() - started >= within:
            return topics
        if now() - spoken >= SPEAK_EVERY:
            spoken = now()
            log.info("still open: %s (%.0f of at most %.0f s)", topics, spoken - started, within)
        pause(CHECK_EVERY)
    return []
