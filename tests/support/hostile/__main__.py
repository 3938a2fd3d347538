"""`make prove-hostile`: hostile inputs through every stage; nothing crashes, nothing is lost, and the honest tenant notices nothing.

Prints progress, then what went wrong with an example of each, and as the last line one JSON object. Exits with 1 unless all of crashes,
stopped_tenants, waits and lost are zero.
"""

import argparse
import asyncio
import json
import logging
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.support.hostile import places
from tests.support.hostile.inputs import HONEST, HOSTILE, Draw, Input
from tests.support.hostile.system import System

PROGRESS_SECONDS = 5.0
ROUND = 2_000
"""Inputs before the stages behind the gateway work; few rounds cost few commits of the ledger."""
HONEST_SHARE = 0.05


class Proof:
    """What a run has shown so far."""

    def __init__(self, seed: int, home: Path, round_size: int = ROUND) -> None:
        self._round_size = round_size
        self.draw = Draw(seed)
        self.system = System(home, self.draw.sample)
        self.inputs = 0
        self.waits = 0
        self.stopped: set[str] = set()

    async def run(self, inputs: int) -> None:
        """Send so many inputs in rounds; every tenth round hostile effects hang while the honest tenant's must go on."""
        printed = time.monotonic()
        number = 0
        while self.inputs < inputs:
            await self._round(number, min(self._round_size, max(1, inputs - self.inputs)))
            number += 1
            if time.monotonic() - printed > PROGRESS_SECONDS:
                printed = time.monotonic()
                system = self.system
                print(
                    f"{self.inputs:,} of {inputs:,} inputs, {system.dead_letters:,} dead letters, {system.clickhouse.rows:,} rows, "
                    f"{sum(system.crashes.values())} crashes, {sum(system.lost.values())} lost",
                    flush=True,
                )
        await self._probe()

    async def _round(self, number: int, size: int) -> None:
        system, draw = self.system, self.draw
        system.pass_time(draw.luck.choice((1, 60, 600, 3_600)))
        if number % 10 == 9:
            system.performers.hang()
        if number % 50 == 0:
            await self._send_all(draw.at_every_limit(int(system.now)))
        for _ in range(size):
            one = draw.honest(int(system.now)) if draw.luck.random() < HONEST_SHARE else draw.hostile(int(system.now))
            await self._send_all([one])
        system.work()
        self.waits += system.unsettled(HONEST)
        if number % 10 == 9:
            system.performers.release()
            system.work()

    async def _send_all(self, several: list[Input]) -> None:
        for one in several:
            await self.system.send(one)
        self.inputs += len(several)

    async def _probe(self) -> None:
        """Every tenant, hostile ones too, is still served: one more failure of a new customer becomes a row."""
        system = self.system
        for tenant in (HONEST, *HOSTILE):
            rows = system.clickhouse.rows
            await self._send_all([self.draw.about(tenant, int(system.now), customer=f"cus_last_{tenant}", id=f"evt_last_{tenant}")])
            system.work()
            if system.clickhouse.rows == rows:
                self.stopped.add(tenant)
        missing = len(system.accepted - system.clickhouse.causes)
        if missing:
            system.lost["an honest webhook without a row"] += missing

    def figures(self) -> dict[str, object]:
        """The last line."""
        system = self.system
        never_met = [f"{name}{delta:+d}" for name in places.PLACES for delta in (-1, 0, 1) if not self.draw.met[name, delta]]
        return {
            "inputs": self.inputs,
            "crashes": sum(system.crashes.values()),
            "stopped_tenants": len(self.stopped),
            "waits": self.waits,
            "parked": system.dead_letters,
            "lost": sum(system.lost.values()),
            "rows": system.clickhouse.rows,
            "answers": {str(status): count for status, count in sorted(system.answers.items())},
            "limits_never_met": never_met,
        }


def prove(inputs: int, seed: int, round_size: int = ROUND) -> tuple[dict[str, object], dict[str, str]]:
    """Run, and return the figures with an example of each crash. The same seed draws the same inputs."""
    logging.disable(logging.CRITICAL)
    try:
        memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
        with tempfile.TemporaryDirectory(prefix="dunlin-hostile-", dir=memory) as home:
            proof = Proof(seed, Path(home), round_size)
            try:
                asyncio.run(proof.run(inputs))
            finally:
                proof.system.close()
    finally:
        logging.disable(logging.NOTSET)
    wrong = {**{f"{where}: {count}": "" for where, count in {**proof.system.crashes, **proof.system.lost}.items()}, **proof.system.examples}
    return proof.figures(), wrong


def main(arguments: list[str] | None = None) -> int:
    """Prove, report, and return the exit code."""
    parser = argparse.ArgumentParser(description="Hostile inputs through every stage.")
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # so that the ledger in memory is deleted
    started = time.monotonic()
    figures, wrong = prove(options.inputs, options.seed)
    for where, example in wrong.items():
        print(f"WRONG {where} {example}")
    print(json.dumps({**figures, "seconds": round(time.monotonic() - started, 1), "seed": options.seed}))
    return 1 if any(figures[name] for name in ("crashes", "stopped_tenants", "waits", "lost", "limits_never_met")) else 0


if __name__ == "__main__":
    sys.exit(main())
