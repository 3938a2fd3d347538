"""One run over parked messages: each is put back, or it is said why not; a line for each, and a count at the end."""

from collections import Counter
from collections.abc import Callable, Sequence

from producers.replay import Asked, Refused, Replay
from recovery.adapters.parked import Held


class Run:
    """Puts messages back one after the other. `again`: also those that were put back before; `dry`: nothing is written."""

    def __init__(self, replay: Replay, asked: Asked, *, again: bool, dry: bool, say: Callable[[str], object] = print) -> None:
        self._replay, self._asked, self._again, self._dry, self._say = replay, asked, again, dry, say

    def all(self, found: Sequence[Held]) -> bool:
        """Go through them, oldest first; answers whether none was refused.

        Raises:
            NotDelivered: the broker does not take a message; those before it are put back and noted, the rest is not.

        """
        counts = Counter(self._one(held) for held in found)
        done = "would be put back" if self._dry else "put back"
        parts = [f"{counts['done']:,} of {len(found):,} {done}"]
        were = "was" if counts["before"] == 1 else "were"
        parts += [f"{counts['before']:,} {were} put back before (--again does it once more)"] if counts["before"] else []
        parts += [f"{counts['refused']:,} cannot be"] if counts["refused"] else []
        self._say("; ".join(parts))
        return not counts["refused"]

    def _one(self, held: Held) -> str:
        if held.replayed is not None and not self._again:
            self._say(f"{held.place}: put back before, {held.replayed.at:%Y-%m-%d %H:%M} UTC by {held.replayed.who}")
            return "before"
        try:
            if self._dry:
                written = self._replay.look(held)
                where = ", ".join(out.topic for out in written) or "its row, which is asked again what is due"
                self._say(f"{held.place}: would go to {where}")
            else:
                self._replay.put_back(held, self._asked)
                self._say(f"{held.place}: put back")
        except (Refused, LookupError) as error:
            self._say(f"{held.place}: {error}")
            return "refused"
        return "done"
