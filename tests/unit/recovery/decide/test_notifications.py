"""What the merchant is told of a case: alerts by e-mail and in Slack, events for their endpoints."""

from typing import Any

import pytest

from recovery.contracts.effects import AlertRequested, WebhookRequested
from recovery.contracts.events import EVENT_TYPES, Event
from recovery.contracts.facts import AlertSettled, EndpointDisabled, MessageBounced, WebhookSettled
from recovery.decide.notifications import needs_attention
from recovery.notification_policy import DEFAULT_WEBHOOK_TYPES, WEBHOOK_TYPES, AlertPolicy, ChannelSettings
from recovery.policy import Policy, problems
from tests.support import builders as a
from tests.support.story import Story

BOTH = AlertPolicy(email=ChannelSettings(enabled=True), slack=ChannelSettings(enabled=True))
CRM = {"crm": ()}


def a_story(**policy: Any) -> Story:
    return Story(a.an_account(a.a_policy(**policy)))


def alerts(story: Story) -> list[tuple[str, str]]:
    return [(effect.medium, effect.event.event_type) for effect in story.effects if isinstance(effect, AlertRequested)]


def deliveries(story: Story) -> list[WebhookRequested]:
    return [effect for effect in story.effects if isinstance(effect, WebhookRequested)]


def a_recovery(story: Story) -> Story:
    story.tell(a.a_failure())
    story.tell(a.a_payment(when=a.at(hours=2)))
    return story


def test_a_failure_and_its_recovery_are_told_by_mail_and_in_slack() -> None:
    """F23, F24."""
    story = a_recovery(a_story(alerts=BOTH))
    assert alerts(story) == [
        ("email", "payment_failed"),
        ("slack", "payment_failed"),
        ("email", "payment_recovered"),
        ("slack", "payment_recovered"),
    ]


def test_each_alert_has_its_switch() -> None:
    told = ChannelSettings(enabled=True, failed=False)
    assert alerts(a_recovery(a_story(alerts=AlertPolicy(email=told)))) == [("email", "payment_recovered")]
    told = ChannelSettings(enabled=True, recovered=False)
    assert alerts(a_recovery(a_story(alerts=AlertPolicy(email=told)))) == [("email", "payment_failed")]


def test_who_wants_nothing_is_told_nothing() -> None:
    story = a_recovery(a_story())
    assert alerts(story) == []
    assert deliveries(story) == []


def test_a_case_given_up_is_told() -> None:
    story = a_story(alerts=BOTH, mode="act")
    story.tell(a.a_failure())
    story.days(60)
    assert story.last("case_abandoned")
    assert ("slack", "case_abandoned") in alerts(story)


def test_an_endpoint_is_told_of_what_it_asked_for_and_else_of_the_usual() -> None:
    """F25: the names of the events and the very events of the log."""
    story = a_story(webhooks={"crm": (), "bi": ("retry_scheduled",)}).opened()
    story.tell(a.a_payment(when=a.at(hours=2)))
    told = {name: [effect.event for effect in deliveries(story) if effect.endpoint == name] for name in ("crm", "bi")}
    assert told["crm"] == [event for event in story.events if event.event_type in DEFAULT_WEBHOOK_TYPES]
    assert told["bi"] == [event for event in story.events if event.event_type == "retry_scheduled"]
    assert told["bi"]


def test_what_is_told_says_where_the_case_stands_afterwards() -> None:
    story = a_recovery(a_story(webhooks=CRM))
    last = deliveries(story)[-1].event
    assert (last.event_type, last.status, last.recovered_minor, last.currency) == ("payment_recovered", "recovered", 4900, "eur")
    assert last.recovered_by


def test_the_same_fact_asks_for_nothing_twice_and_another_event_has_another_id() -> None:
    story = a_story(webhooks=CRM, alerts=BOTH)
    a_recovery(story)
    before = len(story.effects)
    story.tell(a.a_payment(when=a.at(hours=2)))
    assert len(story.effects) == before
    ids = [effect.id for effect in story.effects]
    assert len(set(ids)) == len(ids)


def test_a_dead_address_is_told_though_no_case_is_open() -> None:
    """B53: a hard bounce alerts the merchant."""
    story = a_story(alerts=BOTH)
    story.tell(MessageBounced(**a.header("evt_bounce", a.START, ""), hard=True, why="550 no such user"))
    assert alerts(story) == [("email", "contact_changed"), ("slack", "contact_changed")]


def test_suspected_fraud_is_told_to_the_merchant_and_not_to_the_customer() -> None:
    """B24."""
    story = a_story(alerts=AlertPolicy(slack=ChannelSettings(enabled=True)))
    story.opened(a.FRAUD)
    assert ("slack", "case_blocked") in alerts(story)
    assert story.mails() == []


def test_what_became_of_an_alert_is_recorded_and_opens_no_row() -> None:
    story = a_story(alerts=BOTH, webhooks=CRM)
    header = a.header("x:outcome", a.START)
    story.tell(AlertSettled(**header, effect="x", medium="slack", event_type="payment_failed", result="sent"))
    story.tell(AlertSettled(**header, effect="x", medium="email", event_type="payment_failed", result="skipped", why="no_address"))
    story.tell(
        WebhookSettled(**header, effect="y", endpoint="crm", event="0-1-0", event_type="payment_failed", result="delivered", status=204)
    )
    story.tell(
        WebhookSettled(**header, effect="y", endpoint="crm", event="0-1-0", event_type="payment_failed", result="failed", why="expired")
    )
    assert story.types() == ["alert_sent", "alert_skipped", "webhook_delivered", "webhook_delivery_failed"]
    assert story.row is None
    assert story.effects == []


def test_an_endpoint_that_is_switched_off_is_told_each_time() -> None:
    story = a_story(alerts=AlertPolicy(email=ChannelSettings(enabled=True)))
    for number in (1, 2):
        header = a.header(f"off-{number}", a.at(days=number), "") | {"customer": "~endpoint-crm"}
        story.tell(EndpointDisabled(**header, endpoint="crm", why="410 Gone"))
    ids = [effect.id for effect in story.effects]
    assert len(set(ids)) == 2
    assert story.row is None


def test_every_type_that_an_endpoint_may_ask_for_exists() -> None:
    assert set(EVENT_TYPES) >= WEBHOOK_TYPES


@pytest.mark.parametrize(("webhooks", "word"), [({"C R M": ()}, "hyphen"), ({"crm": ("payed",)}, "payed")])
def test_a_wrong_endpoint_is_named(webhooks: dict[str, tuple[str, ...]], word: str) -> None:
    assert any(word in problem for problem in problems(Policy(webhooks=webhooks)))


@pytest.mark.parametrize(
    ("event_type", "fields", "needed"),
    [
        ("endpoint_disabled", {}, True),
        ("contact_changed", {"reason": "bounced"}, True),
        ("contact_changed", {"reason": "allowed"}, False),
        ("case_blocked", {"decline_kind": "fraud"}, True),
        ("dunning_skipped", {"reason": "no_contact"}, True),
        ("dunning_skipped", {"reason": "missed"}, False),
        ("payment_failed", {"reason": "no_contact"}, False),
    ],
)
def test_what_needs_somebody(event_type: Any, fields: dict[str, Any], needed: bool) -> None:
    """B24, B53, B55."""
    event = Event(event_type=event_type, account=a.ACCOUNT, occurred_at=a.START, received_at=a.START, **fields)
    assert needs_attention(event) is needed
