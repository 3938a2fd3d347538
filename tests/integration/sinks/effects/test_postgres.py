"""The sink with its ledger in PostgreSQL, whose server crashes in the midst of charges."""

import signal

import pytest
import sqlalchemy as sql

from sinks.effects.main import EXIT_CONFIG, EXIT_FAILED
from tests.support.waiting import until

pytestmark = [pytest.mark.real, pytest.mark.crash]


def claimed(url):
    engine = sql.create_engine(url)
    with engine.connect() as db:
        count = db.execute(sql.text("SELECT count(*) FROM effects WHERE state = 'claimed'")).scalar()
    engine.dispose()
    return count


def test_a_crash_of_the_ledgers_database_ends_the_sink_and_the_next_one_charges_nobody_twice(world, postgres):
    url = postgres.new_database()
    bills = world.take(12)
    charges = [world.charge(bill) for bill in bills]
    world.order(pay="delay", seconds=0.5, count=12)
    process = world.start_sink(DUNLIN_LEDGER_URL=url)
    world.emit(*charges)
    until(lambda: claimed(url) >= 3, 20, "charges under way")
    postgres.stop(signal.SIGQUIT)
    assert process.wait(30) == EXIT_FAILED, world.log()
    postgres.start()
    assert claimed(url) >= 1, "what was claimed stays claimed"
    world.start_sink(DUNLIN_LEDGER_URL=url)
    second = world.start_sink(wait=False, DUNLIN_LEDGER_URL=url)
    assert second.wait(30) == EXIT_CONFIG
    assert "holds its database lock" in world.log()
    told = world.outcomes({charge.id for charge in charges}, 60)
    for charge, bill in zip(charges, bills, strict=True):
        assert len(world.charges_of(bill)) <= 1
        assert len({outcome.result for outcome in told[charge.id]}) == 1
    assert sum(told[charge.id][0].result != "not_done" for charge in charges) > len(charges) / 2
