"""What the ledger promises, whatever database keeps it."""

import threading

import pytest
import sqlalchemy as sql
from sqlalchemy.exc import SQLAlchemyError

from sinks.effects.engine.ledger import Arrival, Outgoing, Redrive, Requeue


def arrival(effect="e1", customer="cus", not_after=2000.0):
    place = f"effects.stripe-0-{effect[1:]}"
    return Arrival(
        id=effect,
        account="acct",
        customer=customer,
        invoice="in",
        kind="charge_requested",
        body=b"body " + effect.encode(),
        place=place,
        received_at=float(effect[1:]),
        not_after=not_after,
    )


def outcome(effect="e1", value=b"outcome"):
    return Outgoing(id=effect, topic="facts", key=b"acct/cus", value=value)


def receive(ledger, *effects, withdrawals=(), parked=()):
    ledger.receive([arrival(effect) for effect in effects], withdrawals, parked, 1.0)


def test_what_was_received_waits_in_order_and_survives_the_process(ledger, reopen):
    receive(ledger, "e2", "e1")
    rows = reopen().unfinished()
    assert [(row.id, row.state) for row in rows] == [("e1", "waiting"), ("e2", "waiting")]
    assert {row.id: row.body for row in reopen().rows(["e1", "e2"])} == {"e1": b"body e1", "e2": b"body e2"}


def test_an_effect_that_comes_twice_is_one_row(ledger):
    receive(ledger, "e1", "e1")
    receive(ledger, "e1")
    assert ledger.counts() == {"waiting": 1}


def test_only_the_first_claim_of_an_effect_succeeds(ledger):
    receive(ledger, "e1")
    assert ledger.claim("e1", 10.0, 100.0) == 100.0
    assert ledger.claim("e1", 11.0, 101.0) is None


