"""What events say, word for word, and rules that only a rare fact meets: what mutation testing had found without a row."""

from datetime import timedelta
from typing import Any

import pytest

from recovery.contracts import facts
from recovery.contracts.events import Event
from recovery.decide.handlers.account import account_changed
from recovery.policy import Budgets, EndPolicy, PreventionPolicy, RetryPolicy, SmsPolicy
from tests.support import builders as a
from tests.support.story import Story

TEXTS = a.a_policy(sms=SmsPolicy(enabled=True))


def told(kind: Any, hours: float = 1, invoice: str = a.INVOICE, **fields: Any) -> Any:
    """A fact of this kind."""
    return kind(**a.header(f"{kind.__name__}-{hours}", a.at(hours=hours), invoice), **fields)


def said(event: Event) -> tuple[str, str, str, str, dict[str, str]]:
    return event.event_type, event.reason, event.effect, event.result, event.details


EFFECT = {"effect": "acct_1.in_1.alert.1"}
ALERT = {**EFFECT, "medium": "slack", "event_type": "payment_failed"}
HOOK = {"effect": "acct_1.in_1.webhook-shop.1", "endpoint": "shop", "event": "0-7-1", "event_type": "payment_failed", "tries": 3}
HOOKED = {"endpoint": "shop", "event": "0-7-1", "event_type": "payment_failed", "tries": "3"}
ECHO = {"effect": "acct_1.in_1.message.2", "medium": "sms", "message": "SM1"}
ECHOED = {"medium": "sms", "message": "SM1"}


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        (
            told(facts.AlertSettled, **ALERT, result="sent", message="<1>"),
            ("alert_sent", "", ALERT["effect"], "sent", {"medium": "slack", "event": "payment_failed", "message": "<1>"}),
        ),
        (
            told(facts.AlertSettled, **ALERT, result="skipped", why="no_address"),
            ("alert_skipped", "no_address", ALERT["effect"], "skipped", {"medium": "slack", "event": "payment_failed"}),
        ),
        (
            told(facts.AlertSettled, **ALERT, result="failed"),
            ("alert_skipped", "failed", ALERT["effect"], "failed", {"medium": "slack", "event": "payment_failed"}),
        ),
        (
            told(facts.WebhookSettled, **HOOK, result="delivered", status=204),
            ("webhook_delivered", "", HOOK["effect"], "delivered", HOOKED | {"status": "204"}),
        ),
        (
            told(facts.WebhookSettled, **HOOK, result="failed", why="gone"),
            ("webhook_delivery_failed", "gone", HOOK["effect"], "failed", HOOKED),
        ),
        (told(facts.WebhookSettled, **HOOK, result="skipped"), ("webhook_delivery_failed", "skipped", HOOK["effect"], "skipped", HOOKED)),
        (
            told(facts.EndpointDisabled, endpoint="shop", why="410 for a day"),
            ("endpoint_disabled", "endpoint_fails", "", "", {"endpoint": "shop", "why": "410 for a day"}),
        ),
        (told(facts.MessageDelivered, **ECHO), ("message_delivered", "", ECHO["effect"], "", ECHOED)),
        (told(facts.MessageUndelivered, **ECHO, why="30003"), ("message_undelivered", "30003", ECHO["effect"], "", ECHOED)),
        (told(facts.MessageUndelivered, **ECHO), ("message_undelivered", "failed", ECHO["effect"], "", ECHOED)),
        (
            told(facts.MessageOpened, effect="e.1", contact="desk", machine="agent"),
            ("message_opened", "machine_agent", "e.1", "", {"medium": "email", "contact": "desk"}),
        ),
        (
            told(facts.MessageClicked, effect="e.1", contact="desk"),
            ("message_clicked", "", "e.1", "", {"medium": "email", "contact": "desk"}),
        ),
        (
            told(facts.MessageReceived, word="help", message="SM2"),
            ("message_received", "text_help", "", "", {"medium": "sms", "message": "SM2", "word": "help"}),
        ),
        (
            told(facts.MessageBounced, hard=True, contact="desk", why="550"),
            ("contact_changed", "other_contact_bounced", "", "", {"medium": "email", "why": "550"}),
        ),
        (told(facts.MessageBounced, hard=True, remaining=1), ("contact_changed", "first_contact_bounced", "", "", {"medium": "email"})),
        (
            told(facts.RetryRequested, invoice="in_x", who="ada"),
            ("command_refused", "no_open_case", "", "", {"command": "retry_requested", "who": "ada"}),
        ),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_an_event_says_what_the_fact_said(fact: Any, words: Any, known: bool) -> None:
    """F61, B93: on the row of a customer with a case, and without a row."""
    story = Story().opened() if known else Story()
    story.tell(fact)
    event = next(event for event in reversed(story.events) if event.event_type == words[0])
    assert said(event)[:2] + said(event)[3:] == words[:2] + words[3:]
    assert event.effect == words[2] or words[0] == "contact_changed"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"action": "cancel", "result": "not_done", "why": "already_paid"}, ("end_action_skipped", "already_paid")),
        ({"action": "cancel", "result": "done"}, ("end_action_performed", "cancel")),
    ],
)
def test_what_became_of_the_end_action_is_told(fields: dict[str, Any], words: tuple[str, str]) -> None:
    """B73."""
    story = Story(a.an_account(a.a_policy(end=EndPolicy(action="cancel")))).opened()
    story.tell(told(facts.SubscriptionEndSettled, effect="e.end.1", **fields))
    event = story.last(words[0])
    assert said(event) == (*words, "e.end.1", "", {"action": "cancel"})
    assert Story().tell(told(facts.SubscriptionEndSettled, effect="e.end.1", **fields)).events[-1].reason == "no_case"


