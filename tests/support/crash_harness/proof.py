"""Kills the sink between claim and settle, again and again, and holds what came of it against what the world saw."""

import contextlib
import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import sqlalchemy as sql
from sqlalchemy.exc import SQLAlchemyError

from tests.support.crash_harness.media import Medium, Told
from tests.support.crash_harness.stage import Stage
from tests.support.effects_harness import PATIENCE
from tests.support.waiting import until

PAUSES = 2.5
"""Longest pause between the sight of a claim and the kill, in times of what a slow line may take: longer than it lets anything take."""

MOST_MISSED = 100


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
        self._lines, self._luck = stage.lines, random.Random(stage.seed)
        self._asked: dict[str, tuple[Medium, Any]] = {}
        self._doubts: Counter[str] = Counter()
        self._kills = self._missed = 0
        self._ledger = sql.create_engine(stage.ledger, poolclass=sql.pool.NullPool)

    def run(self, kills: int, tell: Callable[[int, Kill], None]) -> None:
        """Kill until `kills` of them found an effect of the medium that was aimed at between claim and settle; others are missed.

        Raises:
            AssertionError: the sink left by itself, or nothing of a medium was ever seen claimed.

        """
        aims = [medium for medium in self._media if medium.kind]
        while self._kills < kills:
            medium = aims[self._kills % len(aims)]  # one that was missed is aimed at again
            kill = self._one(medium)
            self._doubts.update(kill.claimed)
            if any(self._asked[effect][0] is medium for effect in kill.claimed):
                self._kills += 1
            else:
                self._missed += 1
                assert self._missed < MOST_MISSED, "however slow the lines, nothing is found between claim and settle"
                self._lines.slow_down()
            tell(self._kills, kill)

    def judge(self) -> Verdict:
        """Let a last process do what is left, then compare every outcome with the world."""
        self._world.start_sink(**self._settings)
        outcomes = self._world.outcomes(set(self._asked), PATIENCE + 2 * len(self._asked), must_be_complete=False)
        self._world.stop_sinks()
        tolds = [
            Told(m, asked, outcomes[effect][0], self._doubts[effect]) for effect, (m, asked) in self._asked.items() if effect in outcomes
        ]
        for medium in self._media:
            medium.look(self._world, [told for told in tolds if told.medium is medium])
        breaches: list[str] = []
        unknown: Counter[str] = Counter()
        for effect, facts in outcomes.items():
            if any(fact != facts[0] for fact in facts):
                breaches.append(f"{effect}: told twice, differently")
        for told in tolds:
            why = told.medium.breach(told)
            breaches += [f"{told.effect.id}: {why}"] if why else []
            unknown[told.medium.name] += getattr(told.outcome, "result", "") == "unknown"
        return Verdict(
            kills=self._kills,
            missed=self._missed,
            effects=dict(Counter(medium.name for medium, _ in self._asked.values())),
            doubts=self._by_medium(self._doubts),
            unknown={name: count for name, count in unknown.items() if count},
            duplicate_charges=sum(told.medium.seen(told) > 1 for told in tolds if told.medium.name == "charge"),
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
        wanted = [effect.id for one, effect in effects if one is medium]
        until(lambda: self._seen(medium, begin, wanted) or process.poll() is not None, PATIENCE, f"a claimed {medium.name}")
        assert process.poll() is None, f"the sink left with {process.returncode}:\n{self._world.log()}"
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(self._luck.uniform(0.0, PAUSES * self._lines.seconds))
        assert process.poll() is None, f"the sink left with {process.returncode}:\n{self._world.log()}"
        process.kill()
        process.wait()
        self._world.sinks.remove(process)
        return Kill(medium.name, tuple(self._claimed(begin)))

    def _seen(self, medium: Medium, since: float, wanted: list[str]) -> bool:
        """Whether one of the medium's effects is claimed, or all that were asked for have been done before anybody saw them claimed."""
        return medium.kind in self._claimed(since).values() or self._settled(wanted)

    def _settled(self, effects: list[str]) -> bool:
        done = sql.text("SELECT count(*) FROM effects WHERE state IN ('settled', 'published') AND id IN :ids")
        with self._ledger.connect() as db:
            try:
                found = db.execute(done.bindparams(sql.bindparam("ids", expanding=True)), {"ids": effects}).scalar()
            except SQLAlchemyError:  # the tables are not made yet
                return False
        return found == len(effects)

    def _claimed(self, since: float) -> dict[str, str]:
        """The effects that a process started `since` holds between claim and settle, with their kinds of work."""
        with self._ledger.connect() as db:
            try:
                rows = db.execute(
                    sql.text("SELECT id, kind FROM effects WHERE state = 'claimed' AND claimed_wall >= :since"), {"since": since}
                )
            except SQLAlchemyError:  # the tables are not made yet
                return {}
            return {row[0]: row[1] for row in rows}

    def _by_medium(self, counts: Counter[str]) -> dict[str, int]:
        found: Counter[str] = Counter()
        for effect, count in counts.items():
            found[self._asked[effect][0].name] += count
        return dict(found)
