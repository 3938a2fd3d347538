"""Accounts are as their files are now; wrong files are named in words; a live key acts only when told twice."""

import os

import pytest

from control.tenants import TenantDirectory, UnknownAccount, problems
from tests.support.secrets import a_secret

FIRST, SECOND, THIRD = (a_secret(name) for name in ("first", "second", "third"))

ENTRY = """\
[[tenant]]
account = "acct_1"
name = "Heron"
livemode = {live}
act_on_live = {act_on_live}
api_key_file = "keys/acct_1"
webhook_secrets_file = "secrets/acct_1"

[tenant.policy]
mode = "{mode}"
"""


class Files:
    """A folder with a tenants file and its secrets; `tick` lets the reader look again."""

    def __init__(self, folder) -> None:
        self.folder, self.now = folder, 0.0
        self.path = folder / "tenants.toml"
        self.entry()
        self.secret("keys/acct_1", "sk_test_1\n")
        self.secret("secrets/acct_1", f"{FIRST}\n{SECOND}\n")

    def entry(self, live="false", act_on_live="false", mode="act", more=""):
        self.path.write_text(ENTRY.format(live=live, act_on_live=act_on_live, mode=mode) + more)

    def secret(self, name, content, mode=0o600):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
        path.chmod(mode)
        os.utime(path, ns=(0, path.stat().st_mtime_ns + 1_000_000))

    def load(self) -> TenantDirectory:
        return TenantDirectory(self.path, lambda: self.now)


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


def test_an_account_has_its_name_key_secrets_and_policy(files):
    tenants = files.load()
    assert tenants.accounts() == ["acct_1"]
    assert (tenants.name("acct_1"), tenants.api_key("acct_1"), tenants.secrets("acct_1")) == ("Heron", "sk_test_1", (FIRST, SECOND))
    assert (tenants.policy("acct_1").mode, tenants.livemode("acct_1")) == ("act", False)
    assert problems(files.path) == []


def test_an_unknown_account_has_no_secrets_and_no_key(files):
    tenants = files.load()
    assert tenants.secrets("acct_2") == ()
    for ask in (tenants.api_key, tenants.name, tenants.policy, tenants.livemode):
        with pytest.raises(UnknownAccount, match="acct_2"):
            ask("acct_2")


def test_a_rotated_secret_is_seen_within_a_second_and_not_looked_for_before(files):
    tenants = files.load()
    files.secret("secrets/acct_1", f"{THIRD}\n")
    assert tenants.secrets("acct_1") == (FIRST, SECOND)
    files.now += 1
    assert tenants.secrets("acct_1") == (THIRD,)


def test_a_broken_edit_leaves_the_last_good_accounts(files, caplog):
    tenants = files.load()
    files.path.write_text("[[tenant]")
    files.now += 1
    assert tenants.name("acct_1") == "Heron"
    assert "stay as they were" in caplog.text
    files.entry(mode="observe")
    files.now += 1
    assert tenants.policy("acct_1").mode == "observe"


@pytest.mark.parametrize(
    ("live", "act_on_live", "mode", "expected"),
    [
        ("true", "true", "act", "act"),
        ("true", "false", "act", "observe"),
        ("true", "true", "observe", "observe"),
        ("false", "false", "act", "act"),
        ("false", "false", "observe", "observe"),
    ],
)
def test_a_live_key_acts_only_when_told_twice(files, live, act_on_live, mode, expected):
    files.secret("keys/acct_1", "sk_live_1" if live == "true" else "sk_test_1")
    files.entry(live, act_on_live, mode)
    policy = files.load().policy("acct_1")
    assert (policy.mode, policy.livemode) == (expected, live == "true")


def test_an_account_without_a_policy_is_observed(files):
    files.path.write_text(ENTRY.split("[tenant.policy]", maxsplit=1)[0].format(live="false", act_on_live="false"))
    assert files.load().policy("acct_1").mode == "observe"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda files: files.path.unlink(), "cannot be read"),
        (lambda files: files.path.write_text("x"), "is wrong"),
        (lambda files: files.entry(more="retires = 3"), "retires"),
        (lambda files: files.entry(mode="charge"), "is wrong"),
        (lambda files: files.entry(more="[tenant.policy.retry]\nmax_retries = 9"), "max_retries"),
        (lambda files: files.entry(more=ENTRY.format(live="false", act_on_live="false", mode="act")), "there twice"),
        (lambda files: files.entry(live="true"), "holds no live key"),
        (lambda files: files.secret("keys/acct_1", "sk_live_1"), "holds no test key"),
        (lambda files: files.secret("keys/acct_1", ""), "is empty"),
        (lambda files: (files.folder / "keys/acct_1").unlink(), "cannot be read"),
        (lambda files: files.secret("secrets/acct_1", "wrong"), "line 1: a secret begins with whsec_"),
        (lambda files: files.secret("secrets/acct_1", FIRST, 0o644), "chmod 600"),
    ],
)
def test_what_is_wrong_is_said_in_words_and_refused(files, spoil, words):
    spoil(files)
    assert any(words in problem for problem in problems(files.path))
    with pytest.raises(ValueError, match="tenants"):
        files.load()


def test_no_problem_shows_a_secret(files):
    files.secret("keys/acct_1", "sk_live_very_secret")
    files.secret("secrets/acct_1", "very_secret")
    assert "very_secret" not in "".join(problems(files.path))


@pytest.mark.parametrize(
    "guessable",
    [
        "whsec_",
        "whsec_...",
        "whsec_k",
        "whsec_" + "x" * 40,
        "whsec_your_signing_secret_goes_right_here",
        "whsec_1234567890",
        "whsec_<paste the secret here>",
    ],
)
@pytest.mark.parametrize("setting", ["webhook_secrets_file", "mail_events_secrets_file", "endpoints.crm: secrets_file"])
def test_a_secret_that_can_be_guessed_is_refused_wherever_it_signs(files, guessable, setting):
    entry = ENTRY.format(live="false", act_on_live="false", mode="act").split("[tenant.policy]")[0]
    crm = '[tenant.endpoints.crm]\nurl = "https://crm.example"\nsecrets_file = "secrets/crm"\n'
    files.path.write_text(f'{entry}mail_events_secrets_file = "secrets/mails"\n{crm}')
    where = {"webhook_secrets_file": "secrets/acct_1", "mail_events_secrets_file": "secrets/mails"}
    for name in ("secrets/acct_1", "secrets/mails", "secrets/crm"):
        files.secret(name, f"{FIRST}\n")
    assert problems(files.path) == []
    files.secret(where.get(setting, "secrets/crm"), f"{FIRST}\n{guessable}\n")
    [problem] = problems(files.path)
    assert f"{setting}, line 2: the secret" in problem
    assert guessable[6:] == "" or guessable not in problem


@pytest.mark.parametrize("secret", [FIRST, "whsec_" + "0123456789abcdef" * 4, "whsec_" + "Zq3R9tYw" * 4])
def test_secrets_as_stripe_its_command_line_and_standard_webhooks_make_them_are_taken(files, secret):
    files.secret("secrets/acct_1", f"{secret}\n")
    assert files.load().secrets("acct_1") == (secret,)
