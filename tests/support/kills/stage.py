"""The world in which the sink is killed: the sandbox and the servers of the other media, each at the end of a slow line."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from dunlin.ports import HOST
from tests.support.effects_world import World, make_world
from tests.support.kills.media import Medium, table
from tests.support.kills.slow_line import SlowLine

SLOWEST = 0.1
"""Wall seconds that a message may take on its way, at most."""


class Stage(msgspec.Struct, frozen=True):
    """What a proof needs. `settings` are the sink's, so that it meets the world through the slow lines."""

    world: World
    media: list[Medium]
    settings: dict[str, str]
    seed: int


@contextmanager
def stage(kafka: str, home: Path, seed: int, customers: int) -> Iterator[Stage]:
    """A world in `home`; of its customers one in nine has a failed invoice that can be charged."""
    with ExitStack() as open_things:
        world = make_world(kafka, home, customers)
        open_things.callback(world.close)

        def slow(port: int) -> int:
            line = SlowLine(port, SLOWEST, seed + port)
            open_things.callback(line.close)
            return line.port

        settings = {
            "DUNLIN_STRIPE_API_BASE": f"http://{HOST}:{slow(urlsplit(world.base).port or 0)}",
            "DUNLIN_SMTP_URL": f"smtp://{HOST}:{slow(world.smtp_port)}",
        }
        media = table()
        for medium in media:
            open_things.callback(medium.close)
            settings |= medium.settings(slow)
            world.extend_tenant(medium.tenant(slow, world.home))
        yield Stage(world, media, settings, seed)
