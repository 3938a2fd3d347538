"""The parts of one sandbox process, wired: the world, its clock, the courier, faults. Pages and API act through it."""

from dataclasses import dataclass, field

from sandbox.clock import SandboxClock
from sandbox.endpoints import Endpoints
from sandbox.events import Event
from sandbox.faults import Faults
from sandbox.listener import Listener
from sandbox.luck import Luck
from sandbox.records import Request
from sandbox.webhooks import Courier
from sandbox.world import World


@dataclass(slots=True)
class Machine:
    """Everything a request handler needs. All of it lives in one event loop; nothing here is thread-safe."""

    world: World
    clock: SandboxClock
    endpoints: Endpoints
    courier: Courier
    faults: Faults
    luck: Luck
    api_key: str
    listener: Listener = field(default_factory=Listener)
    _calls: int = field(default=0)

    def catch_up(self) -> float:
        """Let the world reach business time, send what happened, and answer that time."""
        now = max(self.clock.now(), self.world.now)
        self._send(self.world.advance(now))
        return now

    def flush(self) -> None:
        """Send the events of what was just done."""
        self._send(self.world.announce.drain())

    def request(self, idempotency_key: str | None) -> Request:
        """A fresh request id around the caller's key."""
        self._calls += 1
        return Request("req_" + self.luck.token(14, "request", self._calls), idempotency_key)

    def _send(self, events: list[Event]) -> None:
        if events:
            self.courier.send(events)
