"""The world in which the sink is killed: the sandbox and the servers of the other media, each at the end of a slow line."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from dunlin.stack.ports import HOST
from tests.support.crash_harness.media import Medium, table
from tests.support.crash_harness.slow_line import Lines, SlowLine
from tests.support.effects_harness import World, make_world

SLOW, SLOWEST = 0.1, 1.0
"""Wall seconds that a message may take on its way, at most: at first, and where kills find nothing claimed otherwise."""

SPEED = 60.0
"""Business seconds per wall second: alerts that wait for each other for ten minutes do so for ten seconds."""


class Stage(msgspec.Struct, frozen=True):
    """What a proof needs. `settings` are the sink's, so that it meets the world through the slow lines."""

    world: World
    media: list[Medium]
    settings: dict[str, str]
    seed: int
    ledger: str
    lines: Lines


@contextmanager
def stage(kafka: str, home: Path, seed: int, customers: int, ledger: str = "") -> Iterator[Stage]:
    """A world in `home`; of its customers one in nine has a failed invoice. `ledger` is a database's URL, empty for SQLite in `home`."""
    with ExitStack() as open_things:
        world = make_world(kafka, home, customers)
        open_things.callback(world.close)

        lines = Lines(SLOW, SLOWEST)

        def slow(port: int) -> int:
            line = SlowLine(port, lines, seed + port)
            open_things.callback(line.close)
            return line.port

        ledger = ledger or f"sqlite:///{home / 'ledger.sqlite'}"
        settings = {
            "DUNLIN_LEDGER_URL": ledger,
            "DUNLIN_STRIPE_API_BASE": f"http://{HOST}:{slow(urlsplit(world.base).port or 0)}",
            "DUNLIN_SMTP_URL": f"smtp://{HOST}:{slow(world.smtp_port)}",
        }
        media = table()
        for medium in media:
            open_things.callback(medium.close)
            settings |= medium.settings(slow)
            world.extend_tenant(medium.tenant(slow, world.home))
        world.let_time_run(SPEED)
        yield Stage(world, media, settings, seed, ledger, lines)
