"""Which effect is next: what is unfinished by reference, in memory; the ledger has it for good. Pure; times are wall seconds.

Of an account that has very many in a lane only the first are here, and the others stay in the ledger until there is room (`short`), so that
an outage of a receiver or of Stripe costs disk and no memory.

Accounts take turns: each has a queue of its own per lane, and one that has much to do gets no more than its share of the workers, so that
ten thousand slow effects of one merchant delay no effect of another's.
"""

import heapq
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable

import msgspec

from sinks.effects.engine.worker_pools import WORKERS, Lane, Line, line_of, work

MOST, ROOM, LEAST_ROOM = 200_000, 2_000, 100
"""Effects that are kept here in all, of one account in one lane, and of each however many accounts there are."""
HORIZON = 60.0
"""Wall seconds: what is due later is not kept here while there is no room for all."""
PAUSE = 5.0
"""Wall seconds between two reads of the ledger for an account whose other effects are not due yet."""
Queue = tuple[Lane, str]
"""The effects of an account in a lane."""
ALWAYS = 2
"""Workers of a lane that an account may hold whenever one is idle; beyond them it must leave as many idle as it holds itself."""


class QueuedEffect(msgspec.Struct, frozen=True):
    """A reference to an unfinished effect."""

    effect: str
    serial_key: Line
    kind: str

    @property
    def lane(self) -> Lane:
        """Whose workers perform it."""
        return work(self.kind).lane


def refer_to(effect: str, account: str, customer: str, kind: str) -> QueuedEffect:
    """The reference to an effect in the ledger."""
    return QueuedEffect(effect, line_of(effect, account, customer, kind), kind)


