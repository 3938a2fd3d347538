"""Keeps business time of a sandbox run: moves the clock a step when everything that the last step caused is finished.

A step: the clock moves and the ticker tells it; what falls due by the clock is done; people look at pages and webhooks are delivered, again
and again until nothing is left. Rows may be written while a few further steps go on (steps.ROWS_STEPS).
"""

import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import confluent_kafka as kafka
import sqlalchemy as sql
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]  # public, but not in its __all__

from dunlin import steps
from dunlin.demo import Sandbox
from dunlin.proof import Addresses
from dunlin.quiet import NotQuietError, unread_effects
from dunlin.steps import Ends, Wait
from recovery.adapters.kafka_trouble import admin
from recovery.adapters.progress import Report, place, reports
from recovery.contracts.topics import FACTS

LOOK_SECONDS = 0.002
"""Wall seconds between two looks at what a step waits for; longer after a while, so that a slow machine is not slowed by being asked."""
LONGEST_LOOK_SECONDS = 0.05
PATIENCE_SECONDS = 300.0
"""Wall seconds without any change after which the keeper gives up."""
ANSWER_SECONDS = 5.0
"""Wall seconds for an answer of the broker."""
HELD = Wait(1, "clock that is held")
"""Whoever holds it may take as long as they like."""
OPEN = """
SELECT count(*) FROM effects WHERE state != 'published' AND id NOT IN (
    SELECT effect FROM digest_members JOIN digests ON digests.id = digest WHERE digests.state = 'open' AND closes_at > :now)
"""
"""Alerts that wait for others of their kind are at rest until their window of business time closes."""


class Pipeline:
    """What the keeper asks: where the facts end, what each program reports, and how many effects are open in the ledger."""

    def __init__(self, bootstrap: str, partitions: int, ledger: str, clock_file: Path, unread_effects: Callable[[], int]) -> None:
        """`unread_effects` counts by reading what nobody has taken; slow, and needed only when a stream worker was started anew."""
        self._bootstrap, self._admin = bootstrap, admin(bootstrap)
        self._facts = [kafka.TopicPartition(FACTS.name, number) for number in range(partitions)]
        self._ledger = sql.create_engine(ledger)
        self._clock_file, self.unread_effects = clock_file, unread_effects

    def facts_end(self) -> Ends:
        """The next offset of every partition of `facts`. Raises KafkaException or TimeoutError while the broker cannot be asked."""
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # the package types its values and not this
        try:
            asked = self._admin.list_offsets(dict.fromkeys(self._facts, latest), request_timeout=ANSWER_SECONDS)
            ends = {partition: future.result(ANSWER_SECONDS * 2).offset for partition, future in asked.items()}
        except (kafka.KafkaException, TimeoutError):
            self._admin = admin(self._bootstrap)  # one that lived through a restart of the broker may never be answered again
            raise
        return {place(partition.topic, partition.partition): end for partition, end in ends.items()}

    def reports(self) -> Mapping[str, Report]:
        """What the programs have reported last."""
        return reports(self._clock_file)

    def open_effects(self, now: float) -> int:
        """Effects that are in the ledger and not settled or not told, those at rest excepted."""
        with self._ledger.connect() as db:
            return int(db.execute(sql.text(OPEN), {"now": now}).scalar_one())


def keeper(addresses: Addresses, pace: float) -> "Keeper":
    """The keeper of a running demonstration."""
    bootstrap, partitions = addresses.bootstrap, addresses.partitions
    unread = partial(unread_effects, bootstrap, addresses.app_id, partitions, addresses.clock_file)
    pipeline = Pipeline(bootstrap, partitions, addresses.ledger, addresses.clock_file, unread)
    return Keeper(Sandbox(addresses.sandbox), pipeline, pace)


