"""A policy is published once for each change and to every partition; a number is never given to two policies."""

import json
import stat
from datetime import UTC, datetime

import msgspec
import pytest

from producers.policies import PolicyBook, set_switch
from recovery.adapters.kafka import NotDelivered
from recovery.policy import OBSERVE, Policy

NOW = datetime(2026, 11, 1, tzinfo=UTC)
WALL = datetime(2026, 11, 24, tzinfo=UTC)
ACT = Policy(mode="act")


class Everywhere:
    def __init__(self) -> None:
        self.facts, self.down = [], False

    def write(self, key, fact_for):
        if self.down:
            raise NotDelivered("The broker is down.")
        self.facts.append([fact_for(partition) for partition in range(2)])


@pytest.fixture
def everywhere():
    return Everywhere()


def book(tmp_path, everywhere, cluster="kafka-1"):
    return PolicyBook(tmp_path / "home" / "policies.json", cluster, everywhere, who="tenants file")


def test_a_policy_goes_to_every_partition_with_ids_of_account_and_number(tmp_path, everywhere):
    assert book(tmp_path, everywhere).publish("acct_1", ACT, NOW, WALL) == 1
    [facts] = everywhere.facts
    assert [fact.id for fact in facts] == ["acct_1:policy:1:0", "acct_1:policy:1:1"]
    assert {(fact.number, fact.policy.mode, fact.who, fact.occurred_at) for fact in facts} == {(1, "act", "tenants file", NOW)}


def test_the_same_policy_is_not_published_again_even_by_another_process(tmp_path, everywhere):
    book(tmp_path, everywhere).publish("acct_1", ACT, NOW, WALL)
    assert book(tmp_path, everywhere).publish("acct_1", ACT, NOW, WALL) == 1
    assert len(everywhere.facts) == 1


def test_each_change_has_the_next_number_even_back_to_an_earlier_policy(tmp_path, everywhere):
    the_book = book(tmp_path, everywhere)
    assert [the_book.publish("acct_1", policy, NOW, WALL) for policy in (ACT, OBSERVE, ACT)] == [1, 2, 3]
    assert the_book.publish("acct_2", ACT, NOW, WALL) == 1


def test_a_policy_that_may_have_been_lost_is_sent_again_under_its_number(tmp_path, everywhere):
    everywhere.down = True
    with pytest.raises(NotDelivered):
        book(tmp_path, everywhere).publish("acct_1", ACT, NOW, WALL)
    everywhere.down = False
    assert book(tmp_path, everywhere).publish("acct_1", OBSERVE, NOW, WALL) == 2
    assert [(facts[0].number, facts[0].policy.mode) for facts in everywhere.facts] == [(1, "act"), (2, "observe")]


def test_another_cluster_knows_nothing_of_what_was_published(tmp_path, everywhere):
    book(tmp_path, everywhere).publish("acct_1", ACT, NOW, WALL)
    assert book(tmp_path, everywhere, cluster="kafka-2").publish("acct_1", ACT, NOW, WALL) == 1
    assert len(everywhere.facts) == 2


def test_a_broken_memory_is_refused_and_not_overwritten(tmp_path, everywhere):
    path = tmp_path / "home" / "policies.json"
    path.parent.mkdir()
    path.write_text("{")
    with pytest.raises(ValueError, match=r"policies\.json cannot be read"):
        book(tmp_path, everywhere)
    assert path.read_text() == "{"


def test_the_memory_is_written_whole(tmp_path, everywhere):
    book(tmp_path, everywhere).publish("acct_1", ACT, NOW, WALL)
    path = tmp_path / "home" / "policies.json"
    assert json.loads(path.read_bytes())["accounts"]["acct_1"]["done"] is True
    assert [each.name for each in path.parent.iterdir()] == ["policies.json"]
    assert stat.S_ISREG(path.stat().st_mode)


@pytest.mark.parametrize(("action", "paused"), [("pause", True), ("resume", False)])
@pytest.mark.parametrize("account", ["acct_1", "*"])
def test_a_switch_goes_to_every_partition_with_who_and_why(everywhere, action, paused, account):
    set_switch(everywhere, account, action, "jo", "audit", NOW, WALL)
    [facts] = everywhere.facts
    assert {(fact.account, fact.paused, fact.who, fact.why) for fact in facts} == {(account, paused, "jo", "audit")}
    assert len({fact.id for fact in facts}) == 2
    assert msgspec.structs.asdict(facts[0])["occurred_at"] == NOW
