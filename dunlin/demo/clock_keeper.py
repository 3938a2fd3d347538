"""Keeps business time of a sandbox run: moves the clock a step when everything that the last step caused is finished.

A step: the clock moves and the ticker publishes it; everything due is done; customers read pages and webhooks are delivered, until nothing
is left. Rows may be written while a few further steps go on (steps.ROWS_STEPS).
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

from dunlin.demo import clock_steps
from dunlin.demo.clock_steps import Ends, StepWait
from dunlin.demo.quiescence import NotQuiescentError, unread_effects
from dunlin.demo.verification import StackAddresses
from dunlin.demo.world import Sandbox
from recovery.adapters.kafka_trouble import admin
from recovery.adapters.progress import ProgressReport, place, reports
from recovery.contracts.topics import FACTS

POLL_SECONDS = 0.002
"""Wall seconds between two polls of the unfinished work of a step; longer after a while, so that polling does not slow a slow machine."""
LONGEST_POLL_SECONDS = 0.05
PATIENCE_SECONDS = 300.0
"""Wall seconds without any change after which the keeper gives up."""
ANSWER_SECONDS = 5.0
"""Wall seconds for an answer of the broker."""
HELD = StepWait(1, "clock that is held")
"""A hold of the clock may last as long as its holder needs."""
OPEN = """
SELECT count(*) FROM effects WHERE state != 'published' AND id NOT IN (
    SELECT effect FROM digest_members JOIN digests ON digests.id = digest WHERE digests.state = 'open' AND closes_at > :now)
