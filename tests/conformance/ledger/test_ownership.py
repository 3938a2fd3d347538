"""A ledger has one owner at a time."""

import os
import signal
import threading

import pytest
from sqlalchemy.exc import SQLAlchemyError

from sinks.effects.engine.ledger import Ledger, LedgerLost
from sinks.effects.engine.ownership import LedgerTaken, Ownership
from tests.conformance.ledger.test_ledger import outcome, receive


def test_a_second_owner_is_refused_by_name_until_the_first_lets_go(reopen, url):
    who = f"Process {os.getpid()} works on" if url.startswith("sqlite") else r"session \d+ from 127\.0\.0\.1, open since .* holds"
    first, second = reopen(), reopen()
    with Ownership(first), pytest.raises(LedgerTaken, match=who), Ownership(second, patience=0.2):
        pytest.fail("two owners")
    with Ownership(second):
        receive(second, "e1")


def test_an_owner_whose_session_the_server_ended_can_write_no_more_and_its_claims_stay_claims(postgres):
    url = postgres.new_database()
    former = Ledger(url)
    with Ownership(former):
        receive(former, "e1", "e2")
        former.claim("e1", 10.0, 100.0)
        postgres.cut_connections(url)
        with pytest.raises(SQLAlchemyError):
            former.claim("e2", 11.0, 101.0)
        with pytest.raises(LedgerLost):
            former.settle([outcome("e1")], [], 1.0)
        with Ownership(reopened := Ledger(url)):
            assert reopened.counts() == {"claimed": 1, "waiting": 1}
            assert reopened.mark_claimed_in_doubt() == 1
            assert reopened.claim("e1", 20.0, 200.0) == 100.0
        with pytest.raises(LedgerLost):
            former.requeue([])
    for ledger in (former, reopened):
        ledger.close()


def test_what_was_stored_survives_a_crash_of_the_server_and_the_lock_does_not(postgres):
    url = postgres.new_database()
    former = Ledger(url)
    with Ownership(former):
        receive(former, "e1", "e2")
        former.claim("e1", 10.0, 100.0)
        postgres.stop(signal.SIGQUIT)
        with pytest.raises(SQLAlchemyError):
            former.claim("e2", 11.0, 101.0)
        postgres.start()
        with Ownership(again := Ledger(url)):
            assert again.counts() == {"claimed": 1, "waiting": 1}
    for ledger in (former, again):
        ledger.close()


def test_a_successor_waits_a_moment_for_a_server_that_has_not_noticed_the_end_of_the_former_owner(postgres):
    url = postgres.new_database()
    former, successor = Ledger(url), Ledger(url)
    owner = Ownership(former).__enter__()
    soon = threading.Timer(0.5, lambda: owner.__exit__(None, None, None))
    soon.start()
    with Ownership(successor):
        receive(successor, "e1")
    soon.join()
    for ledger in (former, successor):
        ledger.close()
