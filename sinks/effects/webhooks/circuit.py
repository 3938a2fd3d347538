"""The circuit breaker of endpoints: one that fails is only probed, one request at a time; one that is dead is disabled.

Its state is kept in the delivery log, so it survives a restart; only the present probe is in memory.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Literal

import msgspec

from sinks.effects.performer import Clocks
from sinks.effects.webhooks import retry_schedule
from sinks.effects.webhooks.delivery_log import DeliveryLog, Health
from sinks.effects.webhooks.sender import GONE, DeliveryAttempt

Which = tuple[str, str]
"""An account and the name of one of its endpoints."""


class EndpointWaits(Exception):
    """The endpoint fails and may not be called now; `seconds` (wall) until it may."""

    def __init__(self, seconds: float) -> None:
        super().__init__("the endpoint fails and is only probed")
        self.seconds = seconds


class Disabled(Exception):
    """Nothing is sent to the endpoint since `at` (business time); the text says why."""

    def __init__(self, why: str, at: datetime) -> None:
        super().__init__(why)
        self.at = at


class Circuit:
    """Guards the endpoints of one process. Safe for several threads."""

    def __init__(self, journal: DeliveryLog, clocks: Clocks) -> None:
        self._journal, self._clocks = journal, clocks
        self._lock = threading.Lock()
        self._probing: set[Which] = set()

    @contextmanager
    def admitted(self, which: Which, mark: str) -> Iterator[None]:
        """Within it the endpoint, whose url and secrets have this `mark`, may be called once.

        Raises:
            Disabled: it must not be called any more.
            EndpointWaits: it must not be called now.
        """
        probe = self._admit(which, mark)
        try:
            yield
        finally:
            if probe:
                with self._lock:
                    self._probing.discard(which)

    def learn(self, which: Which, mark: str, found: DeliveryAttempt) -> None:
        """Take in what came of a try. Raises Disabled when that is the end of the endpoint."""
        with self._lock:
            before = self._journal.health(*which)
            if found.delivered:
                if before != Health():
                    self._journal.keep_health(*which, Health())
                return
            health = self._worse(before, mark, found)
            self._journal.keep_health(*which, health)
        if health.disabled_at is not None:
            raise Disabled(health.why, _moment(health.disabled_at))

    def _admit(self, which: Which, mark: str) -> bool:
        with self._lock:
            health = self._journal.health(*which)
            if health.disabled_at is not None:
                if health.as_it_was == mark:
                    raise Disabled(health.why, _moment(health.disabled_at))
                health = half_open(health)
                self._journal.keep_health(*which, health)
            if health.failures < retry_schedule.OPEN_AFTER:
                return False
            wait = health.probe_at - self._clocks.wall().timestamp()
            if which in self._probing or wait > 0:
                raise EndpointWaits(max(wait, retry_schedule.FIRST_PROBE))
            self._probing.add(which)
            return True

    def _worse(self, before: Health, mark: str, found: DeliveryAttempt) -> Health:
        now, wall, failures = self._clocks.business(), self._clocks.wall().timestamp(), before.failures + 1
        since = now if before.failing_since is None else _moment(before.failing_since)
        why = ""
        if found.status == GONE:
            why = "it answered 410 Gone: it wants nothing more"
        elif retry_schedule.is_dead(failures, since, now):
            why = f"all has failed for three days, at last because: {found.why}"
        return Health(
            failures=failures,
            failing_since=since.timestamp(),
            probe_at=wall + retry_schedule.probe_pause(failures),
            disabled_at=before.disabled_at or (now.timestamp() if why else None),
            why=before.why if before.disabled_at else why,
            as_it_was=mark if why else before.as_it_was,
        )


def half_open(health: Health) -> Health:
    """An endpoint that is enabled again: it is probed until it takes something."""
    return msgspec.structs.replace(
        health, failures=retry_schedule.OPEN_AFTER, failing_since=None, probe_at=0.0, disabled_at=None, why="", as_it_was=""
    )


def standing(health: Health, mark: str) -> Literal["well", "failing", "disabled"]:
    """The state of an endpoint in one word."""
    if health.disabled_at is not None and health.as_it_was == mark:
        return "disabled"
    return "failing" if health.failures else "well"


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
