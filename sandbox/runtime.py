"""The parts of one sandbox process, wired: the world, its clock, the courier, faults. Pages and API act through it."""

from dataclasses import dataclass, field

from sandbox.api.endpoints import Endpoints
from sandbox.clock import SandboxClock
from sandbox.faults import Faults
from sandbox.mail.browser import Browser
from sandbox.simulation.events import Event
from sandbox.simulation.records import Json, Request
from sandbox.simulation.seeded_random import Luck
from sandbox.simulation.world import World
from sandbox.webhook_receiver import WebhookReceiver
from sandbox.webhooks import Courier


@dataclass(slots=True)
class Runtime:
    """Everything a request handler needs. All of it lives in one event loop; nothing here is thread-safe."""

    world: World
    clock: SandboxClock
    endpoints: Endpoints
    courier: Courier
    faults: Faults
    luck: Luck
    api_key: str
    receiver: WebhookReceiver = field(default_factory=WebhookReceiver)
    browser: Browser = field(default_factory=Browser)
    _calls: int = field(default=0)

    def catch_up(self) -> float:
        """Let the world reach business time, send what happened, and answer that time."""
        now = max(self.clock.now(), self.world.now)
        self._send(self.world.advance(now))
        return now

    async def deliver(self, seconds: float) -> Json:
        """While the clock is stepped: let the world reach its time, customers view pages and webhooks leave, which takes up to
        `seconds`."""
        self.catch_up()
        opened = await self.browser.load()
        return {"opened": opened, **await self.courier.deliver(seconds)}

    def run_on(self) -> None:
        """Leave steps behind: time passes as fast as the wall's, and everything leaves when it happens."""
        self.clock.run_on()
        self.browser.one_by_one = False
        self.courier.run_on()

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
