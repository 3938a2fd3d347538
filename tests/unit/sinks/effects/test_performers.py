"""Who performs what, as the settings say."""

import pytest

from control.tenants import TenantDirectory
from recovery.config import from_env
from sinks.effects.channels import signed_links, text_server
from sinks.effects.engine.ledger import Ledger
from sinks.effects.engine.worker_pools import WORK
from sinks.effects.performer import Clocks
from sinks.effects.performers import performers, post
from tests.support.services.fake_servers import TWILIO_ACCOUNT, TWILIO_TOKEN

TWILIO = {"TWILIO_ACCOUNT_SID": TWILIO_ACCOUNT, "TWILIO_AUTH_TOKEN": TWILIO_TOKEN, "TWILIO_PHONE_NUMBER": "+15005550006"}


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "tenants.toml").write_text("")
    return lambda **more: from_env({"DUNLIN_HOME": str(tmp_path), **more})


def test_every_kind_of_work_has_its_performer(settings, door, now):
    ledger = Ledger(settings().ledger_url)
    built = performers(settings(), door, TenantDirectory.load(settings().tenants_file), Clocks(lambda: now, lambda: now), ledger)
    assert set(built) == set(WORK)
    ledger.close()


def test_texts_need_an_account_of_twilio(settings):
    assert text_server(settings()) is None
    assert text_server(settings(**TWILIO)) is not None
    with pytest.raises(ValueError, match="TWILIO_PHONE_NUMBER"):
        text_server(settings(**{**TWILIO, "TWILIO_PHONE_NUMBER": ""}))


def test_a_sandbox_texts_nobody_in_our_world(settings):
    """Decision 39: with an imaginary Stripe, real numbers get nothing."""
    sandbox = {**TWILIO, "DUNLIN_STRIPE_API_BASE": "http://127.0.0.1:1"}
    assert text_server(settings(**sandbox)) is None
    assert text_server(settings(**sandbox, DUNLIN_TWILIO_API_BASE="http://127.0.0.1:2")) is not None


def test_links_need_an_address_and_keys(settings):
    assert signed_links(settings()) is None
    with pytest.raises(ValueError, match="link keys"):
        signed_links(settings(DUNLIN_PUBLIC_URL="https://pay.heron.example"))


@pytest.mark.parametrize("sender", ["billing@heron.example", "billing@localhost"])
def test_mails_come_from_a_plain_address(settings, sender):
    assert post(settings(DUNLIN_SMTP_URL="smtp://127.0.0.1:25", DUNLIN_MAIL_FROM=sender)).sender == sender


@pytest.mark.parametrize("sender", ["Heron <billing@heron.example>", "a..b@heron.example", "billing", "a@b.example\r\nBcc: x@y.example"])
def test_a_sender_that_no_mail_could_name_is_refused_at_start(settings, sender):
    with pytest.raises(ValueError, match="DUNLIN_MAIL_FROM"):
        post(settings(DUNLIN_SMTP_URL="smtp://127.0.0.1:25", DUNLIN_MAIL_FROM=sender))
