"""One conversation per customer: what is due together is one mail, and nobody is written to too often."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from recovery.contracts import facts
from recovery.contracts.customer import Case, Consent, ContactState, Hold, Verdict
from recovery.contracts.effects import AlsoOwed, FurtherOwed, MessageRequested
from recovery.contracts.facts import SnoozeRequested, SubscriptionEnded
from recovery.decide.handlers.messages import contact_frequency
from recovery.decide.transition import Transition
from recovery.policy import ContactPolicy, SmsPolicy
from tests.support import builders as a
from tests.support.story import Story


def a_second_failure(story: Story, when: datetime, read_at: datetime | None = None, **state: Any) -> None:
    """Another invoice of the same customer fails hard and is looked at, at once or later."""
    told = a.a_state(**{"subscription": "sub_2", **state})
    story.tell(a.a_failure("evt_in_2", when, "in_2", state=told))
    story.tell(a.a_reading(story.reads()[-1].id, read_at or when, a.HARD, "in_2", state=told))


def one_waits() -> Story:
    """in_1 had its first mail at day 0; in_2 fails two hours later, so that its first step waits for the pause between mails."""
    story = Story().opened(a.HARD)
    story.mail_answered()
    a_second_failure(story, a.at(hours=2), amount=1900)
    return story


def two_due_together() -> Story:
    """At day 3, when in_1's second step is due, it is learnt that in_2's first one is due as well: one mail is asked for."""
    story = Story().opened(a.HARD)
    story.mail_answered()
    a_second_failure(story, a.at(days=2.5), a.at(days=3), amount=1900)
    return story


def test_a_second_failing_invoice_joins_the_next_mail_and_is_named_in_it() -> None:
    """B15, B18, product decision 30: one mail, both invoices, each with its own amount."""
    story = one_waits()
    story.days(1)
    mail = story.mails()[-1]
    assert (len(story.mails()), mail.invoice, mail.step) == (2, "in_2", 1)
    assert mail.also == (AlsoOwed("in_1", 4900, "eur"),)
    story.mail_answered()
    assert (story.case("in_2").dunning_step, story.case("in_1").dunning_step) == (1, 1), "only a due step counts as sent"


def test_steps_that_are_due_together_are_one_mail_in_the_tone_of_the_most_urgent() -> None:
    """B15: both steps count as sent, each with its own event."""
    story = two_due_together()
    mail = story.mails()[-1]
    assert (mail.invoice, mail.step, [owed.invoice for owed in mail.also]) == ("in_1", 2, ["in_2"])
    story.mail_answered()
    sent = [(event.invoice, event.dunning_step, event.reason) for event in story.events if event.event_type == "dunning_sent"]
    assert sent[-2:] == [("in_1", 2, "hard_decline"), ("in_2", 1, "joined_mail")]
    assert len({event.details["message"] for event in story.events if event.event_type == "dunning_sent"}) == 2, "two mails in all"


def test_amounts_of_two_currencies_stay_apart() -> None:
    """Product decision 11."""
    story = Story().opened(a.HARD)
    story.mail_answered()
    a_second_failure(story, a.at(hours=2), amount=700, currency="jpy")
    story.days(1)
    mail = story.mails()[-1]
    assert (mail.amount_minor, mail.currency, mail.also) == (700, "jpy", (AlsoOwed("in_1", 4900, "eur"),))


def test_what_is_still_tried_in_silence_is_not_named() -> None:
    """B59: a soft decline has its silent phase."""
    story = Story().opened(a.HARD)
    story.tell(a.a_failure("evt_2", a.at(hours=1), "in_2"))
    story.tell(a.a_reading(story.reads()[-1].id, a.at(hours=1), a.SOFT, "in_2"))
    story.mail_answered()
    story.until(a.at(days=3))
    assert story.mails()[-1].also == ()


def test_a_joined_invoice_that_is_not_owed_any_more_is_told_so_and_looked_at() -> None:
    """B47: the sender names only what is owed at that moment."""
    story = two_due_together()
    mail = story.mails()[-1]
    story.tell(a.a_mail_outcome(mail.id, story.now, "sent", invoice=mail.invoice, also=()))
    skipped = story.last("dunning_skipped")
    assert (skipped.invoice, skipped.reason) == ("in_2", "nothing_owed")
    assert story.reads()[-1].invoice == "in_2"


def test_a_payment_of_the_leading_invoice_takes_the_mail_back_and_leaves_the_others_step_open() -> None:
    """B47: in_2 is written to later, about itself alone."""
    story = two_due_together()
    story.tell(a.a_payment("evt_p", story.now, "in_1", request_id="req_1"))
    assert story.withdrawals()[-1] == story.mails()[-1].id
    assert (story.case("in_2").dunning_step, story.case("in_2").pending_effect) == (0, None)
    story.days(1)
    mail = story.mails()[-1]
    assert (mail.invoice, mail.step, mail.also) == ("in_2", 1, ())


def test_a_payment_of_a_joined_invoice_does_not_take_the_mail_back() -> None:
    story = two_due_together()
    story.tell(a.a_payment("evt_p", story.now, "in_2", request_id="req_1"))
    assert story.withdrawals() == []
    story.mail_answered()
    assert [event.invoice for event in story.events if event.event_type == "dunning_sent"] == ["in_1", "in_1"]
    assert story.mails()[-1].also == (AlsoOwed("in_2", 1900, "eur"),), "the sender leaves it out"


def test_a_lead_that_the_sender_finds_paid_leaves_the_joined_step_due_at_once() -> None:
    story = two_due_together()
    first = story.mails()[-1]
    story.mail_answered("skipped", "already_paid")
    mail = story.mails()[-1]
    assert mail.id != first.id
    assert (mail.invoice, mail.step) == ("in_2", 1)
    assert story.last("dunning_requested").invoice == "in_2"


def test_a_customer_without_an_address_has_none_for_any_invoice() -> None:
    """B55."""
    story = two_due_together()
    story.mail_answered("skipped", "no_contact")
    assert {story.case(invoice).reason for invoice in ("in_1", "in_2")} == {"no_contact"}


def test_a_cancelled_subscription_leaves_the_conversation_about_the_other() -> None:
    """B67: no word about it any more."""
    story = one_waits()
    story.tell(SubscriptionEnded(**a.header("e", story.now, ""), subscription=a.SUBSCRIPTION))
    story.days(2)
    assert [(mail.invoice, mail.also) for mail in story.mails()[1:]] == [("in_2", ())]


@pytest.mark.parametrize("most", [1, 2])
def test_a_customer_gets_no_more_reminders_in_thirty_days_than_the_policy_allows(most: int) -> None:
    """B18, B54: short cycles fail again and again; the cases still end."""
    story = Story(a.an_account(a.a_policy(contact=ContactPolicy(max_per_30_days=most)))).opened(a.HARD)
    story.mail_answered()
    for _ in range(20):
        story.days(1)
        if story.case().pending_effect is not None:
            story.mail_answered()
    assert len(story.mails()) == most
    assert "mail_cap" in {event.reason for event in story.events if event.event_type == "dunning_skipped"}
    assert (story.case().status, story.case().reason) == ("abandoned", "mail_cap")


def test_the_pause_between_two_mails_is_the_policys() -> None:
    """B18."""
    story = Story(a.an_account(a.a_policy(contact=ContactPolicy(min_hours_between=48)))).opened(a.HARD)
    story.mail_answered()
    a_second_failure(story, a.at(hours=1))
    story.days(3)
    assert story.mails()[1].occurred_at - story.mails()[0].occurred_at == timedelta(hours=48)


def written_to(count: int, **fields: Any) -> list[Case]:
    """So many invoices whose first step is due at once; `in_0` failed first."""
    told = {"status": "dunning", "reason": "expired_card", "dunning_from": a.at(), "dunning_at": a.at(hours=1), "card": a.VISA}
    verdict = Verdict("hard", "expired_card", "expired_card")
    return [a.a_case(invoice=f"in_{n}", verdict=verdict, failed_at=a.at(hours=-n), **(told | fields)) for n in reversed(range(count))]


def texted(count: int, **policy: int) -> Story:
    """A customer with so many open invoices who agreed to texts."""
    story = Story(a.an_account(a.a_policy(sms=SmsPolicy(enabled=True), contact=ContactPolicy(**policy))))
    consent = Consent(a.at(), "form", "Europe/Berlin", "DE")
    story.begin(a.a_customer(*written_to(count), contact=ContactState(consent={"sms": consent})), a.at(hours=2))
    story.tell(a.a_tick(a.at(hours=2)))
    return story


def go_on(story: Story, days: float) -> list[MessageRequested]:
    """Let so many days pass, every message answered within a minute; answers the texts."""
    until = story.now + timedelta(days=days)
    answered: set[str] = set()
    while story.now < until:
        open_ones = [message for message in story.messages() if message.id not in answered]
        for one in open_ones:
            answered.add(one.id)
            also = tuple(owed.invoice for owed in one.also)
            story.tell(a.a_mail_outcome(one.id, story.now, invoice=one.invoice, medium=one.medium, also=also))
        if not open_ones:
            story.until(min(until, story.now + timedelta(hours=1)))
    return [message for message in story.messages() if message.medium == "sms"]


@pytest.mark.parametrize("invoices", [1, 2, 12, 60])
def test_one_text_goes_for_all_invoices_that_are_due(invoices: int) -> None:
    """B15, B54: three steps are three texts at most, however many invoices are open; the oldest speaks for them."""
    story = texted(invoices)
    texts = go_on(story, 15)
    assert [text.step for text in texts] == [1, 2, 3]
    joined = [event for event in story.events if event.reason == "joined_text"]
    assert len(joined) == 3 * (invoices - 1)
    assert all(event.details["with"] == texts[0].invoice and event.effect for event in joined[: invoices - 1])


def many(count: int) -> Story:
    story = Story()
    story.begin(a.a_customer(*written_to(count)), a.at(hours=2))
    story.tell(a.a_tick(a.at(hours=2)))
    return story


def test_a_mail_names_the_ten_oldest_invoices_and_sums_up_the_rest() -> None:
    """B15: nobody reads a list of a thousand, and each name costs a look at the moment of sending."""
    story = many(200)
    (mail,) = story.mails()
    named = [owed.invoice for owed in mail.also]
    assert (mail.invoice, named) == ("in_199", [f"in_{n}" for n in range(198, 188, -1)])
    assert mail.further == (FurtherOwed(189, 189 * 4900, "eur"),)
    asked = next(event for event in story.events if event.event_type == "dunning_requested" and event.invoice == "in_199")
    assert (asked.details["also"].split(), asked.details["further"]) == (named, "189")


def test_sums_of_what_a_mail_does_not_name_stay_apart_by_currency() -> None:
    story = Story()
    cases = written_to(20)
    for case in cases[-3:]:
        case.currency = "jpy"
    story.begin(a.a_customer(*cases), a.at(hours=2))
    story.tell(a.a_tick(a.at(hours=2)))
    assert story.mails()[-1].further == (FurtherOwed(6, 6 * 4900, "eur"), FurtherOwed(3, 3 * 4900, "jpy"))


def test_a_step_counts_as_sent_for_an_invoice_that_the_mail_summed_up() -> None:
    """Those that it named are held against what the sender found owed; a thousand looks for one mail are not made."""
    story = many(40)
    (mail,) = story.mails()
    story.tell(a.a_mail_outcome(mail.id, story.now, invoice=mail.invoice, also=tuple(owed.invoice for owed in mail.also[1:])))
    sent = {event.invoice for event in story.events if event.event_type == "dunning_sent"}
    assert sent == {f"in_{n}" for n in range(40)} - {mail.also[0].invoice}
    assert [read.invoice for read in story.reads()] == [mail.also[0].invoice]
    assert story.case("in_0").mails_sent == 1


def test_a_mail_that_did_not_go_leaves_the_step_of_all_that_had_joined_it() -> None:
    story = many(40)
    (mail,) = story.mails()
    story.tell(a.a_mail_outcome(mail.id, story.now, "skipped", "already_paid", mail.invoice))
    again = story.mails()[-1]
    assert again.id != mail.id
    assert (again.invoice, len(again.also), again.further) == ("in_38", 10, (FurtherOwed(29, 29 * 4900, "eur"),))


def without_mail(count: int, **policy: int) -> Story:
    """The address bounced, so that texts go instead of mails; the invoices fall due three hours apart."""
    story = Story(a.an_account(a.a_policy(sms=SmsPolicy(enabled=True), contact=ContactPolicy(**policy))))
    consent = Consent(a.at(), "form", "UTC")
    cases = written_to(count)
    for number, case in enumerate(cases):
        case.dunning_at = case.dunning_from = a.at(hours=3 * number)
    contact = ContactState(consent={"sms": consent}, suppressed={"email": "bounced"})
    story.begin(a.a_customer(*cases, contact=contact), a.at())
    story.tell(a.a_tick(a.at()))
    return story


def test_texts_keep_their_distance() -> None:
    """B18, B54: one that comes too soon waits, and goes for all that wait with it."""
    story = without_mail(4, min_hours_between=20)
    sent = [text.occurred_at for text in go_on(story, 2.5)]
    assert sent == [a.at(), a.at(hours=23)]  # twenty hours later it is night, so in the morning
    assert {event.reason for event in story.events if event.invoice == "in_1"} >= {"recent_text", "joined_text"}


def test_a_text_above_the_cap_is_left_out_and_holds_nothing_up() -> None:
    story = without_mail(2, min_hours_between=1, max_per_30_days=2)
    assert len(go_on(story, 20)) == 2
    assert "text_cap" in {event.reason for event in story.events}
    assert story.customer is not None
    assert {case.status for case in story.customer.cases.values()} == {"abandoned"}


def test_a_text_that_did_not_leave_makes_room_for_another() -> None:
    story = texted(1)
    story.mail_answered()
    text = story.messages()[-1]
    assert text.medium == "sms"
    story.tell(a.a_mail_outcome(text.id, story.now, "skipped", "no_phone", medium="sms", invoice=text.invoice))
    assert story.customer is not None
    assert story.customer.texts == {}


def test_an_invoice_that_is_to_be_left_alone_joins_no_text() -> None:
    """B60."""
    story = texted(2)
    story.tell(SnoozeRequested(**a.header("cmd", story.now, "in_1"), who="ada", until=a.at(days=5)))
    story.mail_answered()
    assert not [event for event in story.events if event.reason == "joined_text"]


def test_a_text_that_waited_for_the_day_is_not_sent_by_a_policy_that_only_observes_now() -> None:
    story = without_mail(1)
    row = story.customer
    assert row is not None
    row.texts, row.cases["in_0"].pending_effect, row.cases["in_0"].sms_at, row.cases["in_0"].sms_step = {}, None, a.at(hours=1), 1
    story.begin(row, a.at(hours=2))
    sent = len(story.messages())
    story.account = a.an_account(a.a_policy("observe", sms=SmsPolicy(enabled=True)))
    story.tell(a.a_tick(a.at(hours=2)))
    assert (len(story.messages()), story.last("dunning_skipped").reason) == (sent, "observe_mode")


def test_a_mail_that_failed_for_good_leaves_room_for_another() -> None:
    """B54."""
    story = Story().opened(a.HARD)
    story.mail_answered("failed", "550")
    row = story.customer
    assert row is not None
    assert row.mails == {}


def test_an_invoice_that_somebody_wants_left_alone_is_not_named_in_the_mail_about_another() -> None:
    """B60: the stop of the one, not that of the other."""
    story = Story()
    for number in (1, 2):
        state = a.a_state(subscription=f"sub_{number}")
        story.tell(a.a_failure(f"evt_{number}", a.START, f"in_{number}", state=state))
    story.tell(a.a_fact_of(facts.SnoozeRequested, 0.01, "in_2", who="ada", until=a.at(days=20)))
    for read in story.reads():
        story.tell(a.a_reading(read.id, a.at(hours=0.1), a.HARD, read.invoice, state=a.a_state(subscription="sub")))
    assert [(mail.invoice, mail.also) for mail in story.mails()] == [("in_1", ())]


@pytest.mark.parametrize(
    ("hold", "named"),
    [(None, True), (Hold("snoozed", a.at(hours=1)), True), (Hold("snoozed", a.at(hours=3)), False), (Hold("stopped"), False)],
)
@pytest.mark.parametrize("key", ["", "in_2"])
def test_a_mail_names_the_other_invoices_that_nobody_wants_left_alone(hold: Hold | None, key: str, named: bool) -> None:
    """B15, B60."""
    lead, other = (a.a_case(invoice=name, status="dunning", dunning_from=a.START) for name in ("in_1", "in_2"))
    row = a.a_customer(lead, other, holds={key: hold} if hold is not None else {})
    turn = Transition(row, a.a_tick(a.at(hours=2)), a.at(hours=2), a.an_account())
    assert [owed.invoice for owed in contact_frequency.also(turn, lead)] == (["in_2"] if named else [])


def test_the_pause_between_mails_counts_from_the_sending() -> None:
    """B54: the mail server took the first mail 15 hours after it was asked for."""
    story = Story().opened(a.HARD)
    story.now = a.at(hours=15)
    story.mail_answered()
    story.second_failure(a.at(hours=16))
    story.until(a.at(hours=34.9))
    assert len(story.mails()) == 1
    story.until(a.at(hours=35))
    assert len(story.mails()) == 2


def test_a_mail_in_doubt_counts_from_when_it_was_asked_for() -> None:
    """B172."""
    story = Story().opened(a.HARD)
    story.now = a.at(hours=15)
    story.mail_answered("unknown")
    story.second_failure(a.at(hours=16))
    story.until(a.at(hours=20, days=0.01))
    assert len(story.mails()) == 2


def test_a_snoozed_invoice_is_neither_named_nor_joined_until_the_snooze_is_over() -> None:
    """B60."""
    story = Story().opened(a.HARD)
    story.mail_answered()
    story.second_failure(a.at(hours=1))
    story.tell(SnoozeRequested(**a.header("s", a.at(hours=2), "in_1"), who="dana", until=a.at(hours=30)))
    story.until(a.at(hours=25))
    story.mail_answered()
    assert [(mail.invoice, mail.also) for mail in story.mails()[1:]] == [("in_2", ())]
    story.until(a.at(days=9))
    assert story.mails()[2].also != (), "now both are named again"


def test_a_case_that_only_waits_for_its_end_is_named_and_gets_no_fourth_mail() -> None:
    story = Story().opened(a.HARD)
    for days in (0, 3, 7):
        story.until(a.at(days=days))
        story.mail_answered()
    story.second_failure(a.at(days=13.5), a.at(days=14))
    assert (story.case().status, story.mails()[-1].invoice) == ("abandoned", "in_2")
    assert all(mail.step <= 3 for mail in story.mails())
