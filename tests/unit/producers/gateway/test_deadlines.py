"""A wait that lasts too long ends; any other is left alone, and a cancellation from elsewhere stays one."""

import asyncio

import pytest

from producers.gateway.deadlines import Deadlines


async def at_once():
    return 5


async def never():
    await asyncio.get_running_loop().create_future()


def test_a_short_wait_gives_its_value():
    assert asyncio.run(Deadlines(10).within(at_once())) == 5


def test_a_long_wait_ends_and_its_task_goes_on():
    async def call():
        with pytest.raises(TimeoutError):
            await Deadlines(0.01).within(never())
        await asyncio.sleep(0)
        return "went on"

    assert asyncio.run(call()) == "went on"


def test_two_waits_in_a_row_of_one_task_have_a_deadline_each():
    async def call():
        deadlines = Deadlines(0.01)
        for _ in range(2):
            with pytest.raises(TimeoutError):
                await deadlines.within(never())

    asyncio.run(call())


def test_a_cancellation_from_elsewhere_stays_one():
    async def call():
        task = asyncio.ensure_future(Deadlines(10).within(never()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(call())
