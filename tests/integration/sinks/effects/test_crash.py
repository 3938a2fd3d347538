"""kill -9 between claim and settle: no charge twice, nothing lost, doubts as decided. `make prove-effects` does it at length."""

from pathlib import Path

import pytest

from tests.support.crash_harness.proof import Proof
from tests.support.crash_harness.stage import stage

pytestmark = [pytest.mark.real, pytest.mark.crash]
KILLS = 10
"""Each medium is aimed at once at least."""


def test_killed_between_claim_and_settle_it_does_everything_once_and_tells_what_happened(topics: str, tmp_path: Path) -> None:
    """Decision 18, B33."""
    with stage(topics, tmp_path, 7, 2600) as world:
        proof = Proof(world)
        proof.run(KILLS, lambda number, kill: None)
        verdict = proof.judge()
    assert (verdict.kills, verdict.duplicate_charges, verdict.lost, verdict.breaches) == (KILLS, 0, [], [])
    assert set(verdict.doubts) == {medium.name for medium in world.media if medium.kind}, "every medium was in doubt"
