"""Whatever passes the contract is decided: times at the ends of the calendar, amounts at the ends of a 64-bit number, far appointments."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from recovery.contracts import facts
from recovery.contracts.encoding.row_codec import decode_row, encode_row
from recovery.contracts.facts import Card, Fact
from recovery.decide.advance import advance
from recovery.decide.rules import plausibility
from recovery.notification_policy import AlertPolicy, ChannelSettings
from recovery.policy import EndPolicy
from tests.support import builders as a
from tests.support.story import Story

FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
MOMENTS = (FIRST, datetime(1969, 12, 31, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC), a.at(400), datetime(2201, 1, 1, tzinfo=UTC), LAST)
AMOUNTS = (-(2**63) + 1, -(10**12) - 1, 10**12 + 1, 2**53, 2**63 - 1)


def ends(story: Story) -> bool:
    """Let two years pass; answers whether every case has ended by itself."""
    for _ in range(400):
        row = story.customer
        if row is None or row.next_due_at is None or not any(case.active for case in row.cases.values()):
            return True
        assert row.next_due_at < story.now + timedelta(days=400)
        story.until(max(row.next_due_at, story.now + timedelta(minutes=1)))
    return False


def at_any_time(when: datetime) -> list[Fact]:
    """Facts of every kind that carries a time, with that time in every place."""
    state = a.a_state(created=when, next_payment_attempt=when, renews_at=when)
    head = a.header("evt_x", when)
    money: dict[str, Any] = {"charge": "ch_x", "currency": "eur"}
    return [
        a.a_failure("evt_x", when, state=state),
        a.a_payment("evt_x", when, state=a.a_state("paid", created=when)),
        a.a_change("evt_x", when, state=state),
        facts.InvoiceVoided(**head, state=state),
        a.a_reading("acct_1.in_1.read.1", when, state=state, attempts=(a.an_attempt("ch_9", when),)),
        a.no_reading("acct_1.in_1.read.1", when),
        a.a_settlement("acct_1.in_1.charge.2", when, "declined"),
        a.a_settlement("acct_1.in_1.charge.2", when, "not_done", why="stripe_attempt_near", state=state),
        a.a_mail_outcome("acct_1.in_1.message.2", when),
        facts.ChargeFailed(**head, **money, amount_minor=4900, decline=a.SOFT, card=a.VISA),
        facts.IntentFailed(**a.header("evt_x", when, ""), payment_intent="pi_1", amount_minor=1, currency="eur", decline=a.SOFT),
        facts.ChargeRefunded(**head, **money, amount_refunded=4900),
        facts.SubscriptionEnded(**head, subscription=a.SUBSCRIPTION),
        facts.MethodChanged(**head, card=a.MASTERCARD, how="attached"),
        facts.CustomerDeleted(**head),
        facts.ConsentGiven(**head, proof="form", zone="Europe/Berlin"),
        facts.CardExpiring(
            **head, card=Card(exp_month=12, exp_year=9999), subscription="s", next_charge_at=when, amount_minor=1, currency="eur"
        ),
        facts.CardExpiring(
            **head, card=Card(exp_month=3, exp_year=2026), subscription="s", next_charge_at=when, amount_minor=1, currency="eur"
        ),
        facts.RetryTimesOffered(**head, slots=(facts.Slot(at=when),), source="model"),
        facts.SnoozeRequested(**head, until=when, who="ada"),
        facts.ExcludeRequested(**head, until=when, who="ada"),
        facts.WebhookIgnored(**head, event_type="x", why="y"),
    ]


@pytest.mark.parametrize("when", MOMENTS, ids=str)
@pytest.mark.parametrize("place", range(len(at_any_time(a.START))))
def test_a_fact_with_any_time_is_decided_and_its_case_ends(place: int, when: datetime) -> None:
    fact = at_any_time(when)[place]
    for story in (
        Story(),
        Story().opened(),
        Story().opened(a.HARD),
        Story(a.an_account(a.a_policy(end=EndPolicy(action="cancel")))).opened(),
    ):
        step = advance(story.customer, fact, story.now, story.account)
        told = [event.occurred_at for event in step.events] + [event.next_action_at for event in step.events if event.next_action_at]
        assert all(plausibility.EARLIEST <= at < a.at(400) for at in told)
        assert step.events
        if step.customer is not None:
            story.begin(step.customer, story.now)
        assert ends(story)


@pytest.mark.parametrize("now", [FIRST, LAST])
def test_a_decision_at_any_present_is_made(now: datetime) -> None:
    for fact in (*at_any_time(now), a.a_tick(now)):
        row = Story().opened().row
        assert row is not None
        step = advance(decode_row(row), fact, now, a.an_account())
        assert step.customer is None or encode_row(step.customer)


@pytest.mark.parametrize("amount", AMOUNTS)
def test_an_amount_that_is_no_money_decides_nothing(amount: int) -> None:
    state, head = a.a_state(amount=amount), a.header("evt_x", a.at(hours=1))
    money: dict[str, Any] = {"charge": "ch_in_1", "currency": "eur"}
    for fact in (
        a.a_failure("evt_x", a.at(hours=1), state=state),
        a.a_change("evt_x", a.at(hours=1), state=state),
        a.a_payment("evt_x", a.at(hours=1), state=a.a_state("paid", amount=amount)),
        a.a_reading("acct_1.in_1.read.9", a.at(hours=1), state=state),
        facts.ChargeRefunded(**head, **money, amount_refunded=amount),
        facts.ChargeRead(**head, **money, effect="x", amount_minor=1, disputed_minor=amount),
    ):
        story = Story().opened()
        before = story.case()
        step = story.tell(fact)
        assert [(event.event_type, event.reason) for event in step.events] == [("fact_had_no_effect", "amount_out_of_range")]
        assert (story.case().outstanding_minor, story.case().status, step.effects) == (before.outstanding_minor, "retrying", [])
        assert advance(None, fact, a.START, a.an_account()).events[0].reason in {"amount_out_of_range", "no_case"}
        assert ends(story)


def test_what_can_be_believed_is_left_as_it_is() -> None:
    for fact in at_any_time(a.at(1)):
        assert plausibility.believed(fact, a.START) is fact


def test_what_is_said_to_have_happened_after_it_was_received_is_of_tomorrow_at_the_latest() -> None:
    """What comes after it is not held to be older for months."""
    early = msgspec.structs.replace(a.a_failure("evt_x", a.at(50)), received_at=a.START)
    assert plausibility.believed(early, a.START).occurred_at == a.at(1)


def test_a_webhook_that_waited_while_the_stack_was_off_keeps_its_time() -> None:
    """The present is the last tick, which may be days old; when it was received is known."""
    late = a.a_failure("evt_x", a.at(9))
    assert plausibility.believed(late, a.START) is late


@pytest.mark.parametrize(("until", "reason"), [(a.at(366), "until_too_far"), (a.at(-1), "until_in_the_past"), (LAST, "until_too_far")])
def test_a_snooze_beyond_a_year_is_refused(until: datetime, reason: str) -> None:
    story = Story().opened()
    story.tell(facts.SnoozeRequested(**a.header("cmd", a.START), until=until, who="ada"))
    assert story.last("command_refused").reason == reason


def test_an_exclusion_until_the_end_of_the_calendar_is_one_for_ever() -> None:
    story = Story().opened()
    story.tell(facts.ExcludeRequested(**a.header("cmd", a.START), until=LAST, who="ada"))
    assert story.customer is not None
    assert story.customer.holds[""].until is None


def test_nothing_is_charged_without_an_amount_or_a_currency() -> None:
    for fields, reason in (({"outstanding_minor": 0}, "nothing_owed"), ({"currency": ""}, "currency_unknown")):
        story = Story().opened()
        row = story.customer
        assert row is not None
        for name, value in fields.items():
            setattr(row.cases[a.INVOICE], name, value)
        story.begin(row, story.now)
        story.days(2)
        assert (story.charges(), story.last("retry_skipped").reason) == ([], reason)


def test_a_case_that_ended_long_before_it_was_told_is_remembered_all_the_same() -> None:
    """Else its ids would be used again."""
    story, long_ago = Story(), datetime(2011, 1, 1, tzinfo=UTC)
    story.tell(a.a_failure("evt_f", long_ago))
    story.tell(facts.InvoiceVoided(**a.header("evt_v", long_ago + timedelta(days=1)), state=a.a_state("void")))
    story.days(100)
    assert story.case().status == "closed"
    assert story.case().requests > 0


def test_an_alert_about_a_customer_without_a_case_is_not_asked_for_again_by_the_same_fact() -> None:
    """The row is kept for it, though nothing else holds it."""
    story = Story(a.an_account(a.a_policy(alerts=AlertPolicy(email=ChannelSettings(enabled=True)))))
    bounce = facts.MessageBounced(**a.header("evt_b", a.START, ""), hard=True)
    story.tell(bounce)
    story.tell(facts.ContactAllowed(**a.header("evt_a", a.at(1), ""), who="ada"))
    story.until(a.at(100))
    story.tell(bounce)
    assert len({effect.id for effect in story.effects}) == len(story.effects) == 1
