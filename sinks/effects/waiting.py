"""Which effect is next: everything unfinished by reference, in memory; the ledger has it for good. Pure; times are wall seconds."""

import heapq
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable

import msgspec

from sinks.effects.lanes import WORKERS, Lane, Line, line_of, work

SPREAD = 0.02
"""Wall seconds between two looks at effects of an account that is at its limit, so that ten thousand of them cost nothing."""


class Ticket(msgspec.Struct, frozen=True):
    """A reference to an unfinished effect."""

    effect: str
    line: Line
    kind: str

    @property
    def lane(self) -> Lane:
        """Whose workers perform it."""
        return work(self.kind).lane


def refer_to(effect: str, account: str, customer: str, kind: str) -> Ticket:
    """The reference to an effect in the ledger."""
    return Ticket(effect, line_of(effect, account, customer, kind), kind)


class Waiting:
    """Hands out due effects: first come first served, never two of one line at a time, none of an account that is at its rate limit."""

    def __init__(self) -> None:
        self._ready: dict[Lane, deque[Ticket]] = {lane: deque() for lane in WORKERS}
        self._later: list[tuple[float, int, str]] = []
        self._asleep: dict[str, tuple[int, Ticket]] = {}
        self._behind: dict[Line, deque[Ticket]] = {}
        self._known: set[str] = set()
        self._busy: set[Line] = set()
        self._number = 0

    def __len__(self) -> int:
        """How many effects wait here, those in work included."""
        return len(self._known)

    def add(self, tickets: Iterable[Ticket]) -> None:
        """Queue effects that are due now; one that is here already stays where it is."""
        for ticket in tickets:
            if ticket.effect not in self._known:
                self._known.add(ticket.effect)
                self._ready[ticket.lane].append(ticket)

    def add_later(self, ticket: Ticket, at: float) -> None:
        """Queue an effect that is not due before `at`; one that is here already stays where it is."""
        if ticket.effect not in self._known:
            self._known.add(ticket.effect)
            self._sleep(ticket, at)

    def take(self, lane: Lane, free: int, now: float, hold: Callable[[Ticket], float]) -> list[Ticket]:
        """Up to `free` due effects of a lane; their lines are busy from now on. `hold(ticket)` is for how many seconds not."""
        self._wake(now)
        taken: list[Ticket] = []
        held: Counter[str] = Counter()
        ready = self._ready[lane]
        while ready and len(taken) < free:
            ticket = ready.popleft()
            if ticket.line in self._busy:
                self._behind.setdefault(ticket.line, deque()).append(ticket)
            elif (seconds := hold(ticket)) > 0:
                held[ticket.line[0]] += 1
                self._sleep(ticket, now + seconds + SPREAD * held[ticket.line[0]])
            else:
                self._busy.add(ticket.line)
                taken.append(ticket)
        return taken

    def wake(self, effects: Collection[str]) -> None:
        """These effects are due now, for whatever they wait."""
        for effect in effects:
            if effect in self._asleep:
                ticket = self._asleep.pop(effect)[1]
                self._ready[ticket.lane].append(ticket)

    def wake_where(self, wanted: Callable[[Ticket], bool]) -> None:
        """The same for all effects of which `wanted` is true."""
        self.wake([effect for effect, (_, ticket) in self._asleep.items() if wanted(ticket)])

    def finish(self, ticket: Ticket) -> None:
        """The effect is settled: its line's next one may go."""
        self._known.discard(ticket.effect)
        self._release(ticket.line)

    def retry(self, ticket: Ticket, at: float) -> None:
        """The effect must be tried again at `at`; its line's other effects may go meanwhile."""
        self._sleep(ticket, at)
        self._release(ticket.line)

    def _release(self, line: Line) -> None:
        self._busy.discard(line)
        for ticket in reversed(self._behind.pop(line, deque())):
            self._ready[ticket.lane].appendleft(ticket)

    def _sleep(self, ticket: Ticket, at: float) -> None:
        self._number += 1
        self._asleep[ticket.effect] = (self._number, ticket)
        heapq.heappush(self._later, (at, self._number, ticket.effect))

    def _wake(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            _, number, effect = heapq.heappop(self._later)
            if self._asleep.get(effect, (0,))[0] == number:  # else it was woken before its time
                ticket = self._asleep.pop(effect)[1]
                self._ready[ticket.lane].append(ticket)
