"""What follows from a new document: versions, drafts, edits of the tenants file, and the way back."""

from datetime import UTC, datetime

import msgspec
import pytest

from control.policy_history import ChangeAuthor, History, back_to, checked, from_file, in_force, published, tried
from control.policy_store import PolicyStore, StoredPolicies
from recovery.policy import OBSERVE, Policy, RetryPolicy, to_toml

NOW = datetime(2026, 11, 1, tzinfo=UTC)
ACT = Policy(mode="act")
SHORT = Policy(mode="act", retry=RetryPolicy(max_retries=1, ladder_hours=(12,)))
HAND = ChangeAuthor(who="ada", why="a trial", business=NOW, wall=NOW)


def freely(document):
    return document


def only_observing(document):
    return msgspec.structs.replace(document, mode="observe", livemode=True)


def numbers(history):
    return [(version.number, version.document.mode, version.who) for version in history.versions]


def test_each_publication_is_a_version_with_who_and_why():
    """B93, F66."""
    history = published(published(History(), OBSERVE, freely, HAND), ACT, freely, HAND)
    assert numbers(history) == [(1, "observe", "ada"), (2, "act", "ada")]
    assert (history.last.why, history.last.occurred_at) == ("a trial", NOW)
    assert in_force(history) == ACT


def test_the_same_document_again_is_no_version():
    history = published(History(), ACT, freely, HAND)
    assert published(history, ACT, freely, HAND) is history


def test_a_document_with_problems_is_refused_in_words():
    """F66."""
    wrong = Policy(retry=RetryPolicy(max_retries=7))
    with pytest.raises(ValueError, match=r"cannot be published:\n- retry.max_retries is 7"):
        published(History(), wrong, freely, HAND)
    with pytest.raises(ValueError, match=r"cannot be tried:\n- retry.max_retries is 7"):
        tried(published(History(), ACT, freely, HAND), wrong, freely, HAND)
    with pytest.raises(ValueError, match="choose 1 to 5"):
        checked(to_toml(wrong))
    assert checked(to_toml(SHORT)) == SHORT


def test_going_back_is_the_old_document_under_the_next_number():
    """F66."""
    history = published(published(History(), ACT, freely, HAND), SHORT, freely, HAND)
    again = back_to(history, 1, freely, HAND)
    assert (again.last.number, again.last.document, again.last.why) == (3, ACT, "back to version 1: a trial")
    with pytest.raises(LookupError, match=r"no version 9.*1, 2"):
        back_to(history, 9, freely, HAND)


def test_what_the_file_says_is_the_first_version_and_an_edit_the_next():
    history = from_file(History(), OBSERVE, freely, HAND)
    assert numbers(history) == [(1, "observe", "ada")]
    assert numbers(from_file(history, ACT, freely, HAND)) == [(1, "observe", "ada"), (2, "act", "ada")]
    assert from_file(history, OBSERVE, freely, HAND) is history


def test_a_file_that_says_what_it_said_does_not_undo_what_was_published_by_hand():
    history = published(from_file(History(), ACT, freely, HAND), SHORT, freely, HAND)
    assert from_file(history, ACT, freely, HAND) is history
    assert in_force(from_file(history, OBSERVE, freely, HAND)) == OBSERVE


def test_an_edit_of_the_file_to_what_is_in_force_already_is_no_version():
    history = published(from_file(History(), ACT, freely, HAND), SHORT, freely, HAND)
    noted = from_file(history, SHORT, freely, HAND)
    assert (len(noted.versions), noted.file) == (2, SHORT)


def test_act_on_a_live_key_waits_for_its_permission_and_then_needs_no_second_publication():
    """Product decision 39."""
    history = published(from_file(History(), OBSERVE, only_observing, HAND), ACT, only_observing, HAND)
    assert (history.last.document.mode, in_force(history).mode) == ("act", "observe")
    allowed = from_file(history, OBSERVE, lambda document: msgspec.structs.replace(document, livemode=True), HAND)
    assert in_force(allowed).mode == "act"
    assert in_force(from_file(allowed, OBSERVE, only_observing, HAND)).mode == "observe"


def test_a_draft_is_tried_beside_the_version_in_force_and_spends_no_number():
    """F66."""
    history = tried(published(History(), ACT, freely, HAND), SHORT, freely, HAND)
    assert (history.last.number, history.draft, in_force(history)) == (1, SHORT, ACT)
    assert tried(history, SHORT, freely, HAND) is history
    ended = tried(history, None, freely, HAND)
    assert (ended.draft, ended.trial.turn) == (None, 2)


def test_a_draft_may_act_on_paper_before_the_account_may():
    history = tried(published(History(), OBSERVE, only_observing, HAND), ACT, only_observing, HAND)
    assert (history.draft.mode, history.draft.livemode) == ("act", True)


def test_publishing_the_draft_ends_it_and_publishing_something_else_does_not():
    history = tried(published(History(), ACT, freely, HAND), SHORT, freely, HAND)
    assert published(history, SHORT, freely, HAND).draft is None
    assert published(history, OBSERVE, freely, HAND).draft == SHORT


def test_nothing_can_be_tried_before_something_is_in_force():
    with pytest.raises(ValueError, match="publish one"):
        tried(History(), SHORT, freely, HAND)


def test_the_file_of_versions_comes_back_as_it_was_written(tmp_path):
    file = PolicyStore(tmp_path / "home" / "policies.json")
    assert file.read() == StoredPolicies()
    kept = StoredPolicies(cluster="kafka-1", histories={"acct_1": tried(published(History(), ACT, freely, HAND), SHORT, freely, HAND)})
    file.write(kept)
    assert file.read() == kept
    assert [each.name for each in (tmp_path / "home").iterdir()] == ["policies.json"]


def test_a_broken_file_of_versions_is_refused_in_words(tmp_path):
    path = tmp_path / "policies.json"
    path.write_text("{")
    with pytest.raises(ValueError, match=r"policies\.json cannot be read.*backup"):
        PolicyStore(path).read()
