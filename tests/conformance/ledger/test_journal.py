"""The log of deliveries and the state of endpoints, beside the ledger on SQLite and on PostgreSQL."""

import pytest

from sinks.effects.engine.ledger import Ledger
from sinks.effects.webhooks.delivery_log import KEPT_SECONDS, DeliveryLog, Health, Tried


@pytest.fixture
def journal(ledger: Ledger) -> DeliveryLog:
    return DeliveryLog(ledger.engine, ledger.writing)


def a_try(effect: str, at: float, status: int = 200, **more: str) -> Tried:
    usual = {"message": f"msg_{effect}", "account": "acct_1", "endpoint": "crm", "event_type": "payment_failed", "sent_by": "dispatcher"}
    return Tried(effect=effect, at=at, status=status, seconds=0.1, **(usual | more))


def test_every_try_is_kept_and_found_by_what_it_belongs_to(journal: DeliveryLog) -> None:
    tries = [a_try("a", 1.0, 500), a_try("a", 2.0), a_try("b", 3.0, 0, endpoint="books"), a_try("c", 4.0, account="acct_2")]
    for one in tries:
        journal.record(one)
    assert journal.tries("a") == (2, 200)
    assert journal.tries("nothing") == (0, 0)
    assert journal.of_delivery("msg_a") == journal.of_delivery("a") == tries[:2]
    assert journal.latest("acct_1") == [tries[2], tries[1], tries[0]]
    assert journal.latest("acct_1", failed=True) == [tries[2], tries[0]]
    assert journal.latest("acct_1", endpoint="books") == [tries[2]]
    assert journal.latest("acct_1", since=2.0, until=3.0) == [tries[1]]
    assert journal.latest("acct_1", limit=1) == [tries[2]]


def test_replays_and_tests_do_not_count_as_tries_of_the_dispatcher(journal: DeliveryLog) -> None:
    """B146."""
    journal.record(a_try("a", 1.0, 500))
    journal.record(a_try("a", 2.0, sent_by="replay"))
    assert journal.tries("a") == (1, 500)


def test_a_try_is_forgotten_after_thirty_days(journal: DeliveryLog) -> None:
    journal.record(a_try("a", 1.0))
    journal.record(a_try("b", 2.0 + KEPT_SECONDS))
    assert [one.effect for one in journal.latest("acct_1")] == ["b"]


def test_how_an_endpoint_stands_is_kept_by_whoever_writes(journal: DeliveryLog, ledger: Ledger) -> None:
    assert journal.health("acct_1", "crm") == Health()
    bad = Health(failures=6, failing_since=1.5, probe_at=2.5, disabled_at=3.5, why="gone", as_it_was="mark")
    journal.keep_health("acct_1", "crm", bad)
    other = DeliveryLog.beside(ledger.engine)
    assert other.health("acct_1", "crm") == bad
    other.keep_health("acct_1", "crm", Health(failures=1))
    assert journal.health("acct_1", "crm") == Health(failures=1)
    assert journal.health("acct_1", "books") == Health()