class EffectQueue:
    """Hands out due effects: accounts by turns, within one first come first served, never two of one line at a time."""

    def __init__(self, room: int = ROOM) -> None:
        self._most_room = room
        self._ready: dict[Lane, dict[str, deque[QueuedEffect]]] = {lane: {} for lane in WORKERS}
        self._turns: dict[Lane, deque[str]] = {lane: deque() for lane in WORKERS}  # accounts that have something ready and are not held
        self._held: list[tuple[float, Lane, str]] = []
        self._working: Counter[tuple[Lane, str]] = Counter()
        self._later: list[tuple[float, int, str]] = []
        self._asleep: dict[str, tuple[int, QueuedEffect, float]] = {}
        self._behind: dict[Line, deque[QueuedEffect]] = {}
        self._known: set[str] = set()
        self._kept: Counter[Queue] = Counter()
        self._more: dict[Queue, float] = {}  # has more in the ledger; when to look there again
        self._now = 0.0
        self._busy: set[Line] = set()
        self._number = 0

    def __len__(self) -> int:
        """How many effects wait here, those in work included."""
        return len(self._known)

    def add(self, tickets: Iterable[QueuedEffect]) -> None:
        """Queue effects that are due now; one that is here already stays where it is, one without room is left to the ledger."""
        for ticket in tickets:
            if self._takes_in(ticket):
                self._queue(ticket)

    def add_later(self, ticket: QueuedEffect, at: float) -> None:
        """Queue an effect that is not due before `at`, likewise."""
        if self._takes_in(ticket):
            self._sleep(ticket, at)

    def add_now(self, ticket: QueuedEffect) -> None:
        """Queue an effect that is due now, whether or not there is room."""
        if ticket.effect not in self._known:
            self._keep(ticket)
            self._queue(ticket)

    def short(self, now: float) -> list[tuple[Queue, int]]:
        """Queues with room for more that the ledger has, and how many of their first ones to read there."""
        room = self._room()
        return [(queue, room + 1) for queue, at in self._more.items() if at <= now and self._kept[queue] <= room // 2]

    def refill(self, queue: Queue, first: Collection[tuple[QueuedEffect, float]], limit: int, now: float) -> None:
        """Take in the first unfinished effects of a queue with their due times; fewer than `limit` means that these are all."""
        if len(first) < limit:
            del self._more[queue]
            for ticket, at in first:
                if ticket.effect not in self._known:
                    self._keep(ticket)
                    self._sleep(ticket, at)
            return
        room = self._room()
        for ticket, at in first:
            if ticket.effect not in self._known and at <= now + HORIZON and self._kept[queue] < room:
                self._keep(ticket)
                self._sleep(ticket, at)
        self._more[queue] = now if self._kept[queue] > room // 2 else now + PAUSE

    def take(self, lane: Lane, free: int, now: float, hold: Callable[[QueuedEffect], float]) -> list[QueuedEffect]:
        """Up to `free` due effects of a lane; their lines are busy from now on. `hold(ticket)` is for how many seconds its account's
        effects of this lane must wait, 0 for not at all."""
        self._now = now
        self._wake(now)
        taken: list[QueuedEffect] = []
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
            self._busy.add(ticket.serial_key)
            self._working[lane, account] += 1
            taken.append(ticket)
            self._take_turns(lane, account)
            passed = 0
        return taken

    def unknown(self, effects: Collection[str]) -> list[str]:
        """Those of the effects that are not kept here."""
        return [effect for effect in effects if effect not in self._known]

    def wake(self, effects: Collection[str]) -> None:
        """These effects are due now, for whatever they wait."""
        for effect in effects:
            if effect in self._asleep:
                self._queue(self._asleep.pop(effect)[1])

    def wake_where(self, wanted: Callable[[QueuedEffect], bool]) -> None:
        """The same for all effects of which `wanted` is true."""
        self.wake([effect for effect, (_, ticket, _at) in self._asleep.items() if wanted(ticket)])

    def finish(self, ticket: QueuedEffect) -> None:
        """The effect is settled: its line's next one may go."""
        self._forget(ticket)
        self._release(ticket)

    def retry(self, ticket: QueuedEffect, at: float) -> None:
        """The effect must be tried again at `at`; its line's other effects may go meanwhile."""
        if (ticket.lane, ticket.serial_key[0]) in self._more and at > self._now + HORIZON:
            self._forget(ticket)
        else:
            self._sleep(ticket, at)
        self._release(ticket)

    def _room(self) -> int:
        return min(self._most_room, max(LEAST_ROOM, MOST // max(1, len(self._kept))))

    def _takes_in(self, ticket: QueuedEffect) -> bool:
        """Whether a new effect has room, which then is its own; else its queue has more in the ledger."""
        if ticket.effect in self._known:
            return False
        queue = (ticket.lane, ticket.serial_key[0])
        if queue not in self._more and self._kept[queue] >= self._room():
            self._more[queue] = 0.0
            self._make_room(queue)
        if queue in self._more:
            return False
        self._keep(ticket)
        return True

    def _make_room(self, queue: Queue) -> None:
        """Leave to the ledger what is not due for long: else what is due would wait behind it."""
        late = [one for _, one, at in self._asleep.values() if at > self._now + HORIZON and (one.lane, one.serial_key[0]) == queue]
        for ticket in late:
            del self._asleep[ticket.effect]
            self._forget(ticket)

    def _keep(self, ticket: QueuedEffect) -> None:
        self._known.add(ticket.effect)
        self._kept[ticket.lane, ticket.serial_key[0]] += 1

    def _forget(self, ticket: QueuedEffect) -> None:
        if ticket.effect in self._known:
            self._known.discard(ticket.effect)
            queue = (ticket.lane, ticket.serial_key[0])
            self._kept[queue] -= 1
            if not self._kept[queue]:
                del self._kept[queue]

    def _may_take(self, lane: Lane, account: str, idle: int) -> bool:
        """Whether the account may have one more worker: always few, and more only while it leaves as many idle as it holds."""
        return self._working[lane, account] < max(ALWAYS, idle)

    def _next(self, lane: Lane, account: str) -> QueuedEffect | None:
        """The account's first effect whose line is idle; what is before it waits for its line. None leaves the account without a queue."""
        queue = self._ready[lane][account]
        while queue and queue[0].serial_key in self._busy:
            self._behind.setdefault(queue[0].serial_key, deque()).append(queue.popleft())
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

    def _queue(self, ticket: QueuedEffect, *, first: bool = False) -> None:
        lane, account = ticket.lane, ticket.serial_key[0]
        queue = self._ready[lane].get(account)
        if queue is None:
            queue = self._ready[lane][account] = deque()
            self._turns[lane].append(account)
        (queue.appendleft if first else queue.append)(ticket)

    def _release(self, ticket: QueuedEffect) -> None:
        place = (ticket.lane, ticket.serial_key[0])
        self._working[place] -= 1
        if self._working[place] <= 0:
            del self._working[place]
        self._busy.discard(ticket.serial_key)
        for behind in reversed(self._behind.pop(ticket.serial_key, deque())):
            self._queue(behind, first=True)

    def _sleep(self, ticket: QueuedEffect, at: float) -> None:
        self._number += 1
        self._asleep[ticket.effect] = (self._number, ticket, at)
        heapq.heappush(self._later, (at, self._number, ticket.effect))

    def _wake(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            _, number, effect = heapq.heappop(self._later)
            if self._asleep.get(effect, (0,))[0] == number:  # else it was woken before its time
                self._queue(self._asleep.pop(effect)[1])
        while self._held and self._held[0][0] <= now:
            _, lane, account = heapq.heappop(self._held)
            self._turns[lane].append(account)