def test_a_charge_that_paid_more_than_was_known_counts_what_the_invoice_says() -> None:
    story = Story().opened()
    story.days(1)
    story.charge_answered("succeeded", state=a.a_state("paid", amount=5100))
    assert story.last("payment_recovered").recovered_minor == 5100


def test_a_charge_held_back_by_a_pause_is_made_after_it() -> None:
    """B45."""
    story = Story().opened()
    story.days(1)
    story.charge_answered("not_done", why="account_paused")
    planned = story.last("retry_scheduled")
    assert planned.reason == "account_paused"
    assert planned.next_action_at is not None
    assert timedelta(hours=1) <= planned.next_action_at - story.now <= timedelta(hours=2)


def test_stripes_next_attempt_counts_only_while_stripe_collects() -> None:
    """B29."""
    story = Story().opened()
    story.days(1)
    state = a.a_state(auto_advance=False, next_payment_attempt=a.at(days=1, hours=3))
    story.charge_answered("not_done", why="refused: not today", state=state)
    assert story.case().stripe_next is None


def test_a_full_card_budget_waits_until_it_is_free_within_the_window() -> None:
    """B31."""
    budgets = Budgets(visa_30_days=1, per_invoice=20)
    story = Story(a.an_account(a.a_policy(budgets=budgets, retry=RetryPolicy(window_days=40)))).opened()
    story.days(1)
    assert story.last("retry_skipped").reason == "card_budget"
    assert story.case().status == "retrying"
    story.until(a.at(days=30, hours=1))
    assert len(story.charges()) == 1


@pytest.mark.parametrize("amount", [100, 4900])
def test_a_failed_charge_of_another_amount_tells_nothing_about_the_invoice(amount: int) -> None:
    """stripe.md 3.3."""
    story = Story()
    story.tell(a.a_failure())
    card = facts.Card(fingerprint="fp_9", brand="visa")
    story.tell(told(facts.IntentFailed, 0.01, "", payment_intent="pi_1", amount_minor=amount, currency="eur", decline=a.HARD, card=card))
    assert story.case().decline == (a.HARD if amount == 4900 else None)
    assert story.case().card == (card if amount == 4900 else None)


@pytest.mark.parametrize(("status", "counted"), [("not_sent_to_network", 0), ("declined_by_network", 1)])
def test_a_charge_that_never_reached_the_network_is_not_counted(status: str, counted: int) -> None:
    """B23."""
    story = Story()
    story.tell(a.a_failure())
    decline = facts.Decline(code="card_declined", network_status=status)
    story.tell(told(facts.ChargeFailed, 0.01, charge="ch_9", amount_minor=1, currency="eur", decline=decline, card=a.VISA))
    row = story.customer
    assert row is not None
    assert len([one for one in row.attempts if one.charge == "ch_9"]) == counted


def test_a_refund_without_its_charge_is_that_of_the_invoice_named() -> None:
    """F67."""
    story = Story().opened()
    story.tell(a.a_payment("evt_p", a.at(hours=1)))
    story.tell(told(facts.ChargeRefunded, 2, charge="", amount_refunded=4900, currency="eur"))
    assert (story.last("recovery_reversed").result, story.last("recovery_reversed").recovered_minor) == ("refund", 4900)


def test_a_mail_that_failed_for_good_leaves_room_for_another() -> None:
    """B54."""
    story = Story().opened(a.HARD)
    story.mail_answered("failed", "550")
    row = story.customer
    assert row is not None
    assert row.mails == {}


