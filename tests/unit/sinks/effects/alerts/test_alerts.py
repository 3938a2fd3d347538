"""Alerts: each gets one outcome, alone or with the others of a burst, whatever breaks in between."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from sinks.effects.alerts.alerts import BURST, WINDOW, Alerts
from sinks.effects.alerts.digests import Digests
from sinks.effects.delivery_errors import DeliveryUnknown, PermanentFailure, TemporaryFailure
from sinks.effects.engine.ledger import Ledger
from sinks.effects.performer import Clocks, InDoubt, RetryLater, Settled
from tests.support.alerts import AT, alert


class FakeChannel:
    medium, repeats = "email", 1

    def __init__(self):
        self.taken, self.trouble, self.why = [], [], ""

    def why_not(self, account):
        if isinstance(self.why, Exception):
            raise self.why
        return self.why

    def message(self, name):
        return f"<{name}@x>"

    def deliver(self, account, events, name, claim):
        claim()
        if self.trouble and (trouble := self.trouble.pop(0)):
            raise trouble
        self.taken.append((name, [event.invoice for event in events]))


class Time:
    """Business and wall time, each moved by hand."""

    def __init__(self):
        self.business = self.wall = AT

    def pass_(self, business, wall=None):
        self.business += business
        self.wall += business if wall is None else wall


@pytest.fixture
def channel():
    return FakeChannel()


@pytest.fixture
def clock():
    return Time()


@pytest.fixture
def ledger(tmp_path):
    opened = Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def clocks(clock):
    return Clocks(lambda: clock.business, lambda: clock.wall)


@pytest.fixture
def alerts(channel, ledger, clocks):
    return Alerts(channel, Digests(ledger), clocks)


def result(answer):
    assert isinstance(answer, Settled), answer
    return answer.fact.result, answer.fact.why, answer.fact.message


def a_burst(alerts, job, number=BURST + 3):
    """That many alerts at once; answers the waits of those beyond the burst."""
    answers = [alerts(job(alert(one))) for one in range(1, number + 1)]
    assert all(result(answer)[0] == "sent" for answer in answers[:BURST])
    return answers[BURST:]


def test_an_alert_goes_alone_under_an_id_of_its_own(alerts, channel, job):
    answer = alerts(job(alert()))
    assert result(answer) == ("sent", "", "<acct_1.in_1.alert.1@x>")
    assert (answer.fact.event_type, answer.fact.medium, answer.fact.effect) == ("payment_failed", "email", "acct_1.in_1.alert.1")
    assert channel.taken == [("acct_1.in_1.alert.1", ["in_1"])]


def test_a_burst_waits_for_its_window_and_goes_as_one_message_of_which_every_alert_knows(alerts, channel, clock, job):
    waits = a_burst(alerts, job)
    assert all(isinstance(wait, RetryLater) for wait in waits)
    assert len(channel.taken) == BURST
    clock.pass_(WINDOW)
    answers = [alerts(job(alert(number), attempt=1)) for number in (12, 11, 13)]
    digest = "acct_1.in_11.alert.1.digest.1"
    assert channel.taken[BURST:] == [(digest, ["in_11", "in_12", "in_13"])]
    assert {result(answer) for answer in answers} == {("sent", "", f"<{digest}@x>")}
    assert [answer.fact.effect for answer in answers] == [f"acct_1.in_{number}.alert.1" for number in (12, 11, 13)]


def test_a_wait_lasts_as_long_as_the_window_takes_on_a_fast_clock(alerts, clock, job):
    clock.pass_(timedelta(hours=1), timedelta(seconds=6))  # 600 times as fast
    for one in range(BURST):
        alerts(job(alert(one + 1)))
    wait = alerts(job(alert(99)))
    assert isinstance(wait, RetryLater)
    assert wait.after == pytest.approx(1.0)


def test_after_the_window_alerts_go_alone_again(alerts, channel, clock, job):
    a_burst(alerts, job, BURST)
    clock.pass_(WINDOW)
    assert result(alerts(job(alert(99))))[0] == "sent"
    assert channel.taken[-1] == ("acct_1.in_99.alert.1", ["in_99"])


def test_one_account_s_burst_is_not_another_s(alerts, channel, clock, job):
    a_burst(alerts, job)
    other = replace(alert(50), account="acct_2", id="acct_2.in_50.alert.1")
    assert result(alerts(job(other)))[0] == "sent"


def test_a_digest_survives_a_restart_and_keeps_its_alerts(alerts, channel, ledger, clocks, clock, job):
    a_burst(alerts, job)
    again = Alerts(channel, Digests(ledger), clocks)
    assert isinstance(again(job(alert(14))), RetryLater), "the open digest takes it, though the new process has counted nothing"
    clock.pass_(WINDOW)
    assert result(again(job(alert(14), attempt=1)))[0] == "sent"
    assert channel.taken[-1][1] == ["in_11", "in_12", "in_13", "in_14"]


def test_a_digest_in_doubt_is_repeated_once_with_the_same_content_and_the_others_wait_for_it(alerts, channel, clock, job, now):
    """Decision 18: an e-mail is repeated once with the same Message-ID."""
    a_burst(alerts, job)
    clock.pass_(WINDOW)
    channel.trouble = [DeliveryUnknown("cut")]
    assert isinstance(alerts(job(alert(11), attempt=1)), InDoubt)
    assert isinstance(alerts(job(alert(12), attempt=1)), RetryLater), "another one does not carry what may have left"
    assert isinstance(alerts(job(alert(99))), Settled), "the sealed digest takes no more"
    assert result(alerts(job(alert(11), possibly_done_since=now, in_doubt_count=1)))[0] == "sent"
    assert result(alerts(job(alert(12), attempt=2)))[0] == "sent"
    names = [name for name, invoices in channel.taken if "in_12" in invoices]
    assert names == ["acct_1.in_11.alert.1.digest.1"]


def test_a_digest_twice_in_doubt_is_unknown_for_all(alerts, channel, clock, job, now):
    a_burst(alerts, job)
    clock.pass_(WINDOW)
    channel.trouble = [DeliveryUnknown("cut"), DeliveryUnknown("cut")]
    alerts(job(alert(11), attempt=1))
    assert isinstance(alerts(job(alert(11), possibly_done_since=now, in_doubt_count=1)), InDoubt)
    told = ("unknown", "not_repeated", "<acct_1.in_11.alert.1.digest.1@x>")
    assert result(alerts(job(alert(11), possibly_done_since=now, in_doubt_count=2))) == told
    assert result(alerts(job(alert(13), attempt=1))) == told
    assert not [name for name, _ in channel.taken if "digest" in name]


def test_an_alert_in_doubt_is_not_repeated_when_its_time_is_over(alerts, channel, clock, job, now):
    """Decision 18: after an outage of days nobody is told of what is old."""
    a_burst(alerts, job)
    clock.pass_(WINDOW)
    channel.trouble = [DeliveryUnknown("cut"), DeliveryUnknown("cut")]
    alone, together = alert(40), alert(11)
    assert isinstance(alerts(job(together, attempt=1)), InDoubt)
    assert isinstance(alerts(job(alone)), InDoubt)
    clock.pass_(timedelta(hours=25))
    taken = list(channel.taken)
    assert result(alerts(job(alone, possibly_done_since=now, in_doubt_count=1)))[:2] == ("unknown", "expired")
    assert result(alerts(job(together, possibly_done_since=now, in_doubt_count=1)))[:2] == ("unknown", "expired")
    assert result(alerts(job(alert(12), attempt=2)))[:2] == ("unknown", "expired")
    assert channel.taken == taken


def test_a_digest_that_was_sent_before_the_crash_is_not_sent_again(alerts, channel, ledger, clocks, clock, job, now):
    """The process ended between the digest's end and the leader's settling."""
    a_burst(alerts, job)
    clock.pass_(WINDOW)
    alerts(job(alert(11), attempt=1))
    again = Alerts(channel, Digests(ledger), clocks)
    assert result(again(job(alert(11), possibly_done_since=now, in_doubt_count=1)))[0] == "sent"
    assert len([name for name, _ in channel.taken if "digest" in name]) == 1


def test_a_digest_that_nobody_takes_is_carried_by_whichever_alert_comes_next(alerts, channel, clock, job):
    a_burst(alerts, job)
    clock.pass_(WINDOW)
    channel.trouble = [TemporaryFailure("busy", 3.0)]
    assert alerts(job(alert(11), attempt=1)) == RetryLater("busy", 3.0)
    assert result(alerts(job(alert(13), attempt=1)))[0] == "sent"
    assert channel.taken[-1] == ("acct_1.in_11.alert.1.digest.1", ["in_11", "in_12", "in_13"])


@pytest.mark.parametrize(
    ("trouble", "fresh", "doubted"),
    [
        (TemporaryFailure("busy", 7.0), RetryLater("busy", 7.0), InDoubt("busy")),
        (DeliveryUnknown("cut"), InDoubt("cut"), InDoubt("cut")),
        (PermanentFailure("no"), ("failed", "no", ""), ("unknown", "no", "<acct_1.in_1.alert.1@x>")),
    ],
)
def test_the_ends_of_handing_over_are_told_apart(alerts, channel, job, now, trouble, fresh, doubted):
    for since, wanted in ((None, fresh), (now, doubted)):
        channel.trouble = [trouble]
        answer = alerts(job(alert(), possibly_done_since=since, in_doubt_count=int(since is not None)))
        assert answer == wanted if isinstance(wanted, RetryLater | InDoubt) else result(answer) == wanted


def test_a_channel_that_repeats_nothing_leaves_a_doubt_unknown(alerts, channel, job, now):
    channel.repeats = 0
    channel.trouble = [DeliveryUnknown("cut")]
    assert result(alerts(job(alert())))[:2] == ("unknown", "cut")
    assert result(alerts(job(alert(2), possibly_done_since=now, in_doubt_count=1)))[:2] == ("unknown", "not_repeated")
    assert channel.taken == []


def test_without_an_address_nothing_is_told(alerts, channel, job, now):
    channel.why = "no_address"
    assert result(alerts(job(alert()))) == ("skipped", "no_address", "")
    assert result(alerts(job(alert(), possibly_done_since=now, in_doubt_count=1)))[:2] == ("unknown", "no_address")


def test_a_merchant_who_left_is_told_nothing(alerts, channel, job):
    channel.why = LookupError("acct_1")
    assert result(alerts(job(alert()))) == ("skipped", "unknown_account", "")


def test_old_digests_are_forgotten_with_their_alerts(alerts, ledger, clock, job):
    a_burst(alerts, job)
    digests = Digests(ledger)
    assert digests.forget(clock.business.timestamp()) == 0
    clock.pass_(WINDOW + timedelta(days=1))
    assert digests.forget(clock.business.timestamp()) == 1
    assert digests.of("acct_1.in_11.alert.1") is None
