"""`dunlin policy`, as far as no broker is needed: what is in force, what a document says, what changes."""

import json
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from control.policy_history import ChangeAuthor, History, published, tried
from control.policy_store import FILE, PolicyStore, StoredPolicies
from dunlin.__main__ import build
from recovery.policy import Policy, RetryPolicy, from_toml, to_toml

NOW = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)
ACT = Policy(mode="act")
SHORT = Policy(mode="act", retry=RetryPolicy(max_retries=1, ladder_hours=(12,)))


def hand(who, why):
    return ChangeAuthor(who=who, why=why, business=NOW, wall=NOW)


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("DUNLIN_KAFKA_BOOTSTRAP", "DUNLIN_TENANTS_FILE", "DUNLIN_CLOCK_FILE", "DUNLIN_CLICKHOUSE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DUNLIN_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.fixture
def book(home):
    """Two versions of one account's policy, and a draft."""
    history = published(History(), ACT, lambda document: document, hand("tenants file", ""))
    history = published(history, SHORT, lambda document: document, hand("ada", "one retry is enough"))
    history = tried(history, Policy(), lambda document: document, hand("bea", ""))
    PolicyStore(home / FILE).write(StoredPolicies(cluster="kafka-1", histories={"acct_1": history}))


@pytest.fixture
def policy():
    def run(*words):
        return CliRunner().invoke(build(), ["policy", *map(str, words)])

    return run


def test_the_policy_in_force_is_a_document_that_can_be_published_again(book, policy):
    """F66."""
    shown = policy("show")
    assert shown.exit_code == 0
    assert from_toml(shown.stdout) == SHORT
    assert shown.stdout.splitlines()[:3] == [
        "# acct_1, version 2, in force",
        "# published 2026-11-01 09:30 UTC by ada: one retry is enough",
        "# a draft is tried beside it since 2026-11-01 09:30 UTC by bea: `dunlin policy show --draft`",
    ]


def test_an_older_version_and_the_draft_can_be_shown(book, policy):
    assert from_toml(policy("show", "acct_1", "--version", 1).stdout) == ACT
    assert from_toml(policy("show", "--draft").stdout) == Policy()
    absent = policy("show", "--version", 9)
    assert (absent.exit_code, absent.stderr) == (1, "There is no version 9 of this policy. Published so far: 1, 2.\n")


def test_the_history_says_who_when_why_and_what_changed(book, policy):
    """B93, F66."""
    told = policy("history").stdout
    for words in ("one retry is enough", "ada", "2026-11-01 09:30", "retry.max_retries: 3 becomes 1.", "the first version"):
        assert words in told
    assert [line["number"] for line in json.loads(policy("history", "--json").stdout)] == [2, 1]


def test_two_policies_are_compared_setting_by_setting(book, policy, tmp_path):
    """F66."""
    changed = policy("diff", 1, 2)
    assert (changed.exit_code, changed.stdout) == (
        1,
        "retry.max_retries: 3 becomes 1.\nretry.ladder_hours: 24, 72, 144 becomes 12.\n",
    )
    (tmp_path / "same.toml").write_text(to_toml(SHORT))
    same = policy("diff", 2, tmp_path / "same.toml")
    assert (same.exit_code, same.stdout) == (0, "They say the same.\n")
    assert policy("diff", 2, "draft").exit_code == 1
    assert policy("diff", 2, "nowhere").exit_code == 2
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    assert "bytes.toml cannot be read" in policy("diff", 2, tmp_path / "bytes.toml").stderr


def test_a_document_is_checked_in_words_and_compared_with_what_is_in_force(book, policy, tmp_path):
    """F66."""
    (tmp_path / "wrong.toml").write_text("mode = 'act'\n[retry]\nmax_retries = 9\n[budgets]\nvisa_30_days = 90\n")
    wrong = policy("check", tmp_path / "wrong.toml")
    assert wrong.exit_code == 1
    assert "retry.max_retries is 9; choose 1 to 5." in wrong.stderr
    assert "budgets.visa_30_days is 90; the card network allows 20" in wrong.stderr
    (tmp_path / "good.toml").write_text(to_toml(ACT))
    good = policy("check", tmp_path / "good.toml")
    assert (good.exit_code, good.stdout.splitlines()[:2]) == (0, ["good.toml can be published.", "acct_1: retry.max_retries: 1 becomes 3."])


def test_a_misspelt_setting_is_named(home, policy, tmp_path):
    (tmp_path / "wrong.toml").write_text("[retry]\nmaximum = 3\n")
    assert "`maximum`" in policy("check", tmp_path / "wrong.toml").stderr


def test_without_any_policy_the_commands_say_what_to_do(home, policy):
    for words in (("show",), ("history",), ("rollback", 1), ("shadow",)):
        told = policy(*words)
        assert (told.exit_code, "No policy of any account has been published" in told.stderr) == (1, True), words


def test_with_several_accounts_one_must_be_named(home, policy):
    history = published(History(), ACT, lambda document: document, hand("ada", ""))
    PolicyStore(home / FILE).write(StoredPolicies(cluster="kafka-1", histories={"acct_1": history, "acct_2": history}))
    assert "acct_1, acct_2. Name one." in policy("show").stderr
    assert policy("show", "acct_2").exit_code == 0


def test_a_document_is_compared_with_every_account_s_policy_unless_one_is_named(home, policy, tmp_path):
    history = published(History(), ACT, lambda document: document, hand("ada", ""))
    PolicyStore(home / FILE).write(StoredPolicies(cluster="kafka-1", histories={"acct_1": history, "acct_2": history}))
    (tmp_path / "good.toml").write_text(to_toml(ACT))
    told = policy("check", tmp_path / "good.toml")
    assert (told.exit_code, told.stdout.splitlines()[1:]) == (0, ["acct_1: Nothing would change.", "acct_2: Nothing would change."])


def test_that_the_database_does_not_answer_is_said_in_words(book, policy, monkeypatch):
    monkeypatch.setenv("DUNLIN_CLICKHOUSE_URL", "http://dunlin:hush@127.0.0.1:1/")
    told = policy("shadow")
    assert (told.exit_code, told.exception.__class__) == (1, SystemExit)
    assert "ClickHouse could not be queried" in told.stderr
    assert "hush" not in told.stderr


def test_a_dry_run_needs_a_file_or_off_and_a_sound_one(book, policy, tmp_path):
    assert "Name a file to try, or --off" in policy("dry-run").stderr
    (tmp_path / "wrong.toml").write_text("[retry]\nmax_retries = 9\n")
    assert "choose 1 to 5" in policy("dry-run", tmp_path / "wrong.toml").stderr
    assert "choose 1 to 5" in policy("publish", tmp_path / "wrong.toml").stderr


def test_without_a_broker_a_change_is_refused_and_nothing_is_written(book, home, policy, tmp_path):
    (tmp_path / "good.toml").write_text(to_toml(ACT))
    before = (home / FILE).read_bytes()
    refused = policy("publish", tmp_path / "good.toml")
    assert (refused.exit_code, "no broker is running" in refused.stderr) == (1, True)
    assert (home / FILE).read_bytes() == before