def suppressed(story: Story) -> dict[str, str]:
    row = story.customer
    assert row is not None
    assert row.contact is not None
    return row.contact.suppressed


def texted() -> Story:
    """The text of the first step is under way."""
    story = Story(a.an_account(TEXTS))
    story.tell(told(facts.ConsentGiven, 0, "", proof="form", zone="UTC"))
    story.opened(a.HARD)
    story.mail_answered()
    assert story.messages()[-1].medium == "sms"
    return story


def test_a_text_that_was_sent_says_so() -> None:
    """F22."""
    story = texted()
    effect = story.messages()[-1].id
    story.tell(a.a_mail_outcome(effect, story.now, medium="sms", message="SM1"))
    sent = story.last("dunning_sent")
    assert (sent.effect, sent.details) == (effect, {"step": "1", "medium": "sms", "message": "SM1"})
    assert sent.reason != "after_withdrawal"


def test_a_mail_that_is_unwanted_does_not_take_back_a_text() -> None:
    """B53: a complaint closes the medium that it came by."""
    story = texted()
    story.tell(told(facts.MessageComplained, 1, ""))
    assert story.withdrawals() == []


def test_a_consent_taken_back_takes_back_the_text_and_the_one_that_waits() -> None:
    """B53."""
    story = texted()
    effect = story.messages()[-1].id
    story.tell(told(facts.ConsentWithdrawn, 1, ""))
    assert story.withdrawals() == [effect]
    assert story.last("effect_withdrawn").reason == "consent_withdrawn"
    assert story.case().sms_at is None


def test_one_medium_is_allowed_again_and_the_other_stays_closed() -> None:
    """B53."""
    story = Story()
    story.tell(told(facts.ContactSuppressed, 1, "", medium="email", who="ada"))
    story.tell(told(facts.ContactSuppressed, 2, "", medium="sms", who="ada"))
    story.tell(told(facts.ContactAllowed, 3, "", medium="sms", who="ada"))
    assert suppressed(story) == {"email": "do_not_contact"}


def test_a_new_address_lifts_only_the_mails_bounce() -> None:
    """B53."""
    story = Story()
    story.tell(told(facts.MessageBounced, 1, "", hard=True, medium="sms"))
    story.tell(told(facts.CustomerChanged, 2, "", email_changed=True))
    assert suppressed(story) == {"sms": "bounced"}


def test_who_leaves_ends_what_a_person_had_stopped_and_nothing_else() -> None:
    """B67: it cannot be resumed any more; a case that was given up keeps its reason."""
    story = Story().opened(a.HARD)
    story.days(60)
    story.tell(a.a_failure("evt_2", story.now, "in_2"))
    story.tell(told(facts.StopRequested, 24 * 60 + 1, "in_2", who="ada"))
    story.tell(told(facts.CustomerDeleted, 24 * 60 + 2, ""))
    assert (story.case().reason, story.case("in_2").reason) == ("dunning_exhausted", "customer_deleted")
    assert (story.last("case_updated").invoice, story.last("case_updated").reason) == ("in_2", "customer_deleted")


@pytest.mark.parametrize(("ending", "why"), [(True, "at_period_end"), (False, "canceled")])
def test_a_cancellation_tells_of_which_kind_it_was(ending: bool, why: str) -> None:
    """B67, B68."""
    story = Story().opened()
    status = "past_due" if ending else "canceled"
    story.tell(told(facts.SubscriptionChanged, 1, "", subscription=a.SUBSCRIPTION, status=status, cancel_at_period_end=ending))
    assert story.last("case_closed").details == {"why": why}


def test_an_offered_plan_keeps_its_propensity() -> None:
    """B85."""
    story = Story().opened()
    slots = (facts.Slot(at=a.at(days=2)),)
    story.tell(told(facts.RetryTimesOffered, 1, slots=slots, source="model", propensity=0.25))
    offer = story.case().retry_offer
    assert offer is not None
    assert offer.propensity == 0.25


def test_a_text_goes_by_the_cards_country_where_only_that_is_known_and_no_mail_may_go() -> None:
    """B52, B53."""
    story = Story(a.an_account(TEXTS))
    story.tell(told(facts.ConsentGiven, 0, "", proof="form"))
    story.tell(told(facts.MessageBounced, 0.1, "", hard=True))
    story.opened(a.HARD)
    assert story.case().active, "there is a way to write"