class Keeper:
    """Lets a month pass. `waits` says in words what it waits for."""

    def __init__(self, sandbox: Sandbox, pipeline: Pipeline, pace: float = 0.0, sleep: Callable[[float], object] = time.sleep) -> None:
        """`pace` is how many wall seconds a business second takes at least."""
        self._sandbox, self._pipeline, self._pace, self._sleep = sandbox, pipeline, pace, sleep
        self._now = 0.0
        self._workers: frozenset[str] = frozenset()
        self._rows: list[Ends] = []
        self.waits = ""
        self.steps = 0
        self.waited: defaultdict[str, float] = defaultdict(float)
        """Wall seconds by what was waited for."""

    def run(self) -> None:
        """Move the clock through the month. Raises NotQuietError when something does not finish."""
        start, end = self._sandbox.month()
        self._now, began = start, time.monotonic()
        self._settle()
        self._look_and_deliver()
        for moment in steps.times(start, end):
            self._sleep(max(0.0, began + (moment - start) * self._pace - time.monotonic()))
            self._step(moment)
        self._wait(lambda: steps.unwritten(self._pipeline.reports(), steps.events_end(self._pipeline.reports())))

    def _step(self, to: float) -> None:
        self._wait(lambda: None if self._sandbox.step(to) else HELD, float("inf"))
        self._now, self.steps = to, self.steps + 1
        self._wait(lambda: steps.untold(self._pipeline.reports(), to))
        self._settle()
        self._look_and_deliver()
        self._rows.append(steps.events_end(self._pipeline.reports()))
        if len(self._rows) > steps.ROWS_STEPS:
            former = self._rows.pop(0)
            self._wait(lambda: steps.unwritten(self._pipeline.reports(), former))

    def _look_and_deliver(self) -> None:
        self._sandbox.follow()
        if steps.unlooked(self._pipeline.reports(), self._now):
            self._wait(lambda: steps.unlooked(self._pipeline.reports(), self._now))
            self._settle()
        while self._deliver():
            self._settle()

    def _deliver(self) -> bool:
        """Let webhooks and people's looks go; answers whether there were any."""
        done = self._sandbox.deliver()
        some = bool(done["begun"] or done["looked"] or done["left"])
        left = done["left"]

        def waiting() -> Wait | None:
            nonlocal left
            if left:
                left = self._sandbox.deliver()["left"]
            return Wait(left, "webhooks to be accepted") if left else None

        self._wait(waiting)
        return some

    def _settle(self) -> None:
        """Return when nothing is in flight but rows."""
        while True:
            ends = self._facts_end()
            self._wait(lambda ends=ends: steps.unread(self._pipeline.reports(), ends))  # type: ignore[misc] # the value of this round
            self._take_in_new_workers()
            self._wait(lambda: steps.untaken(self._pipeline.reports()))
            self._wait(self._open)
            if self._facts_end() == ends:
                return

    def _open(self) -> Wait | None:
        count = self._pipeline.open_effects(self._now)
        return Wait(count, "effects") if count else None

    def _take_in_new_workers(self) -> None:
        workers = steps.processes(self._pipeline.reports())
        if workers != self._workers:
            self._wait(self._unread_effects)
            self._workers = workers

    def _unread_effects(self) -> Wait | None:
        try:
            count = self._pipeline.unread_effects()
        except kafka.KafkaException:
            return Wait(1, "broker")
        return Wait(count, "effects that were not taken") if count else None

    def _facts_end(self) -> Ends:
        found: list[Ends] = []

        def ask() -> bool:
            with contextlib.suppress(kafka.KafkaException, TimeoutError):
                found.append(self._pipeline.facts_end())
            return bool(found)

        self._until(ask, "answer of the broker")
        return found[-1]

    def _until(self, done: Callable[[], bool], what: str) -> None:
        self._wait(lambda: None if done() else Wait(1, what))

    def _wait(self, unfinished: Callable[[], Wait | None], patience: float = PATIENCE_SECONDS) -> None:
        """Look until nothing is unfinished. Raises NotQuietError when nothing has changed for `patience` seconds."""
        pause, before = LOOK_SECONDS, None
        began = since = time.monotonic()
        what = ""
        while (left := unfinished()) is not None:
            self.waits, what = str(left), left.what
            if left != before:
                since, before = time.monotonic(), left
            elif time.monotonic() - since > patience:
                raise NotQuietError(
                    f"{left.count} {left.what}: nothing has moved for {patience:g} s. `dunlin status` and the logs say why."
                )
            self._sleep(pause)
            pause = min(pause * 1.2, LONGEST_LOOK_SECONDS)
        self.waits = ""
        if what:
            self.waited[what] += time.monotonic() - began
