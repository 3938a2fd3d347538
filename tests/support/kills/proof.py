"""Kills the sink between claim and settle, again and again, and holds what came of it against what the world saw."""

import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from typing import Any

import msgspec

from tests.support.kills.media import Medium, Told
from tests.support.kills.stage import Stage
from tests.support.waiting import until

LONGEST_PAUSE = 0.25
"""Wall seconds between the sight of a claim and the kill, at most: longer than a slow line lets anything take."""
PATIENCE = 30.0


class Kill(msgspec.Struct, frozen=True):
    """One kill: which medium was waited for, and which effects stood between claim and settle when the process died."""

    aimed_at: str
    claimed: tuple[str, ...]


class Verdict(msgspec.Struct, frozen=True):
    """What came of it all."""

    kills: int
    missed: int
    effects: dict[str, int]
    doubts: dict[str, int]
    unknown: dict[str, int]
    duplicate_charges: int
    lost: list[str]
    breaches: list[str]


class Proof:
    """`run` kills, `judge` compares. The same seed chooses the same media and pauses; where a kill lands the machine decides."""

    def __init__(self, stage: Stage) -> None:
        self._world, self._media, self._settings = stage.world, stage.media, stage.settings
        self._luck = random.Random(stage.seed)
        self._asked: dict[str, tuple[Medium, Any]] = {}
        self._doubts: Counter[str] = Counter()
        self._kills = self._missed = 0
        self._ledger = stage.world.home / "dunlin" / "ledger.sqlite"

    def run(self, kills: int, tell: Callable[[int, Kill], None]) -> None:
        """Kill until `kills` of them found something between claim and settle; others are counted as missed.

        Raises:
            AssertionError: the sink left by itself, or nothing of a medium was claimed in time.

        """
        aims = [medium for medium in self._media if medium.kind]
        while self._kills < kills:
            medium = aims[(self._kills + self._missed) % len(aims)]
            kill = self._one(medium)
            self._doubts.update(kill.claimed)
            if kill.claimed:
                self._kills += 1
            else:
                self._missed += 1
            tell(self._kills, kill)

    def judge(self) -> Verdict:
        """Let a last process do what is left, then compare every outcome with the world."""
        self._world.start_sink(**self._settings)
        outcomes = self._world.outcomes(set(self._asked), 300, must_be_complete=False)
        self._world.stop_sinks()
        for medium in self._media:
            medium.look(self._world)
        breaches: list[str] = []
        unknown: Counter[str] = Counter()
        for effect, (medium, asked) in self._asked.items():
            told = outcomes.get(effect, [])
            if any(one != told[0] for one in told):
                breaches.append(f"{effect}: told twice, differently")
            if told:
                why = medium.breach(Told(asked, told[0], self._doubts[effect]))
                breaches += [f"{effect}: {why}"] if why else []
                unknown[medium.name] += getattr(told[0], "result", "") == "unknown"
        return Verdict(
            kills=self._kills,
            missed=self._missed,
            effects=dict(Counter(medium.name for medium, _ in self._asked.values())),
            doubts=self._by_medium(self._doubts),
            unknown={name: count for name, count in unknown.items() if count},
            duplicate_charges=sum(m.seen(asked) > 1 for m, asked in self._asked.values() if m.name == "charge"),
            lost=sorted(self._asked.keys() - outcomes.keys()),
            breaches=breaches,
        )

    def _one(self, medium: Medium) -> Kill:
        effects = [(one, effect) for one in self._media for effect in one.ask(self._world)]
        self._asked |= {effect.id: (one, effect) for one, effect in effects}
        self._luck.shuffle(effects)
        self._world.emit(*[effect for _, effect in effects])
        begin = time.time()
        process = self._world.start_sink(wait=False, **self._settings)
        until(lambda: medium.kind in self._claimed(begin).values() or process.poll() is not None, PATIENCE, f"a claimed {medium.name}")
        assert process.poll() is None, f"the sink left with {process.returncode}:\n{self._world.log()}"
        time.sleep(self._luck.uniform(0.0, LONGEST_PAUSE))  # the moment of death is the thing under test
        process.send_signal(signal.SIGKILL)
        process.wait()
        self._world.sinks.remove(process)
        return Kill(medium.name, tuple(self._claimed(begin)))

    def _claimed(self, since: float) -> dict[str, str]:
        """The effects that a process started `since` holds between claim and settle, with their kinds of work."""
        if not self._ledger.exists():
            return {}
        with closing(sqlite3.connect(f"file:{self._ledger}?mode=ro", uri=True, timeout=10)) as db:
            try:
                return dict(db.execute("SELECT id, kind FROM effects WHERE state = 'claimed' AND claimed_wall >= ?", (since,)).fetchall())
            except sqlite3.OperationalError:  # the tables are not made yet
                return {}

    def _by_medium(self, counts: Counter[str]) -> dict[str, int]:
        found: Counter[str] = Counter()
        for effect, count in counts.items():
            found[self._asked[effect][0].name] += count
        return dict(found)
