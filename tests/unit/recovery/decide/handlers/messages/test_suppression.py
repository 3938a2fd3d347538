"""Bounces, complaints, unsubscribes and consents: which media stay open, and what events record."""

from typing import Any

import pytest

from recovery.contracts import facts
from recovery.contracts.customer import Consent, ContactState
from recovery.contracts.facts import ConsentGiven, CustomerChanged, MessageBounced, MessageComplained
from recovery.decide.rules import contactability
from recovery.policy import SmsPolicy
from tests.support import builders as a
from tests.support.story import Story, texted
from tests.support.transcript import opened, told


def test_an_older_withdrawal_told_late_hides_no_newer_one() -> None:
    """B3, B53."""
    known = ContactState(withdrawn={"sms": a.at(hours=5)})
    contactability.withdraw(known, "sms", a.at(hours=1))
    assert known.withdrawn == {"sms": a.at(hours=5)}


def test_a_reason_for_silence_is_kept_once_the_latest_first() -> None:
    """B53."""
    story = Story()
    for hours, why in enumerate(("unsubscribed", "do_not_contact", "unsubscribed")):
        story.tell(told(facts.ContactSuppressed, a.at(hours=hours), "", medium="email", why=why, who="ada"))
    assert story.customer is not None
    assert story.customer.contact is not None
    assert story.customer.contact.suppressed == {"email": "unsubscribed do_not_contact"}
    story.tell(told(facts.ContactAllowed, a.at(hours=9), "", medium="all", who="ada", why="called"))
    assert story.last("contact_changed").details == {"medium": "email", "who": "ada", "why": "called"}


@pytest.mark.parametrize(("hours", "agreed"), [(-1, True), (0, False), (1, False)])
def test_of_a_consent_and_a_withdrawal_of_one_moment_the_withdrawal_holds(hours: float, agreed: bool) -> None:
    """B53: whatever comes first."""
    known = ContactState(consent={"sms": Consent(a.START, "form")})
    contactability.withdraw(known, "sms", a.at(hours=hours))
    assert ("sms" in known.consent) is agreed
    later = ContactState(withdrawn={"sms": a.at(hours=hours)})
    assert contactability.agree(later, "sms", a.START, Consent(a.START, "form")) is agreed


def test_a_mail_taken_back_for_a_complaint_says_so() -> None:
    """B53."""
    story = opened(Story(), a.HARD)
    story.tell(told(facts.MessageComplained, a.at(hours=1), "", message="<m>"))
    assert story.reason_and_details("effect_withdrawn") == ("suppressed", {"kind": "message"})
    assert (story.case().status, story.case().reason) == ("abandoned", "complained")


@pytest.mark.parametrize(("kind", "reason"), [(MessageBounced, "bounced"), (MessageComplained, "complained")])
def test_a_bounce_and_a_complaint_keep_their_proof(kind: Any, reason: str) -> None:
    """B53."""
    story = Story().opened()
    more = {"why": "550 no such user", "hard": True} if kind is MessageBounced else {}
    story.tell(kind(**a.header("evt_b", a.at(hours=1), ""), medium="email", message="<m@x>", **more))
    told = {"medium": "email", "message": "<m@x>"} | ({"why": "550 no such user"} if more else {})
    assert (story.last("contact_changed").reason, story.last("contact_changed").details) == (reason, told)


def test_a_new_address_after_a_bounce_says_why_mails_go_again() -> None:
    """B53."""
    story = Story().opened()
    story.tell(MessageBounced(**a.header("evt_b", a.at(hours=1), ""), medium="email", hard=True))
    story.tell(CustomerChanged(**a.header("evt_c", a.at(hours=2), ""), email_changed=True))
    assert (story.last("contact_changed").reason, story.last("contact_changed").details) == ("address_changed", {"medium": "email"})


def test_a_mail_that_is_unwanted_does_not_take_back_a_text() -> None:
    """B53: a complaint closes the medium that it came by."""
    story = texted()
    story.tell(a.a_fact_of(facts.MessageComplained, 1, ""))
    assert story.withdrawals() == []


def test_a_consent_taken_back_takes_back_the_text_and_the_one_that_waits() -> None:
    """B53."""
    story = texted()
    effect = story.messages()[-1].id
    story.tell(a.a_fact_of(facts.ConsentWithdrawn, 1, ""))
    assert story.withdrawals() == [effect]
    assert story.last("effect_withdrawn").reason == "consent_withdrawn"
    assert story.case().sms_at is None


def suppressed(story: Story) -> dict[str, str]:
    row = story.customer
    assert row is not None
    assert row.contact is not None
    return row.contact.suppressed


def test_one_medium_is_allowed_again_and_the_other_stays_closed() -> None:
    """B53."""
    story = Story()
    story.tell(a.a_fact_of(facts.ContactSuppressed, 1, "", medium="email", who="ada"))
    story.tell(a.a_fact_of(facts.ContactSuppressed, 2, "", medium="sms", who="ada"))
    story.tell(a.a_fact_of(facts.ContactAllowed, 3, "", medium="sms", who="ada"))
    assert suppressed(story) == {"email": "do_not_contact"}


def test_a_new_address_lifts_only_the_mails_bounce() -> None:
    """B53."""
    story = Story()
    story.tell(a.a_fact_of(facts.MessageBounced, 1, "", hard=True, medium="sms"))
    story.tell(a.a_fact_of(facts.CustomerChanged, 2, "", email_changed=True))
    assert suppressed(story) == {"sms": "bounced"}


def test_a_consent_keeps_the_telephones_country() -> None:
    """B52."""
    story = Story()
    story.tell(a.a_fact_of(facts.ConsentGiven, 1, "", proof="form", country="DE"))
    row = story.customer
    assert row is not None
    assert row.contact is not None
    assert row.contact.consent["sms"].country == "DE"


def test_a_bounce_of_a_mail_under_way_sends_its_step_by_text() -> None:
    """B53."""
    story = Story(a.an_account(a.a_policy(sms=SmsPolicy(enabled=True))))
    story.tell(ConsentGiven(**a.header("c", a.START, ""), proof="form", zone="Europe/Berlin"))
    story.opened(a.HARD)
    story.tell(MessageBounced(**a.header("b", a.at(hours=1), ""), hard=True))
    assert story.withdrawals() == [story.mails()[0].id]
    assert [(message.medium, message.step) for message in story.messages()] == [("email", 1), ("sms", 1)]
