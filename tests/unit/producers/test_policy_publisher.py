"""A policy is published once for each change and to every partition; a number is never given to two policies."""

from datetime import UTC, datetime

import msgspec
import pytest

from control.policy_history import ChangeAuthor
from control.policy_store import PolicyStore
from control.tenants import Tenant
from producers.policy.publisher import PolicyPublisher, set_switch
from recovery.adapters.kafka import NotDelivered
from recovery.policy import OBSERVE, Policy, RetryPolicy

NOW = datetime(2026, 11, 1, tzinfo=UTC)
WALL = datetime(2026, 11, 24, tzinfo=UTC)
ACT = Policy(mode="act")
SHORT = Policy(mode="act", retry=RetryPolicy(max_retries=1, ladder_hours=(12,)))
ADA = ChangeAuthor(who="ada", why="fewer retries", business=NOW, wall=WALL)


class Everywhere:
    def __init__(self) -> None:
        self.facts, self.down = [], False

    def write(self, key, fact_for):
        if self.down:
            raise NotDelivered("The broker is down.")
        self.facts.append([fact_for(partition) for partition in range(2)])

    def told(self):
        return [(facts[0].number, facts[0].policy.mode) for facts in self.facts]


class File:
    """A tenants file with a policy for every account."""

    policy = ACT

    def tenant(self, account):
        return Tenant(account=account, name="Heron", api_key_file="key", webhook_secrets_file="secrets", policy=self.policy)

    def permitted(self, account, document):
        return document


@pytest.fixture
def everywhere():
    return Everywhere()


@pytest.fixture
def tenants():
    return File()


@pytest.fixture
def book(tmp_path, everywhere, tenants):
    """A book as a new process would open it."""

    def opened(cluster="kafka-1"):
        return PolicyPublisher(PolicyStore(tmp_path / "home" / "policies.json"), cluster, everywhere, tenants)

    return opened


def follow(book, account="acct_1"):
    return book.follow_file(account, NOW, WALL).number


def test_a_policy_goes_to_every_partition_with_ids_of_account_and_number(book, everywhere):
    assert follow(book()) == 1
    [facts] = everywhere.facts
    assert [fact.id for fact in facts] == ["acct_1:policy:1:0", "acct_1:policy:1:1"]
    assert {(fact.number, fact.policy.mode, fact.who, fact.occurred_at) for fact in facts} == {(1, "act", "tenants file", NOW)}


def test_the_same_policy_is_not_published_again_even_by_another_process(book, everywhere):
    assert [follow(book()), follow(book())] == [1, 1]
    assert len(everywhere.facts) == 1


def test_each_change_has_the_next_number_even_back_to_an_earlier_policy(book, tenants):
    found = []
    for policy in (ACT, OBSERVE, ACT):
        tenants.policy = policy
        found.append(follow(book()))
    assert found == [1, 2, 3]
    assert follow(book(), "acct_2") == 1


def test_a_policy_that_may_have_been_lost_is_sent_again_under_its_number(book, everywhere, tenants):
    everywhere.down = True
    with pytest.raises(NotDelivered):
        follow(book())
    everywhere.down, tenants.policy = False, OBSERVE
    assert follow(book()) == 2
    assert everywhere.told() == [(1, "act"), (2, "observe")]


def test_a_draft_that_may_have_been_lost_is_sent_again_before_anything_else(book, everywhere):
    follow(book())
    everywhere.down = True
    with pytest.raises(NotDelivered):
        book().try_out("acct_1", SHORT, ADA)
    everywhere.down = False
    book().publish("acct_1", OBSERVE, ADA)
    assert [facts[0].id for facts in everywhere.facts] == ["acct_1:policy:1:0", "acct_1:policy:1:draft:1:0", "acct_1:policy:2:0"]
    assert [facts[0].draft for facts in everywhere.facts] == [None, SHORT, SHORT]


def test_another_cluster_is_told_what_is_in_force_under_its_number(book, everywhere):
    follow(book())
    book().publish("acct_1", SHORT, ADA)
    assert follow(book("kafka-2")) == 2
    assert everywhere.told() == [(1, "act"), (2, "act"), (2, "act")]
    assert everywhere.facts[2][0].policy == SHORT
    follow(book("kafka-2"))
    assert len(everywhere.facts) == 3


def test_a_publication_by_hand_says_who_and_why(book, everywhere):
    """B93."""
    book().publish("acct_1", SHORT, ADA)
    fact = everywhere.facts[0][1]
    assert (fact.number, fact.policy, fact.who, fact.why) == (1, SHORT, "ada", "fewer retries")


def test_a_draft_travels_beside_the_policy_in_force_and_says_who_and_why(book, everywhere):
    """F66, B93."""
    follow(book())
    book().try_out("acct_1", SHORT, ADA)
    book().try_out("acct_1", None, ADA)
    _, on, off = (facts[1] for facts in everywhere.facts)
    assert (on.id, on.number, on.policy, on.draft, on.who, on.why) == ("acct_1:policy:1:draft:1:1", 1, ACT, SHORT, "ada", "fewer retries")
    assert (off.id, off.draft) == ("acct_1:policy:1:draft:2:1", None)


def test_the_draft_is_published_without_naming_a_file_and_none_cannot_be(book, everywhere):
    follow(book())
    with pytest.raises(ValueError, match="No draft of acct_1 is being tried"):
        book().publish("acct_1", None, ADA)
    book().try_out("acct_1", SHORT, ADA)
    assert book().publish("acct_1", None, ADA).number == 2
    assert (everywhere.facts[-1][0].policy, everywhere.facts[-1][0].draft) == (SHORT, None)


def test_an_older_version_comes_back_as_the_next_one(book, everywhere):
    """F66."""
    follow(book())
    book().publish("acct_1", SHORT, ADA)
    assert book().roll_back("acct_1", 1, ADA).number == 3
    assert (everywhere.facts[-1][0].policy, everywhere.facts[-1][0].why) == (ACT, "back to version 1: fewer retries")
    assert follow(book()) == 3


def test_a_broken_memory_is_refused_and_not_overwritten(book, tmp_path):
    path = tmp_path / "home" / "policies.json"
    path.parent.mkdir()
    path.write_text("{")
    with pytest.raises(ValueError, match=r"policies\.json cannot be read"):
        follow(book())
    assert path.read_text() == "{"


@pytest.mark.parametrize(("action", "paused"), [("pause", True), ("resume", False)])
@pytest.mark.parametrize("account", ["acct_1", "*"])
def test_a_switch_goes_to_every_partition_with_who_and_why(everywhere, action, paused, account):
    set_switch(everywhere, account, action, "jo", "audit", NOW, WALL)
    [facts] = everywhere.facts
    assert {(fact.account, fact.paused, fact.who, fact.why) for fact in facts} == {(account, paused, "jo", "audit")}
    assert len({fact.id for fact in facts}) == 2
    assert msgspec.structs.asdict(facts[0])["occurred_at"] == NOW
