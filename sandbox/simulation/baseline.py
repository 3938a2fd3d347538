"""The same month without action: what the merchant would have recovered anyway."""

import asyncio
from dataclasses import dataclass, field

from sandbox.simulation import truth
from sandbox.simulation.records import Json
from sandbox.simulation.world import Setting, World


@dataclass(slots=True)
class Baseline:
    """A silent twin of the world, brought forward on demand in a thread of its own."""

    setting: Setting
    _twin: World | None = None
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def at(self, now: float) -> Json:
        """Failures and recoveries per currency by business time `now` (Unix seconds)."""
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._advance, now)

    def _advance(self, now: float) -> Json:
        if self._twin is None:
            self._twin = World(self.setting, recording=False)
        self._twin.advance(now)
        return {
            "now": self._twin.now,
            "failures": self._twin.payments.failures,
            "recovered": len(self._twin.payments.recoveries),
            "by_currency": truth.money(self._twin),
        }
