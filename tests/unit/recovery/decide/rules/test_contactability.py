"""Who may be written to, by which medium, at which hour of their own day."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from recovery.contracts import facts
from recovery.contracts.customer import Consent, ContactState
from recovery.contracts.facts import (
    ConsentGiven,
    ConsentWithdrawn,
    ContactAllowed,
    ContactSuppressed,
    CustomerChanged,
    MessageBounced,
    MessageComplained,
)
from recovery.decide.rules import contactability
from recovery.decide.rules.contactability import Allowed, AllowedFrom, Forbidden, permitted, sms_until
from recovery.policy import ContactPolicy, Policy, PreventionPolicy, SmsPolicy
from tests.support import builders as a
from tests.support.story import Story
from tests.support.transcript import opened
from tests.support.transcript import told as fact_at

DAY = Policy()
STRICT = Policy(contact=ContactPolicy(sms_from_hour=9, sms_until_hour=20))
TEXTS = a.a_policy(sms=SmsPolicy(enabled=True))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def contact_fact(kind: Any, id: str, when: datetime, **fields: Any) -> Any:
    return kind(**a.header(id, when, ""), **fields)


@pytest.mark.parametrize(
    ("now", "zone", "country", "policy", "answer"),
    [
        ("2026-06-10 12:00", "Europe/Berlin", "", DAY, Allowed()),
        ("2026-06-10 05:59", "Europe/Berlin", "", DAY, AllowedFrom(utc("2026-06-10 06:00"), "quiet_hours")),
        ("2026-06-10 18:59", "Europe/Berlin", "", DAY, Allowed()),
        ("2026-06-10 19:00", "Europe/Berlin", "", DAY, AllowedFrom(utc("2026-06-11 06:00"), "quiet_hours")),
        ("2026-06-10 18:30", "Europe/Berlin", "", STRICT, AllowedFrom(utc("2026-06-11 07:00"), "quiet_hours")),  # the stricter hours
        ("2026-01-10 12:30", None, "US", DAY, AllowedFrom(utc("2026-01-10 18:00"), "quiet_hours")),  # Hawaii wakes last
        ("2026-01-10 18:00", None, "US", DAY, Allowed()),
        ("2026-01-11 02:00", None, "US", DAY, AllowedFrom(utc("2026-01-11 18:00"), "quiet_hours")),  # New York sleeps
        ("2026-06-10 12:00", None, "", DAY, Forbidden("zone_unknown")),
        ("2026-06-10 12:00", "Mars/Olympus", "DE", DAY, Allowed()),  # no zone: the country decides
        ("2026-03-28 20:30", "Europe/Berlin", "", DAY, AllowedFrom(utc("2026-03-29 06:00"), "quiet_hours")),  # the clocks go forward
        ("2026-10-24 19:30", "Europe/Berlin", "", DAY, AllowedFrom(utc("2026-10-25 07:00"), "quiet_hours")),  # and back
        ("2026-01-01 12:00", None, "RU", STRICT, AllowedFrom(utc("2026-01-02 07:00"), "quiet_hours")),  # Kaliningrad to Kamchatka: one hour
    ],
)
def test_a_text_comes_by_day_wherever_the_customer_may_be(now: str, zone: str | None, country: str, policy: Policy, answer: object) -> None:
    """B52, B41."""
    assert permitted(utc(now), zone, "sms", policy, country) == answer


def test_a_mail_may_come_at_night() -> None:
    assert permitted(utc("2026-06-10 02:00"), None, "email", DAY) == Allowed()


@pytest.mark.parametrize(
    "zone", ["America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "Europe/Dublin"]
)
def test_a_deferred_text_is_permitted_when_its_time_has_come(zone: str) -> None:
    """B52: at every hour of a year, in zones of odd offsets and odd summer times."""
    now = utc("2026-01-01 00:30")
    while now < utc("2027-01-01 00:00"):
        answer = permitted(now, zone, "sms", DAY)
        if isinstance(answer, AllowedFrom):
            assert timedelta(0) < answer.at - now <= timedelta(hours=12)
            assert permitted(answer.at, zone, "sms", DAY) == Allowed()
        now += timedelta(hours=7)


def a_consenting_customer(policy: Policy = TEXTS) -> Story:
    story = Story(a.an_account(policy))
    story.tell(contact_fact(ConsentGiven, "consent", a.START, proof="checkout form", zone="Europe/Berlin"))
    return story


def texts(story: Story) -> list[tuple[int, datetime]]:
    return [(effect.step, effect.occurred_at) for effect in story.messages() if effect.medium == "sms"]


def test_a_text_goes_beside_each_mail_by_day() -> None:
    """F22, B52: the mail at once, the text in the morning; START is 10 h in Berlin."""
    story = a_consenting_customer()
    story.now = a.at(hours=12)  # 22 h in Berlin
    story.tell(a.a_failure(when=story.now))
    story.tell(a.a_reading(story.reads()[-1].id, story.now, a.HARD))
    story.mail_answered()
    assert (texts(story), story.last("dunning_skipped").reason) == ([], "quiet_hours")
    assert story.events[-1].next_action == "sms"
    story.days(1)
    assert texts(story) == [(1, datetime(2026, 3, 3, 7, 0, tzinfo=UTC))]


def test_a_text_that_cannot_leave_by_day_does_not_come_by_night() -> None:
    """B52: whatever keeps it from leaving, it is worth nothing after the hours; an SMS that waits holds no case up for a day."""
    story = a_consenting_customer().opened(a.HARD)
    story.mail_answered()
    effect = next(one for one in story.messages() if one.medium == "sms")
    assert effect.not_after == datetime(2026, 3, 2, 20, 0, tzinfo=UTC)  # 21 h in Berlin


def test_where_the_zone_is_unknown_the_first_zone_to_go_to_sleep_ends_the_hours() -> None:
    """B52."""
    somewhere = ContactState(consent={"sms": Consent(a.START, "form", "", "US")})
    at = utc("2026-01-10 19:00")  # nine in the morning in Hawaii, two in the afternoon in New York
    assert sms_until(somewhere, at, TEXTS) == utc("2026-01-11 02:00")


def test_a_text_changes_nothing_about_the_next_mail() -> None:
    story = a_consenting_customer().opened(a.HARD)
    story.mail_answered()
    effect = next(one for one in story.messages() if one.medium == "sms")
    story.tell(a.a_mail_outcome(effect.id, story.now, "skipped", "no_phone", medium="sms"))
    assert story.last("dunning_skipped").details["medium"] == "sms"
    story.days(3)
    assert [mail.step for mail in story.mails()] == [1, 2]


def test_no_text_without_consent_and_none_where_texts_are_off() -> None:
    """B53."""
    without = Story(a.an_account(TEXTS)).opened(a.HARD)
    without.mail_answered()
    assert (texts(without), without.last("dunning_skipped").reason) == ([], "no_consent")
    off = a_consenting_customer(a.a_policy()).opened(a.HARD)
    off.mail_answered()
    assert (texts(off), "dunning_skipped" in off.types()) == ([], False)


def test_stop_ends_texts_only_at_once_and_for_ever() -> None:
    """B53."""
    story = a_consenting_customer().opened(a.HARD)
    story.mail_answered()
    assert len(texts(story)) == 1
    story.tell(contact_fact(ConsentWithdrawn, "stop", a.at(hours=1)))
    assert kinds(story) == ["sms"]
    story.tell(contact_fact(ConsentGiven, "late", a.START, proof="an older form, told late"))
    assert story.events[-1].reason == "consent_outdated"
    story.days(3)
    story.mail_answered()
    assert (len(texts(story)), len(story.mails())) == (1, 2)
    story.days(400)
    assert story.customer is not None, "a STOP is never forgotten (architecture 1)"


def kinds(story: Story) -> list[str]:
    return [effect.rsplit(".", 2)[-2] for effect in story.withdrawals()]


@pytest.mark.parametrize(
    ("fact", "reason"),
    [
        (contact_fact(MessageBounced, "b", a.at(hours=1), hard=True), "bounced"),
        (contact_fact(MessageComplained, "b", a.at(hours=1)), "complained"),
        (contact_fact(ContactSuppressed, "b", a.at(hours=1), medium="email", why="unsubscribed", who="customer"), "unsubscribed"),
        (contact_fact(ContactSuppressed, "b", a.at(hours=1), who="dana"), "do_not_contact"),
    ],
)
def test_who_must_not_be_written_to_is_not_and_the_case_ends_with_that_reason(fact: Any, reason: str) -> None:
    """B53, F61; product decision 20."""
    story = Story().opened(a.HARD)
    story.mail_answered()
    story.tell(fact)
    assert (story.last("contact_changed").reason, story.case().status, story.case().reason) == (reason, "abandoned", reason)
    story.days(400)
    assert len(story.mails()) == 1
    story.tell(a.a_failure("evt_2", story.now, "in_2"))
    story.tell(a.a_reading(story.reads()[-1].id, story.now, a.HARD, "in_2"))
    assert (len(story.mails()), story.case("in_2").reason) == (1, reason), "across cases and years (B54)"


def test_a_mail_under_way_is_taken_back_by_a_complaint() -> None:
    story = Story().opened(a.HARD)
    story.tell(contact_fact(MessageComplained, "c", a.at(hours=1)))
    assert story.withdrawals() == [story.mails()[0].id]
    assert story.case().status == "abandoned"


def test_a_case_still_tried_in_silence_goes_on_after_a_bounce() -> None:
    """B55: retries need no address."""
    story = Story().opened()
    story.tell(contact_fact(MessageBounced, "b", a.at(hours=1), hard=True))
    assert story.case().active
    story.days(1)
    assert len(story.charges()) == 1


def test_a_hard_bounce_changes_to_texts_where_they_are_agreed_to() -> None:
    """B53."""
    story = a_consenting_customer().opened(a.HARD)
    story.mail_answered()
    story.tell(a.a_mail_outcome(story.messages()[-1].id, story.now, "sent", medium="sms"))
    story.tell(contact_fact(MessageBounced, "b", a.at(hours=1), hard=True))
    story.until(a.at(days=3))
    assert story.case().active
    assert [step for step, _ in texts(story)] == [1, 2]
    assert (len(story.mails()), story.last("dunning_skipped").reason) == (1, "bounced")


@pytest.mark.parametrize(
    "fact",
    [
        contact_fact(MessageBounced, "b", a.at(hours=1), hard=False),
        contact_fact(MessageBounced, "b", a.at(hours=1), hard=False, remaining=0),
        contact_fact(MessageBounced, "b", a.at(hours=1), hard=True, contact="bookkeeping"),
        contact_fact(MessageBounced, "b", a.at(hours=1), hard=True, contact="bookkeeping", remaining=1),
        contact_fact(MessageBounced, "b", a.at(hours=1), hard=True, remaining=1),
    ],
)
def test_a_soft_bounce_and_that_of_another_contact_silence_nobody(fact: Any) -> None:
    """B56."""
    story = Story().opened(a.HARD)
    story.mail_answered()
    story.tell(fact)
    story.days(3)
    assert len(story.mails()) == 2


@pytest.mark.parametrize("contact", ["", "bookkeeping"])
def test_the_last_good_contact_that_bounces_leaves_nobody_to_write_to(contact: str) -> None:
    """B56: whichever of them it is."""
    story = Story().opened(a.HARD)
    story.mail_answered()
    story.tell(contact_fact(MessageBounced, "b", a.at(hours=1), hard=True, contact=contact, remaining=0))
    assert (story.case().status, story.case().reason) == ("abandoned", "bounced")


def test_the_merchant_sees_that_the_first_of_several_addresses_is_no_good() -> None:
    """B56, B53."""
    story = Story().opened(a.HARD)
    story.tell(contact_fact(MessageBounced, "b", a.at(hours=1), hard=True, remaining=2))
    assert story.last("contact_changed").reason == "first_contact_bounced"


def test_the_owner_is_written_to_first_and_everyone_from_the_second_mail_on() -> None:
    """B56."""
    story = Story().opened(a.HARD)
    for days in (0.01, 3, 7):
        story.until(a.at(days=days))
        story.mail_answered()
    assert [mail.to for mail in story.mails()] == ["owner", "everyone", "everyone"]


@pytest.mark.parametrize(("mails", "to"), [(1, "owner"), (2, "everyone")])
def test_a_notice_goes_to_those_who_had_the_mails(mails: int, to: str) -> None:
    """B56, B48."""
    story = Story().opened(a.HARD)
    for days in (0.01, 3)[:mails]:
        story.until(a.at(days=days))
        story.mail_answered()
    story.tell(a.a_payment("evt_p", a.at(days=4)))
    assert [(message.template, message.to) for message in story.messages() if not message.step] == [("payment_recovered", to)]


@pytest.mark.parametrize(
    "fact",
    [contact_fact(ContactAllowed, "ok", a.at(days=1), who="dana"), contact_fact(CustomerChanged, "ok", a.at(days=1), email_changed=True)],
)
def test_a_new_address_or_a_person_lifts_a_bounce(fact: Any) -> None:
    story = Story()
    story.tell(contact_fact(MessageBounced, "b", a.START, hard=True))
    story.tell(fact)
    assert story.customer is None, "nothing is left to remember"
    story.tell(a.a_failure(when=a.at(days=2)))
    story.tell(a.a_reading(story.reads()[-1].id, a.at(days=2), a.HARD))
    assert len(story.mails()) == 1


def test_a_new_address_does_not_lift_a_complaint() -> None:
    story = Story()
    story.tell(contact_fact(MessageComplained, "c", a.START))
    story.tell(contact_fact(CustomerChanged, "n", a.at(days=1), email_changed=True))
    assert (story.events[-1].event_type, story.events[-1].reason) == ("fact_had_no_effect", "not_suppressed")


def test_following_a_wish_for_no_billing_mail_is_the_policys_decision_and_recorded() -> None:
    """B53."""
    story = Story(a.an_account(a.a_policy(contact=ContactPolicy(honour_unsubscribe=False)))).opened(a.HARD)
    story.mail_answered()
    story.tell(contact_fact(ContactSuppressed, "u", a.at(hours=1), medium="email", why="unsubscribed", who="customer"))
    assert story.last("contact_changed").reason == "unsubscribed"
    story.days(3)
    assert len(story.mails()) == 2
    assert [mail.unsubscribe for mail in story.mails()] == [False, False], "what is not followed is not offered"


@pytest.mark.parametrize(
    "before",
    [
        contact_fact(MessageComplained, "c", a.START),
        contact_fact(ContactSuppressed, "c", a.START, medium="email", why="unsubscribed", who="customer"),
    ],
)
def test_a_bounce_hides_no_complaint_and_no_wish_and_its_end_does_not_lift_them(before: Any) -> None:
    """B53."""
    story = Story()
    story.tell(before)
    story.tell(contact_fact(MessageBounced, "b", a.at(hours=1), hard=True))
    story.tell(contact_fact(CustomerChanged, "n", a.at(days=1), email_changed=True))
    story.tell(a.a_failure(when=a.at(days=2)))
    story.tell(a.a_reading(story.reads()[-1].id, a.at(days=2), a.HARD))
    assert story.mails() == []


@pytest.mark.parametrize(
    "binding",
    [contact_fact(MessageComplained, "c", a.START), contact_fact(ContactSuppressed, "c", a.START, why="do_not_contact", who="ada")],
)
def test_a_wish_that_the_policy_does_not_follow_hides_no_other_reason(binding: Any) -> None:
    """B53."""
    story = Story(a.an_account(a.a_policy(contact=ContactPolicy(honour_unsubscribe=False))))
    story.tell(binding)
    story.tell(contact_fact(ContactSuppressed, "u", a.at(hours=1), medium="email", why="unsubscribed", who="customer"))
    story.tell(a.a_failure(when=a.at(days=2)))
    story.tell(a.a_reading(story.reads()[-1].id, a.at(days=2), a.HARD))
    assert story.mails() == []


@pytest.mark.parametrize(("changed_at", "reason"), [(-1, "bounced"), (0, "address_changed"), (1, "address_changed")])
def test_only_an_address_that_is_newer_than_the_bounce_ends_its_suppression(changed_at: int, reason: str) -> None:
    """B3, B56: a change that is delivered late is of the address that bounced since."""
    story = Story().opened()
    bounce_at = a.at(hours=5)
    story.tell(MessageBounced(**a.header("evt_b", bounce_at, ""), medium="email", hard=True))
    story.tell(CustomerChanged(**a.header("evt_c", bounce_at + timedelta(hours=changed_at), ""), email_changed=True))
    assert story.last("contact_changed").reason == reason
    known = story.customer.contact
    assert (known is None) == (reason == "address_changed")


def test_a_second_bounce_that_is_delivered_late_moves_no_bounce_back() -> None:
    """B3."""
    story = Story().opened()
    for hours, name in ((5, "evt_b"), (2, "evt_a")):
        story.tell(MessageBounced(**a.header(name, a.at(hours=hours), ""), medium="email", hard=True))
    story.tell(CustomerChanged(**a.header("evt_c", a.at(hours=3), ""), email_changed=True))
    assert story.customer.contact is not None
    assert story.customer.contact.suppressed == {"email": "bounced"}


@pytest.mark.parametrize(("medium", "waits"), [("sms", False), ("email", True)])
def test_a_text_that_waits_for_the_day_goes_with_its_consent(medium: str, waits: bool) -> None:
    """B52, B53."""
    story = Story(a.an_account(a.a_policy(sms=SmsPolicy(enabled=True))))
    story.tell(fact_at(facts.ConsentGiven, a.START, "", proof="form", zone="Pacific/Honolulu", medium="sms"))
    opened(story, a.HARD)
    story.mail_answered()
    assert story.case().sms_at is not None
    story.tell(fact_at(facts.ConsentWithdrawn, a.at(hours=1), "", medium=medium))
    assert (story.case().sms_at is not None) is waits


@pytest.mark.parametrize(
    ("suppressed", "honoured", "why"),
    [
        ({"all": "unsubscribed"}, True, "unsubscribed"),
        ({"sms": "unsubscribed"}, False, "no_consent"),
        ({"sms": "unsubscribed complained"}, False, "complained"),
        ({"email": "bounced"}, True, "no_consent"),
    ],
)
def test_a_wish_for_no_billing_messages_holds_as_the_policy_says(suppressed: dict[str, str], honoured: bool, why: str) -> None:
    """B53, B56."""
    policy = a.a_policy(sms=SmsPolicy(enabled=True), contact=ContactPolicy(honour_unsubscribe=honoured))
    assert contactability.sms(ContactState(suppressed=suppressed), a.START, policy) == contactability.Forbidden(why)


@pytest.mark.parametrize("honoured", [True, False])
def test_a_mail_about_a_card_follows_the_wish_too(honoured: bool) -> None:
    """F68, B56."""
    policy = a.a_policy(prevention=PreventionPolicy(enabled=True), contact=ContactPolicy(honour_unsubscribe=honoured))
    story = Story(a.an_account(policy))
    story.tell(a.a_fact_of(facts.ContactSuppressed, 0, "", medium="email", why="unsubscribed", who="customer"))
    card = facts.Card(fingerprint="fp_1", exp_month=3, exp_year=2026)
    story.tell(
        a.a_fact_of(
            facts.CardExpiring, 1, "", card=card, subscription="sub_1", next_charge_at=a.at(days=40), amount_minor=1, currency="eur"
        )
    )
    story.until(a.at(days=41))
    assert story.notices() == ([] if honoured else ["card_expiring"])
