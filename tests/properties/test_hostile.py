"""A sample of `make prove-hostile`, and proof that it notices a system that breaks, loses, stops or waits."""

import asyncio
from collections.abc import Callable

import pytest

from recovery.contracts import limits
from sinks.effects.performer import EffectRun, Outcome, RetryLater
from tests.support.hostile import places
from tests.support.hostile.__main__ import Proof, prove


def test_hostile_inputs_crash_stop_delay_and_lose_nothing() -> None:
    figures, wrong = prove(4_000, seed=5, round_size=250)
    assert wrong == {}
    assert {name: figures[name] for name in ("crashes", "stopped_tenants", "waits", "lost", "limits_never_met")} == {
        "crashes": 0,
        "stopped_tenants": 0,
        "waits": 0,
        "lost": 0,
        "limits_never_met": [],
    }
    assert figures["parked"]
    assert figures["rows"]


def test_every_limit_of_the_table_is_met_by_an_input() -> None:
    of_a_batch = {limit.name for limit in limits.LIMITS if limit.name.startswith("BATCH_")}
    assert {limit.name for limit in limits.LIMITS} - of_a_batch == set(places.PLACES)


@pytest.fixture
def proof(tmp_path):
    proof = Proof(3, tmp_path, round_size=200)
    yield proof
    proof.system.close()


def breaks(_: object) -> None:
    raise MemoryError("a program that breaks")


def test_a_stage_that_raises_is_a_crash(proof: Proof) -> None:
    proof.system.desks[0].process = breaks
    asyncio.run(proof.run(300))
    assert proof.figures()["crashes"]


def test_a_row_that_is_not_written_is_lost(proof: Proof) -> None:
    insert = proof.system.clickhouse.raw_insert

    def without_the_last(table: str, *, insert_block: bytes, **more: object) -> None:
        insert(table, insert_block=insert_block.rpartition(b"\n")[0] or insert_block, **more)

    proof.system.clickhouse.raw_insert = without_the_last
    asyncio.run(proof.run(300))
    assert proof.figures()["lost"]


def test_a_tenant_whose_facts_are_dropped_is_stopped(proof: Proof) -> None:
    for desk in proof.system.desks:
        desk.process = lambda record: None
    asyncio.run(proof.run(300))
    assert proof.figures()["stopped_tenants"] == 4


def test_an_honest_effect_that_is_put_off_while_others_hang_waits(proof: Proof) -> None:
    perform: Callable[[EffectRun], Outcome] = proof.system.performers.honest

    def put_off(job: EffectRun) -> Outcome:
        return RetryLater("the pool is busy") if proof.system.performers.hangs else perform(job)

    proof.system.performers.honest = put_off
    asyncio.run(proof.run(2_600))
    assert proof.figures()["waits"]