"""
"""Alerts that wait for others of their kind are at rest until their window of business time closes."""


class PipelineState:
    """The state of the pipeline that the keeper polls: the end of the facts, each program's report, and the number of open effects in the
    ledger."""

    def __init__(self, bootstrap: str, partitions: int, ledger: str, clock_file: Path, unread_effects: Callable[[], int]) -> None:
        """`unread_effects` counts by reading the effects that no sink has received; slow, and needed only when a stream worker was started
        anew."""
        self._bootstrap, self._admin = bootstrap, admin(bootstrap)
        self._facts = [kafka.TopicPartition(FACTS.name, number) for number in range(partitions)]
        self._ledger = sql.create_engine(ledger)
        self._clock_file, self.unread_effects = clock_file, unread_effects

    def facts_end(self) -> Ends:
        """The next offset of every partition of `facts`. Raises KafkaException or TimeoutError while the broker cannot be queried."""
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # the package types its values and not this
        try:
            offsets = self._admin.list_offsets(dict.fromkeys(self._facts, latest), request_timeout=ANSWER_SECONDS)
            ends = {partition: future.result(ANSWER_SECONDS * 2).offset for partition, future in offsets.items()}
        except (kafka.KafkaException, TimeoutError):
            self._admin = admin(self._bootstrap)  # one that lived through a restart of the broker may never be answered again
            raise
        return {place(partition.topic, partition.partition): end for partition, end in ends.items()}

    def reports(self) -> Mapping[str, ProgressReport]:
        """What the programs have reported last."""
        return reports(self._clock_file)

    def open_effects(self, now: float) -> int:
        """Effects in the ledger that are not settled or not published, without those at rest."""
        with self._ledger.connect() as db:
            return int(db.execute(sql.text(OPEN), {"now": now}).scalar_one())


def keeper(addresses: StackAddresses, pace: float) -> "ClockKeeper":
    """The keeper of a running demonstration."""
    bootstrap, partitions = addresses.bootstrap, addresses.partitions
    unread = partial(unread_effects, bootstrap, addresses.app_id, partitions, addresses.clock_file)
    pipeline = PipelineState(bootstrap, partitions, addresses.ledger, addresses.clock_file, unread)
    return ClockKeeper(Sandbox(addresses.sandbox), pipeline, pace)


class ClockKeeper:
    """Lets a month pass. `waits` says in words what it waits for."""

    def __init__(self, sandbox: Sandbox, pipeline: PipelineState, pace: float = 0.0, sleep: Callable[[float], object] = time.sleep) -> None:
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
        self._poll_and_deliver()
        for moment in clock_steps.times(start, end):
            self._sleep(max(0.0, began + (moment - start) * self._pace - time.monotonic()))
            self._step(moment)
        self._wait(lambda: clock_steps.unwritten(self._pipeline.reports(), clock_steps.events_end(self._pipeline.reports())))

    def _step(self, to: float) -> None:
        self._wait(lambda: None if self._sandbox.step(to) else HELD, float("inf"))
        self._now, self.steps = to, self.steps + 1
        self._wait(lambda: clock_steps.unticked(self._pipeline.reports(), to))
        self._settle()
        self._poll_and_deliver()
        self._rows.append(clock_steps.events_end(self._pipeline.reports()))
        if len(self._rows) > clock_steps.ROWS_STEPS:
            former = self._rows.pop(0)
            self._wait(lambda: clock_steps.unwritten(self._pipeline.reports(), former))

    def _poll_and_deliver(self) -> None:
        self._sandbox.follow()
        if clock_steps.unpolled(self._pipeline.reports(), self._now):
            self._wait(lambda: clock_steps.unpolled(self._pipeline.reports(), self._now))
            self._settle()
        while self._deliver():
            self._settle()

    def _deliver(self) -> bool:
        """Let webhooks and customers' page views proceed; returns whether there were any."""
        done = self._sandbox.deliver()
        some = bool(done["begun"] or done["opened"] or done["left"])
        left = done["left"]

        def waiting() -> StepWait | None:
            nonlocal left
            if left:
                left = self._sandbox.deliver()["left"]
            return StepWait(left, "webhooks to be accepted") if left else None

        self._wait(waiting)
        return some

    def _settle(self) -> None:
        """Return when nothing is in flight but rows."""
        while True:
            ends = self._facts_end()
            self._wait(lambda ends=ends: clock_steps.unread(self._pipeline.reports(), ends))  # type: ignore[misc] # the value of this round
            self._take_in_new_workers()
            self._wait(lambda: clock_steps.unsettled(self._pipeline.reports()))
            self._wait(self._open)
            if self._facts_end() == ends:
                return

    def _open(self) -> StepWait | None:
        count = self._pipeline.open_effects(self._now)
        return StepWait(count, "effects") if count else None

    def _take_in_new_workers(self) -> None:
        workers = clock_steps.processes(self._pipeline.reports())
        if workers != self._workers:
            self._wait(self._unread_effects)
            self._workers = workers

    def _unread_effects(self) -> StepWait | None:
        try:
            count = self._pipeline.unread_effects()
        except kafka.KafkaException:
            return StepWait(1, "broker")
        return StepWait(count, "effects that were not taken") if count else None

    def _facts_end(self) -> Ends:
        found: list[Ends] = []

        def read() -> bool:
            with contextlib.suppress(kafka.KafkaException, TimeoutError):
                found.append(self._pipeline.facts_end())
            return bool(found)

        self._until(read, "answer of the broker")
        return found[-1]

    def _until(self, done: Callable[[], bool], what: str) -> None:
        self._wait(lambda: None if done() else StepWait(1, what))

    def _wait(self, unfinished: Callable[[], StepWait | None], patience: float = PATIENCE_SECONDS) -> None:
        """Poll until nothing is unfinished. Raises NotQuiescentError when nothing has changed for `patience` seconds."""
        pause, before = POLL_SECONDS, None
        began = since = time.monotonic()
        what = ""
        while (left := unfinished()) is not None:
            self.waits, what = str(left), left.what
            if left != before:
                since, before = time.monotonic(), left
            elif time.monotonic() - since > patience:
                raise NotQuiescentError(
                    f"{left.count} {left.what}: nothing has moved for {patience:g} s. `dunlin status` and the logs say why."
                )
            self._sleep(pause)
            pause = min(pause * 1.2, LONGEST_POLL_SECONDS)
        self.waits = ""
        if what:
            self.waited[what] += time.monotonic() - began
