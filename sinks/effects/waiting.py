"""Which effect is next: everything unfinished by reference, in memory; the ledger has it for good. Pure; times are wall seconds.

Accounts take turns: each has a queue of its own per lane, and one that has much to do gets no more than its share of the workers, so that
ten thousand slow effects of one merchant delay no effect of another's.
"""

import heapq
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable

import msgspec

from sinks.effects.lanes import WORKERS, Lane, Line, line_of, work

ALWAYS = 2
"""Workers of a lane that an account may hold whenever one is idle; beyond them it must leave as many idle as it holds itself."""


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
    """Hands out due effects: accounts by turns, within one first come first served, never two of one line at a time."""

    def __init__(self) -> None:
        self._ready: dict[Lane, dict[str, deque[Ticket]]] = {lane: {} for lane in WORKERS}
        self._turns: dict[Lane, deque[str]] = {lane: deque() for lane in WORKERS}  # accounts that have something ready and are not held
        self._held: list[tuple[float, Lane, str]] = []
        self._working: Counter[tuple[Lane, str]] = Counter()
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
                self._queue(ticket)

    def add_later(self, ticket: Ticket, at: float) -> None:
        """Queue an effect that is not due before `at`; one that is here already stays where it is."""
        if ticket.effect not in self._known:
            self._known.add(ticket.effect)
            self._sleep(ticket, at)

    def take(self, lane: Lane, free: int, now: float, hold: Callable[[Ticket], float]) -> list[Ticket]:
        """Up to `free` due effects of a lane; their lines are busy from now on. `hold(ticket)` is for how many seconds its account's
        effects of this lane must wait, 0 for not at all."""
        self._wake(now)
        taken: list[Ticket] = []
        turns, passed = self._turns[lane], 0
        while len(taken) < free and passed < len(turns):
            account = turns.popleft()
            if not self._may_take(lane, account, free - len(taken)):
                turns.append(account)
                passed += 1
                continue
            ticket = self._next(lane, account)
            if ticket is None:
                continue
            if (seconds := hold(ticket)) > 0:
                heapq.heappush(self._held, (now + seconds, lane, account))
                continue
            self._ready[lane][account].popleft()
            self._busy.add(ticket.line)
            self._working[lane, account] += 1
            taken.append(ticket)
            self._take_turns(lane, account)
            passed = 0
        return taken

    def wake(self, effects: Collection[str]) -> None:
        """These effects are due now, for whatever they wait."""
        for effect in effects:
            if effect in self._asleep:
                self._queue(self._asleep.pop(effect)[1])

    def wake_where(self, wanted: Callable[[Ticket], bool]) -> None:
        """The same for all effects of which `wanted` is true."""
        self.wake([effect for effect, (_, ticket) in self._asleep.items() if wanted(ticket)])

    def finish(self, ticket: Ticket) -> None:
        """The effect is settled: its line's next one may go."""
        self._known.discard(ticket.effect)
        self._release(ticket)

    def retry(self, ticket: Ticket, at: float) -> None:
        """The effect must be tried again at `at`; its line's other effects may go meanwhile."""
        self._sleep(ticket, at)
        self._release(ticket)

    def _may_take(self, lane: Lane, account: str, idle: int) -> bool:
        """Whether the account may have one more worker: always few, and more only while it leaves as many idle as it holds."""
        return self._working[lane, account] < max(ALWAYS, idle)

    def _next(self, lane: Lane, account: str) -> Ticket | None:
        """The account's first effect whose line is idle; what is before it waits for its line. None leaves the account without a queue."""
        queue = self._ready[lane][account]
        while queue and queue[0].line in self._busy:
            self._behind.setdefault(queue[0].line, deque()).append(queue.popleft())
        if queue:
            return queue[0]
        del self._ready[lane][account]
        return None

    def _take_turns(self, lane: Lane, account: str) -> None:
        """Put the account at the end of those who have something ready."""
        if self._ready[lane][account]:
            self._turns[lane].append(account)
        else:
            del self._ready[lane][account]

    def _queue(self, ticket: Ticket, *, first: bool = False) -> None:
        lane, account = ticket.lane, ticket.line[0]
        queue = self._ready[lane].get(account)
        if queue is None:
            queue = self._ready[lane][account] = deque()
            self._turns[lane].append(account)
        (queue.appendleft if first else queue.append)(ticket)

    def _release(self, ticket: Ticket) -> None:
        place = (ticket.lane, ticket.line[0])
        self._working[place] -= 1
        if self._working[place] <= 0:
            del self._working[place]
        self._busy.discard(ticket.line)
        for behind in reversed(self._behind.pop(ticket.line, deque())):
            self._queue(behind, first=True)

    def _sleep(self, ticket: Ticket, at: float) -> None:
        self._number += 1
        self._asleep[ticket.effect] = (self._number, ticket)
        heapq.heappush(self._later, (at, self._number, ticket.effect))

    def _wake(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            _, number, effect = heapq.heappop(self._later)
            if self._asleep.get(effect, (0,))[0] == number:  # else it was woken before its time
                self._queue(self._asleep.pop(effect)[1])
        while self._held and self._held[0][0] <= now:
            _, lane, account = heapq.heappop(self._held)
            self._turns[lane].append(account)
