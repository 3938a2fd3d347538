"""Which effect is next: everything unfinished by reference, in memory; the ledger has it for good. Pure; times are wall seconds."""

import heapq
from collections import Counter, deque
from collections.abc import Callable, Collection
from typing import Literal

import msgspec

Lane = Literal["stripe", "mail"]
"""Two pools of workers, so that a slow mail server does not delay a charge."""
Who = tuple[str, str]
"""An account and its customer."""


SPREAD = 0.02
"""Wall seconds between two looks at effects of an account that is at its limit, so that ten thousand of them cost nothing."""


class Ticket(msgspec.Struct, frozen=True):
    """A reference to an unfinished effect."""

    effect: str
    who: Who
    lane: Lane


class Waiting:
    """Hands out due effects: first come first served, never two of one customer at a time, none of an account that is at its rate limit."""

    def __init__(self) -> None:
        self._ready: dict[Lane, deque[Ticket]] = {"stripe": deque(), "mail": deque()}
        self._later: list[tuple[float, int, Ticket]] = []
        self._behind: dict[Who, deque[Ticket]] = {}
        self._known: set[str] = set()
        self._busy: set[Who] = set()
        self._number = 0

    def __len__(self) -> int:
        """How many effects wait here, those in work included."""
        return len(self._known)

    def add(self, tickets: Collection[Ticket]) -> None:
        """Queue effects that are due now; one that is here already stays where it is."""
        for ticket in tickets:
            if ticket.effect not in self._known:
                self._known.add(ticket.effect)
                self._ready[ticket.lane].append(ticket)

    def take(self, lane: Lane, free: int, now: float, hold: Callable[[Who], float]) -> list[Ticket]:
        """Up to `free` due effects of a lane; their customers are busy from now on. `hold(who)` is for how many seconds not."""
        self._wake(now)
        taken: list[Ticket] = []
        held: Counter[str] = Counter()
        ready = self._ready[lane]
        while ready and len(taken) < free:
            ticket = ready.popleft()
            if ticket.who in self._busy:
                self._behind.setdefault(ticket.who, deque()).append(ticket)
            elif (seconds := hold(ticket.who)) > 0:
                held[ticket.who[0]] += 1
                self._sleep(ticket, now + seconds + SPREAD * held[ticket.who[0]])
            else:
                self._busy.add(ticket.who)
                taken.append(ticket)
        return taken

    def finish(self, ticket: Ticket) -> None:
        """The effect is settled: its customer's next one may go."""
        self._known.discard(ticket.effect)
        self._release(ticket.who)

    def retry(self, ticket: Ticket, at: float) -> None:
        """The effect must be tried again at `at`; its customer's other effects may go meanwhile."""
        self._sleep(ticket, at)
        self._release(ticket.who)

    def _release(self, who: Who) -> None:
        self._busy.discard(who)
        for ticket in reversed(self._behind.pop(who, deque())):
            self._ready[ticket.lane].appendleft(ticket)

    def _sleep(self, ticket: Ticket, at: float) -> None:
        self._number += 1
        heapq.heappush(self._later, (at, self._number, ticket))

    def _wake(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            ticket = heapq.heappop(self._later)[2]
            self._ready[ticket.lane].append(ticket)
