"""One run over dead letters: each is replayed, or the reason why not is reported; a line for each, and a count at the end."""

from collections import Counter
from collections.abc import Callable, Sequence

from producers.replay.facts_redrive import Replay, ReplayRefused, ReplayRequest
from recovery.adapters.dead_letter_reader import HeldMessage


class ReplayRun:
    """Replays messages one after the other. `repeat`: also those that were replayed before; `dry`: nothing is written."""

    def __init__(self, replay: Replay, request: ReplayRequest, *, repeat: bool, dry: bool, report: Callable[[str], object] = print) -> None:
        self._replay, self._request, self._repeat, self._dry, self._report = replay, request, repeat, dry, report

    def all(self, found: Sequence[HeldMessage]) -> bool:
        """Go through them, oldest first. Returns whether none was refused.

        Raises:
            NotDelivered: the broker does not accept a message; those before it are replayed and noted, the rest is not.
        """
        counts = Counter(self._one(held) for held in found)
        done = "would be replayed" if self._dry else "replayed"
        parts = [f"{counts['done']:,} of {len(found):,} {done}"]
        were = "was" if counts["before"] == 1 else "were"
        parts += [f"{counts['before']:,} {were} replayed before (--again repeats it)"] if counts["before"] else []
        parts += [f"{counts['refused']:,} cannot be"] if counts["refused"] else []
        self._report("; ".join(parts))
        return not counts["refused"]

    def _one(self, held: HeldMessage) -> str:
        if held.replayed is not None and not self._repeat:
            self._report(f"{held.place}: replayed before, {held.replayed.at:%Y-%m-%d %H:%M} UTC by {held.replayed.who}")
            return "before"
        try:
            if self._dry:
                written = self._replay.plan(held)
                where = ", ".join(out.topic for out in written) or "the customer, whose due timers run again"
                self._report(f"{held.place}: would go to {where}")
            else:
                self._replay.redrive(held, self._request)
                self._report(f"{held.place}: replayed")
        except (ReplayRefused, LookupError) as error:
            self._report(f"{held.place}: {error}")
            return "refused"
        return "done"
