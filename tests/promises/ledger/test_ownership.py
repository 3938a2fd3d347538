"""A ledger has one owner at a time."""

import os

import pytest

from sinks.effects.ledger import Ledger
from sinks.effects.ownership import LedgerTaken, Ownership


def test_a_second_owner_is_refused_by_name_until_the_first_lets_go(tmp_path):
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    with Ownership(ledger.engine), pytest.raises(LedgerTaken, match=f"Process {os.getpid()} works on"), Ownership(ledger.engine):
        pytest.fail("two owners")
    with Ownership(ledger.engine) as owner:
        owner.still_held()
    ledger.close()