def test_a_text_that_may_not_go_says_which_medium() -> None:
    """F61."""
    story = Story(a.an_account(TEXTS)).opened(a.HARD)
    story.mail_answered()
    skipped = story.last("dunning_skipped")
    assert (skipped.reason, skipped.details) == ("no_consent", {"step": "1", "medium": "sms"})


def test_a_refusal_about_one_invoice_is_told_in_its_story() -> None:
    """B93."""
    story = Story().opened()
    story.tell(told(facts.SnoozeRequested, 1, who="ada", until=a.START))
    refused = story.last("command_refused")
    assert (refused.invoice, refused.reason) == (a.INVOICE, "until_in_the_past")
    assert refused.sequence > 0


def partly_paid(hours: float, paid: int) -> Any:
    state = a.a_state(paid=paid)
    return told(facts.InvoicePaymentSucceeded, hours, state=state, request_id="req_1")


def test_two_parts_by_one_cause_are_one_sum_of_it() -> None:
    """F60."""
    story = Story().opened()
    story.tell(partly_paid(1, 1000))
    story.tell(partly_paid(2, 1900))
    assert story.case().recovered_by_cause == {"customer": 1900}


def test_only_the_retry_that_was_asked_for_is_by_hand() -> None:
    """B93: the next one is that of the ladder again."""
    story = Story().opened()
    story.tell(told(facts.RetryRequested, 2, who="ada"))
    story.charge_answered()
    story.until(a.at(days=4))
    assert [charge.because for charge in story.charges()] == ["by_hand", "ladder_2"]


def test_a_look_that_failed_says_why_and_which_it_was() -> None:
    story = Story()
    story.tell(a.a_failure())
    effect = story.reads()[-1].id
    story.tell(a.no_reading(effect, a.at(hours=0.1), "timeout"))
    assert said(story.last("read_failed")) == ("read_failed", "read_failed", effect, "", {"why": "timeout"})
    story.until(a.at(hours=2))
    effect = story.reads()[-1].id
    story.until(a.at(days=2))
    failed = next(event for event in story.events if event.event_type == "read_failed" and event.effect == effect)
    assert failed.reason == "unanswered"
    story.tell(a.no_reading(story.reads()[-1].id, story.now, "gone: 404", gone=True))
    assert story.last("read_failed").reason == "gone"


def test_a_mail_that_nobody_answered_for_says_which_step_it_was() -> None:
    story = Story().opened(a.HARD)
    story.days(1.1)
    assert said(story.last("dunning_skipped"))[1:] == ("unanswered", "", "", {"step": "1"})


def test_a_step_that_is_passed_over_says_which_it_was() -> None:
    story = Story(a.an_account(a.a_policy("observe"))).opened(a.HARD)
    assert said(story.last("dunning_skipped"))[1:] == ("observe_mode", "", "", {"step": "1"})


def test_a_notice_that_is_not_sent_says_which_and_why() -> None:
    """B48: the account was set to observe after the reminder."""
    story = Story().opened(a.HARD)
    story.mail_answered()
    story.account = a.an_account(a.a_policy("observe"))
    story.tell(a.a_payment("evt_p", a.at(hours=1)))
    assert said(story.last("transactional_mail_skipped")) == (
        "transactional_mail_skipped",
        "observe_mode",
        "",
        "",
        {"template": "payment_recovered"},
    )


@pytest.mark.parametrize("known", [True, False])
def test_a_webhook_set_aside_says_what_it_was(known: bool) -> None:
    story = Story().opened() if known else Story()
    story.tell(told(facts.WebhookParked, 1, "", event_type="invoice.paid", why="invoice.status is missing."))
    assert story.last("webhook_parked").details == {"webhook": "invoice.paid"}
    assert story.last("webhook_parked").reason == "invoice.status is missing."


def test_an_invoice_that_the_bank_sent_back_is_told_as_such_and_begins_with_its_own_decline() -> None:
    """B72."""
    story = Story().opened()
    story.tell(a.a_payment("evt_p", a.at(hours=1)))
    story.tell(a.a_failure("evt_again", a.at(days=3), decline=a.HARD))
    back = story.last("recovery_reversed")
    assert (back.reason, back.result, back.recovered_minor) == ("bank_return", "bank_return", 4900)
    assert story.case().decline == a.HARD


def test_waits_that_people_asked_for_add_up() -> None:
    """B60: neither uses up the window."""
    story = Story().opened()
    story.tell(told(facts.SnoozeRequested, 1, who="ada", until=a.at(days=5)))
    story.until(a.at(days=5, hours=2))
    story.charge_answered("not_done", why="refused: not today")
    first = story.case().snoozed_seconds
    story.tell(told(facts.SnoozeRequested, 24 * 5 + 2.5, who="ada", until=a.at(days=9)))
    story.until(a.at(days=9, hours=2))
    assert first > 0
    assert story.case().snoozed_seconds > first + timedelta(days=3).total_seconds()


