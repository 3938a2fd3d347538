"""Slack's own client against a server that speaks its protocol, and what a merchant reads there."""

import json
import os
import socket
from pathlib import Path

import pytest

from recovery.presentation.messages.alert_content import Place, render_alert
from sinks.effects.alerts.slack import SHOWN, SlackChannel, escaped, written
from sinks.effects.delivery_errors import DeliveryUnknown, PermanentFailure, TemporaryFailure
from tests.support.alerts import KINDS, event, of_kind
from tests.support.services.fake_servers import CUT_AFTER_TAKING, Answer, FakeSlack, listening

GOLDEN = Path(__file__).parent / "golden" / "slack"
PLACE = Place(dashboard="https://dunlin.heron.example")


class Merchants:
    def __init__(self, address):
        self.address = address

    def slack_webhook(self, account):
        return self.address

    def livemode(self, account):
        return False


@pytest.fixture
def slack():
    with listening(FakeSlack) as server:
        yield server


@pytest.fixture
def channel(slack):
    return SlackChannel(Merchants(slack.address), PLACE.dashboard, other_addresses=True, timeout=0.5)


def deliver(channel, claims=None):
    channel.deliver("acct_1", [event()], "acct_1.in_42.slack.1", lambda: claims.append(1) if claims is not None else None)


def test_an_alert_comes_as_blocks_with_a_line_for_notifications(slack, channel):
    claims = []
    deliver(channel, claims)
    (message,) = slack.messages
    assert message["text"] == "Payment failed: €49.00"
    assert slack.by_effect() == {"acct_1.in_42.slack.1": 1}
    assert claims == [1]


@pytest.mark.parametrize(
    ("answer", "error", "why"),
    [
        (Answer(500, "server_error", taken=True), DeliveryUnknown, "Slack failed with 500"),
        (Answer(200, "<html>hello</html>"), PermanentFailure, "slack_status_200"),
        (Answer(404, "no_service"), PermanentFailure, "slack_no_service"),
        (Answer(410, "channel_is_archived"), PermanentFailure, "slack_channel_is_archived"),
        (Answer(400, "invalid_blocks"), PermanentFailure, "slack_invalid_blocks"),
        (CUT_AFTER_TAKING, DeliveryUnknown, "the connection to Slack broke: RemoteDisconnected"),
    ],
)
def test_the_ends_are_told_apart_and_nothing_is_repeated(slack, channel, answer, error, why):
    """The package by itself would repeat a request whose connection broke."""
    slack.next.append(answer)
    with pytest.raises(error) as raised:
        deliver(channel)
    assert str(raised.value) == why
    assert slack.requests == 1


@pytest.mark.parametrize(("wanted", "pause"), [("7", 7.0), ("99999", 600.0), ("soon", 0.0), ("-1", 0.0)])
def test_slack_s_pause_is_kept(slack, channel, wanted, pause):
    slack.next.append(Answer(429, "rate_limited", {"Retry-After": wanted}))
    with pytest.raises(TemporaryFailure) as raised:
        deliver(channel)
    assert raised.value.after == pause
    assert slack.messages == []


def test_no_answer_in_time_is_a_doubt(slack, channel):
    slack.stuck.set()
    with pytest.raises(DeliveryUnknown, match="TimeoutError"):
        deliver(channel)


def test_nobody_listening_is_no_doubt():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/services/T/B/x"
        with pytest.raises(TemporaryFailure, match="no connection to Slack: ConnectionRefusedError"):
            deliver(SlackChannel(Merchants(address), "", other_addresses=True))


@pytest.mark.parametrize(
    ("address", "others", "why"),
    [
        ("https://hooks.slack.com/services/T0/B0/x", False, ""),
        ("", False, "no_address"),
        ("https://hooks.slack.com.evil.example/services/T0/B0/x", False, "address_refused"),
        ("http://hooks.slack.com/services/T0/B0/x", False, "address_refused"),
        ("http://127.0.0.1/services/T0/B0/x", True, ""),
        ("file:///etc/passwd", True, "address_refused"),
    ],
)
def test_only_slack_s_addresses_are_used_unless_an_operator_says_otherwise(address, others, why):
    """Decision 34."""
    assert SlackChannel(Merchants(address), "", other_addresses=others).why_not("acct_1") == why


def test_the_address_is_in_no_log(slack, channel, caplog):
    caplog.set_level(0)
    deliver(channel)
    slack.next.append(CUT_AFTER_TAKING)
    with pytest.raises(DeliveryUnknown):
        deliver(channel)
    assert "/services/" not in caplog.text


def messages():
    for kind in KINDS:
        yield kind, written([render_alert(of_kind(kind), PLACE)], "acct_1.in_42.slack.1", livemode=kind != "payment_failed")
    burst = [render_alert(event(), PLACE)] * 14 + [render_alert(event("payment_recovered", currency="usd"), PLACE)] * 9
    yield "digest", written(burst, "acct_1.in_42.slack.1.digest.1", livemode=True)


@pytest.mark.parametrize(("name", "message"), list(messages()), ids=lambda value: value if isinstance(value, str) else "")
def test_every_message_is_as_it_was_read_and_approved(name, message):
    text, blocks = message
    told = json.dumps({"text": text, "blocks": blocks}, indent=1, ensure_ascii=False) + "\n"
    path = GOLDEN / f"{name}.json"
    if os.environ.get("DUNLIN_WRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(told)
    assert told == path.read_text()


@pytest.mark.parametrize(("name", "message"), list(messages()), ids=lambda value: value if isinstance(value, str) else "")
def test_every_message_keeps_within_slack_s_limits(name, message):
    """docs.slack.dev, block kit reference: 50 blocks, 3,000 characters in a section, 10 fields of 2,000, 255 in a block_id."""
    _, blocks = message
    assert len(blocks) <= 50
    for block in blocks:
        assert len(block.get("block_id", "")) <= 255
        assert len(block.get("text", {}).get("text", "")) <= 3000
        assert len(block.get("fields", [])) <= 10
        assert all(len(field["text"]) <= 2000 for field in block.get("fields", []))


def test_a_digest_names_some_and_counts_all():
    told = [render_alert(event(invoice=f"in_{number}"), PLACE) for number in range(SHOWN + 5)]
    text, blocks = written(told, "x", livemode=True)
    assert text == "25 alerts: 25 × Payment failed"
    assert json.dumps(blocks).count("invoices/in_") == SHOWN
    assert blocks[-1]["elements"][0]["text"] == "and 5 more"


def test_marks_of_slack_s_language_are_text():
    assert escaped("<!channel> & <@U1>") == "&lt;!channel&gt; &amp; &lt;@U1&gt;"
    hostile = render_alert(event("endpoint_disabled", details={"endpoint": "<!channel>", "why": "a&b"}), PLACE)
    assert "<!channel>" not in json.dumps(written([hostile], "x", livemode=True))
