"""Small worlds with time in the test's hand."""

from collections.abc import Callable

import pytest

from sandbox.simulation.records import Invoice
from sandbox.simulation.world import Setting, World

START = 1_793_000_000.0
DAY = 86_400.0
WorldMaker = Callable[..., World]


@pytest.fixture
def world_of() -> WorldMaker:
    def make(seed: int = 7, customers: int = 120, *, recording: bool = True, stripe_retries: bool = False) -> World:
        return World(Setting(seed=seed, start=START, customers=customers, stripe_retries=stripe_retries), recording=recording)

    return make


@pytest.fixture
def failed(world_of: WorldMaker) -> tuple[World, Invoice]:
    """A world advanced to its first failed renewal that lacks only money, and that invoice."""
    world = world_of()
    at = START
    while at < world.month_end:
        at += 3600
        world.advance(at)
        for bill in world.books.invoices.values():
            if bill.first_decline and bill.first_decline.cause == "insufficient_funds" and bill.status == "open":
                return world, bill
    raise AssertionError("no renewal failed for lack of funds")