def two_of(subscriptions: tuple[str, str]) -> Story:
    """Two open invoices, of these subscriptions."""
    story = Story()
    for number, subscription in enumerate(subscriptions, 1):
        state = a.a_state(subscription=subscription)
        story.tell(a.a_failure(f"evt_{number}", a.START, f"in_{number}", state=state))
        story.tell(a.a_reading(story.reads()[-1].id, a.START, invoice=f"in_{number}", state=state))
    return story


@pytest.mark.parametrize(("subscriptions", "closed"), [(("sub_a", "sub_a"), {"in_1", "in_2"}), (("sub_a", "sub_b"), {"in_1"})])
def test_a_cancellation_ends_all_invoices_of_its_subscription_and_no_others(subscriptions: tuple[str, str], closed: set[str]) -> None:
    """B67, B68."""
    story = two_of(subscriptions)
    ends = {"subscription": "sub_a", "status": "past_due", "cancel_at_period_end": True}
    story.tell(told(facts.SubscriptionChanged, 1, "", **ends))
    assert {event.invoice for event in story.events if event.event_type == "case_closed"} == closed


def test_a_consent_keeps_the_telephones_country() -> None:
    """B52."""
    story = Story()
    story.tell(told(facts.ConsentGiven, 1, "", proof="form", country="DE"))
    row = story.customer
    assert row is not None
    assert row.contact is not None
    assert row.contact.consent["sms"].country == "DE"


def test_a_refund_that_names_only_its_charge_finds_what_our_retry_brought() -> None:
    """F67."""
    story = Story().opened()
    story.days(1)
    story.charge_answered("succeeded", charge="ch_ours", state=a.a_state("paid"))
    story.tell(told(facts.ChargeRefunded, 30, "", charge="ch_ours", amount_refunded=4900, currency="eur"))
    assert story.last("recovery_reversed").invoice == a.INVOICE


def test_a_charge_that_was_read_names_its_invoice() -> None:
    """B72: a dispute about a charge that only Stripe can tell whose it is."""
    story = Story().opened()
    story.tell(a.a_payment("evt_p", a.at(hours=1)))
    money = {"charge": "ch_other", "amount_minor": 4900, "currency": "eur", "disputed_minor": 4900, "dispute_reason": "fraudulent"}
    story.tell(told(facts.ChargeRead, 2, effect="e.read.1", **money))
    assert (story.last("recovery_reversed").invoice, story.last("recovery_reversed").result) == (a.INVOICE, "dispute")


def test_an_invoice_that_somebody_wants_left_alone_is_not_named_in_the_mail_about_another() -> None:
    """B60: the stop of the one, not that of the other."""
    story = Story()
    for number in (1, 2):
        state = a.a_state(subscription=f"sub_{number}")
        story.tell(a.a_failure(f"evt_{number}", a.START, f"in_{number}", state=state))
    story.tell(told(facts.SnoozeRequested, 0.01, "in_2", who="ada", until=a.at(days=20)))
    for read in story.reads():
        story.tell(a.a_reading(read.id, a.at(hours=0.1), a.HARD, read.invoice, state=a.a_state(subscription="sub")))
    assert [(mail.invoice, mail.also) for mail in story.mails()] == [("in_1", ())]


def test_two_cards_that_expire_are_both_written_about() -> None:
    """F68: the one that is refused does not hold back the other."""
    story = Story(a.an_account(a.a_policy(prevention=PreventionPolicy(enabled=True))))
    for number in (1, 2):
        card = facts.Card(fingerprint=f"fp_{number}", brand="visa", exp_month=3, exp_year=2026)
        charge = {"next_charge_at": a.at(days=40), "amount_minor": 4900, "currency": "eur"}
        story.tell(told(facts.CardExpiring, number, "", card=card, subscription=f"sub_{number}", **charge))
    story.until(a.at(days=35))
    done = [
        (event.event_type, event.subscription)
        for event in story.events
        if event.event_type in {"transactional_mail_requested", "transactional_mail_skipped"}
    ]
    assert len({subscription for _, subscription in done}) == 2


def test_a_switch_leaves_the_draft_of_the_policy_as_it_was() -> None:
    """F66."""
    account = a.an_account()
    account.draft = a.a_policy("observe")
    switch = told(facts.PauseSet, 1, "", paused=True, who="ops")
    assert account_changed(account, switch)[0].draft == account.draft
