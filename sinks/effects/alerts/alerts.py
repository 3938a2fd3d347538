"""Alerts to merchants: one at a time, and in one message when many arrive at once; each alert gets its one outcome.

An alert mail in doubt is repeated once under the same Message-ID, a Slack message never; after that both are unknown.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from recovery.contracts.effects import AlertRequested
from recovery.contracts.events import Event
from recovery.contracts.facts import AlertSettled
from sinks.effects.alerts.digests import Digest, Digests
from sinks.effects.delivery_errors import DeliveryUnknown, PermanentFailure, TemporaryFailure
from sinks.effects.performer import Clocks, EffectRun, InDoubt, Outcome, RetryLater, Settled, header, pause_before

BURST = 10
"""Messages that an account gets by one medium within WINDOW before the next alerts wait for each other."""
WINDOW = timedelta(minutes=10)
"""Business time."""
DIGEST_POLL_SECONDS = 1.0
"""Wall seconds before an alert checks again how the digest that carries it has ended."""


class Channel(Protocol):
    """A way to a merchant. `repeats` is how often a message that may have left is handed over again."""

    medium: str
    repeats: int

    def why_not(self, account: str) -> str:
        """Why no alert can be sent by this channel at all; empty when it can. Raises LookupError when the account is unknown."""

    def deliver(self, account: str, events: Sequence[Event], name: str, claim: Callable[[], object]) -> None:
        """Return when one message with these events was taken. `name` derives the message's id. Raises what handover names."""

    def message(self, name: str) -> str:
        """The id of the message of that name."""


class Alerts:
    """Performs AlertRequested by one channel."""

    def __init__(self, channel: Channel, digests: Digests, clocks: Clocks) -> None:
        self._channel, self._digests, self._clocks = channel, digests, clocks
        self._sent_at: dict[str, deque[datetime]] = {}
        self._lock = threading.Lock()
        self._began = (clocks.wall(), clocks.business())

    def __call__(self, job: EffectRun) -> Outcome:
        """Answer with AlertSettled. Raises NotMine when the claim is refused."""
        effect = job.effect
        if not isinstance(effect, AlertRequested):
            raise TypeError(f"{type(effect).__name__} is not an alert.")
        digest = self._digests.of(effect.id)
        if digest is not None:
            return self._together(job, effect, digest)
        if why := self._not_repeated(job):
            return self._settled(effect, "unknown", why, effect.id)
        if why := self._why_not(effect.account):
            return self._settled(effect, "skipped" if job.possibly_done_since is None else "unknown", why)
        if job.possibly_done_since is None and self._is_burst(effect.account):
            closes = (self._clocks.business() + WINDOW).timestamp()
            return self._wait_for(job, self._digests.join(effect.id, effect.account, self._channel.medium, effect.event, closes))
        return self._alone(job, effect)

    def _not_repeated(self, job: EffectRun) -> str:
        """Why a message that may have left is not handed over again; empty when it may be, or when none can have left."""
        if job.in_doubt_count > self._channel.repeats:
            return "not_repeated"
        return "expired" if job.possibly_done_since is not None and self._clocks.business() > job.effect.not_after else ""

    def _why_not(self, account: str) -> str:
        try:
            return self._channel.why_not(account)
        except LookupError:  # it left the tenants file: there is nobody to tell
            return "unknown_account"

    def _alone(self, job: EffectRun, effect: AlertRequested) -> Outcome:
        answer = self._deliver(job, effect, [effect.event], effect.id)
        if isinstance(answer, RetryLater | InDoubt):
            return answer
        self._count(effect.account)
        result, why = answer
        return self._settled(effect, result, why, effect.id)

    def _together(self, job: EffectRun, effect: AlertRequested, digest: Digest) -> Outcome:
        if digest.state == "ended":
            return self._as(effect, digest.result, digest.why, digest.message)
        if digest.state == "open" and self._clocks.business().timestamp() < digest.closes_at:
            return self._wait_for(job, digest)
        events = self._digests.lead(digest.id, effect.id)
        if events is None:
            return RetryLater("another alert carries the digest", DIGEST_POLL_SECONDS)
        answer = self._carry(job, effect, events, digest.id)
        if isinstance(answer, RetryLater | InDoubt):
            if isinstance(answer, RetryLater):
                self._digests.release(digest.id)
            return answer
        result, why = answer
        self._count(effect.account)
        message = self._channel.message(digest.id) if result in {"sent", "unknown"} else ""
        self._digests.end(digest.id, result, why, message)
        return self._as(effect, result, why, message)

    def _carry(self, job: EffectRun, effect: AlertRequested, events: Sequence[Event], name: str) -> tuple[str, str] | RetryLater | InDoubt:
        if why := self._not_repeated(job):
            return "unknown", why
        if why := self._why_not(effect.account):
            return "skipped" if job.possibly_done_since is None else "unknown", why
        return self._deliver(job, effect, events, name)

    def _deliver(
        self, job: EffectRun, effect: AlertRequested, events: Sequence[Event], name: str
    ) -> tuple[str, str] | RetryLater | InDoubt:
        """The result and its reason, or that it must be tried again."""
        try:
            self._channel.deliver(effect.account, events, name, job.claim)
        except TemporaryFailure as error:
            return RetryLater(str(error), error.after) if job.possibly_done_since is None else InDoubt(str(error))
        except PermanentFailure as error:
            return "failed" if job.possibly_done_since is None else "unknown", str(error)
        except DeliveryUnknown as error:
            return InDoubt(str(error)) if self._channel.repeats else ("unknown", str(error))
        return "sent", ""

    def _wait_for(self, job: EffectRun, digest: Digest) -> RetryLater:
        left = max(0.0, digest.closes_at - self._clocks.business().timestamp())
        return RetryLater("goes with others of its kind", max(self._wall_seconds(left, job.attempt), 0.05))

    def _wall_seconds(self, business: float, tries: int) -> float:
        """The wall time of a span of business time, at the rate at which business time has run since the start; polls often while the rate
        is unknown."""
        wall_run, business_run = self._clocks.wall() - self._began[0], self._clocks.business() - self._began[1]
        if wall_run.total_seconds() < 1.0:
            return min(business, pause_before(tries + 1))
        return business / max(business_run / wall_run, 1.0)

    def _is_burst(self, account: str) -> bool:
        if self._digests.is_open(account, self._channel.medium):
            return True
        since = self._clocks.business() - WINDOW
        with self._lock:
            sent = self._sent_at.setdefault(account, deque())
            while sent and sent[0] <= since:
                sent.popleft()
            return len(sent) >= BURST

    def _count(self, account: str) -> None:
        """In memory only: a process that starts anew allows ten more."""
        with self._lock:
            self._sent_at.setdefault(account, deque()).append(self._clocks.business())

    def _settled(self, effect: AlertRequested, result: str, why: str = "", name: str = "") -> Settled:
        message = self._channel.message(name) if name and result in {"sent", "unknown"} else ""
        return self._as(effect, result, why, message)

    def _as(self, effect: AlertRequested, result: str, why: str, message: str) -> Settled:
        fields: dict[str, Any] = {"medium": effect.medium, "event_type": effect.event.event_type, "result": result, "why": why}
        return Settled(AlertSettled(**header(effect, self._clocks), **fields, message=message))
