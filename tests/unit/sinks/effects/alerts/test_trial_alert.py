"""Trying the ways to a merchant: what is taken is said, and what is not is said with what to do about it."""

import socket

import pytest
from aiosmtpd.controller import Controller

from recovery.config import from_env
from sinks.effects.alerts import trial_alert
from sinks.effects.alerts.trial_alert import Wanted
from tests.support.secrets import a_secret
from tests.support.services.fake_servers import TWILIO_ACCOUNT, TWILIO_TOKEN, Answer, FakeSlack, FakeTwilio, listening


class Catcher:
    def __init__(self):
        self.mails = []

    async def handle_DATA(self, _server, _session, envelope):
        self.mails.append((envelope.rcpt_tos, envelope.content.decode()))
        return "250 OK"


@pytest.fixture
def smtp():
    catcher = Catcher()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(catcher, hostname="127.0.0.1", port=port)
    controller.start()
    yield catcher, f"smtp://127.0.0.1:{port}"
    controller.stop()


@pytest.fixture
def slack():
    with listening(FakeSlack) as server:
        yield server


@pytest.fixture
def twilio():
    with listening(FakeTwilio) as server:
        yield server


@pytest.fixture
def home(tmp_path):
    for name, content in {"key": "sk_test_1", "hooks": a_secret("trial")}.items():
        secret(tmp_path, name, content)
    return tmp_path


def secret(home, name, content):
    path = home / name
    path.touch(mode=0o600)
    path.write_text(content + "\n")


@pytest.fixture
def tried(home, now):
    def run(wanted, tenant="", **settings):
        entry = '[[tenant]]\naccount = "acct_1"\nname = "Wader & Co."\napi_key_file = "key"\nwebhook_secrets_file = "hooks"\n'
        (home / "tenants.toml").write_text(entry + tenant)
        said = []
        code = trial_alert.run(from_env({"DUNLIN_HOME": str(home), **settings}), wanted, lambda: now, said.append)
        return code, said

    return run


def with_slack(home, slack):
    secret(home, "slack", slack.address)
    return 'slack_webhook_file = "slack"\n'


TWILIO = {"TWILIO_ACCOUNT_SID": TWILIO_ACCOUNT, "TWILIO_AUTH_TOKEN": TWILIO_TOKEN, "TWILIO_PHONE_NUMBER": "+15005550006"}


def test_without_a_word_every_way_with_an_address_is_tried(tried, home, smtp, slack):
    """B177."""
    catcher, url = smtp
    tenant = 'alert_email = "ops@wader.example"\n' + with_slack(home, slack)
    code, said = tried(Wanted("acct_1"), tenant, DUNLIN_SMTP_URL=url, DUNLIN_SLACK_ALLOW_ANY_HOST="yes")
    assert (code, said) == (0, ["e-mail: the mail server has taken it", "Slack: Slack has taken it"])
    ((recipients, mail),) = catcher.mails
    assert recipients == ["ops@wader.example"]
    assert "This is a test alert" in mail
    assert "Wader &amp; Co." in slack.messages[0]["blocks"][0]["text"]["text"]


def test_a_text_goes_to_the_number_that_was_named(tried, twilio):
    code, said = tried(Wanted("acct_1", sms="+49 151 12345678"), **TWILIO, DUNLIN_TWILIO_API_BASE=twilio.base)
    assert (code, twilio.by_number()) == (0, {"+4915112345678": 1})
    assert said == [f"SMS: Twilio has taken it as {twilio.messages[0].sid}"]


@pytest.mark.parametrize(
    ("wanted", "tenant", "settings", "words"),
    [
        (Wanted("acct_1"), "", {}, "neither alert_email nor slack_webhook_file"),
        (Wanted("acct_1", email=True), "", {}, "e-mail: not sent: the account's entry in the tenants file has no alert_email."),
        (Wanted("acct_1", email=True), 'alert_email = "a@b.example"\n', {}, "DUNLIN_SMTP_URL is not set"),
        (Wanted("acct_1"), 'alert_email = "a@b.example"\n', {"DUNLIN_SMTP_URL": "smtp://mx.b.example"}, "DUNLIN_MAIL_ALLOW_EXTERNAL"),
        (Wanted("acct_1"), 'alert_email = "a@b.example"\n', {"DUNLIN_SMTP_URL": "smtp://127.0.0.1:1"}, "Try again in a while"),
        (Wanted("acct_1", slack=True), "", {}, "has no slack_webhook_file"),
        (Wanted("acct_1", sms="+4915112345678"), "", {}, "TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_PHONE_NUMBER are not set"),
        (Wanted("acct_1", sms="0151"), "", TWILIO, "use international format"),
    ],
)
def test_what_is_missing_is_named(tried, wanted, tenant, settings, words):
    code, said = tried(wanted, tenant, **settings)
    assert code == 1
    assert words in "\n".join(said)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(404, "no_service"), "make a new incoming webhook"),
        (Answer(500, "", taken=True), "it cannot be known"),
        (Answer(403, "invalid_token"), "make a new incoming webhook"),
    ],
)
def test_slack_s_refusals_are_explained(tried, home, slack, answer, words):
    slack.next.append(answer)
    code, said = tried(Wanted("acct_1", slack=True), with_slack(home, slack), DUNLIN_SLACK_ALLOW_ANY_HOST="yes")
    assert code == 1
    assert words in said[0]


def test_another_address_than_slack_s_is_refused_without_the_operator_s_word(tried, home, slack):
    """Decision 34."""
    code, said = tried(Wanted("acct_1", slack=True), with_slack(home, slack))
    assert (code, slack.requests) == (1, 0)
    assert "DUNLIN_SLACK_ALLOW_ANY_HOST" in said[0]


def test_an_unknown_account_is_named(tried):
    with pytest.raises(LookupError, match="acct_2"):
        tried(Wanted("acct_2"))