def test_of_many_claims_at_once_one_succeeds(ledger):
    receive(ledger, "e1")
    won = []
    threads = [threading.Thread(target=lambda n=n: won.append(ledger.claim("e1", 1.0, float(n)))) for n in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([since for since in won if since is not None]) == 1


def test_a_withdrawal_before_the_claim_wins(ledger):
    receive(ledger, "e1")
    receive(ledger, withdrawals=[("e1", "paid")])
    assert ledger.claim("e1", 10.0, 100.0) is None
    assert ledger.withdrawn(["e1", "e2"]) == {"e1": "paid"}


def test_a_withdrawal_that_comes_before_its_effect_is_remembered(ledger, reopen):
    receive(ledger, withdrawals=[("e1", "paid"), ("e1", "paid")])
    receive(reopen(), "e1")
    assert ledger.withdrawn(["e1"]) == {"e1": "paid"}
    assert ledger.claim("e1", 10.0, 100.0) is None


def test_a_withdrawal_after_the_claim_comes_too_late_but_is_known_when_the_claim_is_in_doubt(ledger, reopen):
    receive(ledger, "e1")
    ledger.claim("e1", 10.0, 100.0)
    receive(ledger, withdrawals=[("e1", "paid")])
    again = reopen()
    assert again.mark_claimed_in_doubt() == 1
    assert again.claim("e1", 11.0, 101.0) is None
    assert [row.state for row in again.unfinished()] == ["doubt"]


def test_a_claim_of_a_dead_process_is_in_doubt_since_its_first_claim(ledger, reopen):
    receive(ledger, "e1", "e2")
    ledger.claim("e1", 10.0, 100.0)
    again = reopen()
    again.mark_claimed_in_doubt()
    (doubted,) = [row for row in again.unfinished() if row.state == "doubt"]
    assert (doubted.id, doubted.claimed_business, doubted.doubts) == ("e1", 100.0, 1)
    assert again.claim("e1", 20.0, 200.0) == 100.0


def test_what_was_only_looked_at_is_not_in_doubt(ledger, reopen):
    receive(ledger, "e1")
    assert ledger.rows(["e1"])[0].state == "waiting"
    assert reopen().mark_claimed_in_doubt() == 0


def test_a_settled_effect_keeps_its_first_outcome_and_cannot_be_claimed(ledger):
    receive(ledger, "e1")
    ledger.claim("e1", 10.0, 100.0)
    ledger.settle([outcome(value=b"first")], [], 1.0)
    ledger.settle([outcome(value=b"second")], [], 1.0)
    ledger.requeue([Requeue(id="e1", in_doubt=False, at=0.0, why="late")])
    assert [message.value for message in ledger.to_publish()] == [b"first"]
    assert ledger.claim("e1", 10.0, 100.0) is None
    assert ledger.rows(["e1"]) == []


def test_an_outcome_is_published_until_it_is_marked_and_again_when_its_effect_comes_again(ledger, reopen):
    receive(ledger, "e1")
    ledger.settle([outcome()], [], 1.0)
    assert [message.id for message in reopen().to_publish()] == ["e1"]
    ledger.mark_published(["e1"])
    assert ledger.to_publish() == []
    receive(ledger, "e1")
    assert [message.value for message in ledger.to_publish()] == [b"outcome"]


@pytest.mark.parametrize(("in_doubt", "state", "doubts"), [(True, "doubt", 1), (False, "waiting", 0)])
def test_an_effect_put_back_waits_or_is_in_doubt_as_told(ledger, in_doubt, state, doubts):
    receive(ledger, "e1")
    ledger.claim("e1", 10.0, 100.0)
    ledger.requeue([Requeue(id="e1", in_doubt=in_doubt, at=33.0, why="busy")])
    (row,) = ledger.unfinished()
    assert (row.state, row.doubts, row.tries, row.next_try_at) == (state, doubts, 1, 33.0)


def test_a_parked_message_is_published_like_an_outcome_and_stored_once(ledger):
    message = Outgoing(id="parked:x-0-1", topic="parked.sinks", key=b"k", value=b"v")
    receive(ledger, parked=[message])
    receive(ledger, parked=[message])
    assert ledger.to_publish() == [message]


def test_forgetting_takes_only_published_effects_whose_deadline_is_long_past(ledger):
    ledger.receive([arrival("e1", not_after=10.0), arrival("e2", not_after=10.0), arrival("e3", not_after=99.0)], [("e9", "")], [], 1.0)
    ledger.settle([outcome("e1"), outcome("e3")], [], 1.0)
    ledger.mark_published(["e1", "e3"])
    assert ledger.forget(50.0, 2.0) == 1
    assert ledger.counts() == {"waiting": 1, "published": 1}
    assert ledger.withdrawn(["e9"]) == {}


def test_switches_and_how_far_they_were_read_are_kept_together(ledger, reopen):
    assert ledger.switches() == (set(), 0)
    ledger.keep_switches({"a", "b"}, 7)
    ledger.keep_switches({"b"}, 9)
    assert reopen().switches() == ({"b"}, 9)


def test_only_failures_count_as_failures(ledger):
    receive(ledger, "e1")
    ledger.requeue([Requeue(id="e1", in_doubt=False, at=0.0, why="busy")])
    ledger.requeue([Requeue(id="e1", in_doubt=False, at=0.0, why="broken", failed=True)])
    (row,) = ledger.unfinished()
    assert (row.tries, row.failures) == (2, 1)


def test_the_ledger_of_a_former_version_is_extended_and_keeps_its_rows(ledger, reopen):
    receive(ledger, "e1")
    with ledger.writing() as db:
        db.execute(sql.text("ALTER TABLE effects DROP COLUMN failures"))
    (row,) = reopen().unfinished()
    assert (row.id, row.failures) == ("e1", 0)


def test_an_error_of_the_database_tells_no_values(ledger):
    with pytest.raises(SQLAlchemyError) as told, ledger.writing() as db:
        db.execute(sql.text("INSERT INTO nowhere VALUES (:name)"), {"name": "ana@payer.example"})
    assert "ana@" not in str(told.value)


def given_up(ledger, effect="e1", reopened=0):
    """An effect whose outcome, that it was given up, is on the log."""
    receive(ledger, effect)
    ledger.settle([outcome(effect, b"given up")], [], 1.0)
    ledger.mark_published([effect])
    return Redrive(id=effect, in_doubt=False, reopened=reopened)


def test_an_effect_that_was_given_up_waits_again_once_for_each_giving_up(ledger, reopen):
    wish = given_up(ledger)
    ledger.redrive([wish])
    (row,) = reopen().unfinished()
    assert (row.state, row.reopened, row.tries, row.failures) == ("waiting", 1, 0, 0)
    ledger.settle([outcome("e1", b"sent")], [], 2.0)
    ledger.mark_published(["e1"])
    ledger.redrive([wish])
    assert ledger.unfinished() == []
    ledger.redrive([Redrive(id="e1", in_doubt=True, reopened=1)])
    assert [(row.state, row.reopened) for row in ledger.unfinished()] == [("doubt", 2)]


def test_an_effect_that_was_never_given_up_or_waits_already_is_not_reopened(ledger):
    receive(ledger, "e1")
    ledger.requeue([Requeue(id="e1", in_doubt=False, at=9.0, why="later")])
    ledger.redrive([Redrive(id="e1", in_doubt=True, reopened=0), Redrive(id="e9", in_doubt=False, reopened=0)])
    assert [(row.id, row.state, row.next_try_at) for row in ledger.unfinished()] == [("e1", "waiting", 9.0)]


def test_the_first_of_an_account_are_those_due_first_and_no_others(ledger):
    receive(ledger, "e3", "e1", "e2", "e4", "e5")
    ledger.requeue([Requeue(id="e1", in_doubt=False, at=50.0, why="busy"), Requeue(id="e2", in_doubt=True, at=9.0, why="cut")])
    ledger.settle([outcome("e4")], [], 1.0)
    ledger.claim("e5", 1.0, 1.0)

    def first(kinds, limit):
        return [(row.id, row.state) for row in ledger.first_of("acct", lambda kind: kind.in_(kinds), limit)]

    assert first(["charge_requested"], 9) == [("e3", "waiting"), ("e2", "doubt"), ("e1", "waiting")]
    assert first(["charge_requested"], 2) == [("e3", "waiting"), ("e2", "doubt")]
    assert first(["message_requested"], 9) == []
    assert ledger.first_of("another", lambda kind: kind.in_(["charge_requested"]), 9) == []
