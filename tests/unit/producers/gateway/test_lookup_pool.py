"""Look-ups take turns by owner, and kinds do not wait for each other."""

import asyncio
from functools import partial
from threading import Event

import pytest

from producers.gateway.lookup_pool import MOST_WAITING, THREADS, LookupPool, PoolBusy


def test_an_owner_with_many_look_ups_holds_one_thread_and_others_pass():
    async def run():
        lane, gate, order = LookupPool("test"), Event(), []
        held = [asyncio.ensure_future(lane.run("acct_busy", partial(gate.wait, 30))) for _ in range(MOST_WAITING)]
        await asyncio.sleep(0)
        for owner in ("acct_1", "acct_2"):  # of two threads one is held: these get the other
            await lane.run(owner, partial(order.append, owner))
        gate.set()
        await asyncio.gather(*held)
        return order

    assert THREADS > 1
    assert asyncio.run(run()) == ["acct_1", "acct_2"]


def test_more_than_may_wait_are_refused_and_there_is_room_again_afterwards():
    async def run():
        lane, gate = LookupPool("test"), Event()
        held = [asyncio.ensure_future(lane.run("acct_busy", partial(gate.wait, 30))) for _ in range(MOST_WAITING + 1)]
        await asyncio.sleep(0)
        with pytest.raises(PoolBusy):
            await lane.run("acct_busy", lambda: None)
        gate.set()
        await asyncio.gather(*held)
        return await lane.run("acct_busy", lambda: "room")

    assert asyncio.run(run()) == "room"


def test_a_look_up_that_fails_gives_its_turn_on():
    async def run():
        lane = LookupPool("test")
        with pytest.raises(ZeroDivisionError):
            await lane.run("acct_1", lambda: 1 / 0)
        return await lane.run("acct_1", lambda: "next")

    assert asyncio.run(run()) == "next"
