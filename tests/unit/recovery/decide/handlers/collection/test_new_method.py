"""A new or renewed card while a case is open."""

from datetime import datetime, timedelta

import msgspec
import pytest

from recovery.contracts.facts import Card, CustomerChanged, Decline, MethodChanged, SubscriptionChanged
from recovery.decide.transition import MARGIN, VALID
from recovery.policy import RetryPolicy
from tests.support import builders as a
from tests.support.story import Story


def test_a_new_card_is_tried_also_after_the_window() -> None:
    """B35."""
    story = Story(a.an_account(a.a_policy(retry=RetryPolicy(window_days=2)))).opened()
    story.days(1)
    story.charge_answered()
    story.mail_answered()
    story.new_card("evt_m", a.at(days=3.5), a.MASTERCARD)
    assert [charge.because for charge in story.charges()] == ["ladder_1", "new_method"]


def test_a_renewed_card_is_no_longer_barred() -> None:
    """B22, B38."""
    story = Story().opened(Decline(decline_code="lost_card"))
    story.mail_answered()
    assert story.customer is not None
    assert story.customer.barred == ["fp_visa"]
    story.new_card("evt_m", a.at(days=1), a.VISA)
    assert not story.charges()  # the lost card itself, attached again
    story.tell(MethodChanged(**a.header("evt_m2", a.at(days=2), ""), card=a.VISA, how="automatically_updated"))
    assert len(story.charges()) == 1


def test_a_new_card_is_tried_before_the_case_is_given_up() -> None:
    """B35: Stripe is about to try, so ours waits, and the end with it."""
    story = Story().opened(a.HARD)
    for days in (0.01, 3, 7):
        story.until(a.at(days=days))
        story.mail_answered()
    story.tell(a.a_change("evt_c", a.at(days=13), state=a.a_state(next_payment_attempt=a.at(days=14))))
    story.new_card("evt_m", a.at(days=13.9), a.MASTERCARD)
    story.until(a.at(days=14.4))
    assert story.last("case_updated").reason == "retry_pending"
    story.until(a.at(days=14.5))
    assert [charge.occurred_at for charge in story.charges()] == [a.at(days=14.5)]


def test_a_renewed_card_that_stripe_charged_is_credited_to_the_updater() -> None:
    """B38; a failure after the renewal takes the credit away."""
    renewed = MethodChanged(**a.header("evt_m", a.at(hours=2), ""), card=a.VISA, how="automatically_updated")
    story = Story().opened()
    story.tell(renewed)
    story.tell(a.a_payment("evt_p", a.at(hours=3)))
    assert story.last("payment_recovered").recovered_by == "account_updater"
    story = Story().opened()
    story.tell(renewed)
    story.tell(a.a_failure("evt_2", a.at(hours=3)))
    story.tell(a.a_payment("evt_p", a.at(hours=4)))
    assert story.last("payment_recovered").recovered_by == "stripe_retry"


def test_a_new_card_is_tried_once_at_once() -> None:
    """B35, B22: the hard decline was the old card's."""
    story = Story().opened(a.HARD)
    story.mail_answered()
    story.new_card("evt_m", a.at(days=1))
    assert [charge.because for charge in story.charges()] == ["new_method"]
    story.charge_answered("declined", decline=a.HARD, card=a.MASTERCARD)
    story.until(a.at(days=3))
    assert len(story.charges()) == 1
    assert [mail.step for mail in story.mails()] == [1, 2]


def test_a_card_older_than_the_failure_is_not_a_new_one() -> None:
    """B3: the webhook of a card attached before the failure comes late."""
    story = Story().opened(a.HARD)
    story.new_card("evt_m", a.at(hours=-1), a.MASTERCARD)
    assert not story.charges()
    assert story.events[-1].reason == "method_older_than_failure"


def test_a_planned_retry_gives_way_to_the_new_card() -> None:
    """B35: no double fire."""
    story = Story().opened()
    story.new_card("evt_m", a.at(hours=20), a.MASTERCARD)
    story.new_card("evt_m2", a.at(hours=20.5), a.MASTERCARD)
    story.until(a.at(hours=30))
    assert len(story.charges()) == 1


def test_a_spent_ladder_is_not_opened_again_by_a_new_card() -> None:
    story = Story().opened()
    for hours in (24, 72, 144):
        story.until(a.at(hours=hours))
        story.charge_answered()
    story.new_card("evt_m", story.now, a.MASTERCARD)
    assert len(story.charges()) == 3
    assert story.last("case_updated").reason == "method_changed"
    assert story.case().retry_at is None


def test_a_look_at_the_old_cards_decline_does_not_stop_the_new_card() -> None:
    """B35: the same failure, told with other words by another object of Stripe."""
    story = Story().opened(a.HARD)
    story.mail_answered("skipped", "disputed")
    story.tell(a.a_change("evt_c", a.at(hours=2), state=a.a_state(next_payment_attempt=a.at(hours=5))))
    story.new_card("evt_m", a.at(hours=3), a.MASTERCARD)
    told = Decline(code="expired_card", decline_code="expired_card", intent_status="requires_payment_method")
    story.tell(a.a_reading(story.reads()[-1].id, a.at(hours=4), told, state=a.a_state(next_payment_attempt=a.at(hours=5))))
    story.until(a.at(hours=17))
    assert [charge.because for charge in story.charges()] == ["new_method"]


def test_no_payment_method_at_all_is_written_about_and_then_tried() -> None:
    """stripe.md 1.2 step 1."""
    story = Story().opened(Decline(intent_status="requires_payment_method"), attempts=(), card=None)
    assert (story.case().status, story.last("decline_classified").reason) == ("dunning", "no_payment_method")
    story.mail_answered()
    story.new_card("evt_m", a.at(days=1), a.VISA)
    assert len(story.charges()) == 1


def attached(id: str, when: datetime, card: Card = a.MASTERCARD) -> MethodChanged:
    return MethodChanged(**a.header(id, when, ""), card=card, how="attached")


def of_subscription(id: str, when: datetime, method: str) -> SubscriptionChanged:
    told = {"subscription": a.SUBSCRIPTION, "status": "past_due", "own_method": method, "own_method_changed": True}
    return SubscriptionChanged(**a.header(id, when, ""), **told)


def test_a_new_default_card_does_not_help_an_invoice_that_is_charged_with_another() -> None:
    """B36: the subscription names a card of its own; what was hard stays hard."""
    story = Story().opened(a.HARD, subscription_method="pm_old")
    story.mail_answered()
    story.tell(attached("evt_m", a.at(days=1), msgspec.structs.replace(a.MASTERCARD, method="pm_new")))
    story.tell(CustomerChanged(**a.header("evt_c", a.at(days=1), ""), default_method_changed=True, default_method="pm_new"))
    story.until(a.at(days=2))
    assert not story.charges()
    assert [event.reason for event in story.events if event.details.get("charged") == "pm_old"] == ["other_method_charged"]


def test_the_card_that_the_subscription_names_is_renewed_and_helps() -> None:
    """B36, B38."""
    story = Story().opened(a.HARD, subscription_method="pm_old")
    card = msgspec.structs.replace(a.VISA, method="pm_old")
    story.tell(MethodChanged(**a.header("evt_m", a.at(days=1), ""), card=card, how="automatically_updated"))
    story.mail_answered()
    assert [charge.because for charge in story.charges()] == ["new_method"]


def test_another_card_named_by_the_subscription_is_tried_at_once() -> None:
    """B36: the field that failed was updated; a second webhook about it changes nothing."""
    story = Story().opened(a.HARD, subscription_method="pm_old")
    story.mail_answered()
    story.tell(of_subscription("evt_s", a.at(days=1), "pm_new"))
    story.charge_answered("declined", decline=a.HARD, card=a.MASTERCARD)
    story.tell(SubscriptionChanged(**a.header("evt_s2", a.at(days=1.1), ""), subscription=a.SUBSCRIPTION, status="past_due"))
    assert [charge.because for charge in story.charges()] == ["new_method"]
    assert story.case().subscription_method == "pm_new"


def test_a_subscription_that_names_no_card_any_more_is_charged_with_the_customers() -> None:
    """B36: the read told which one that is."""
    story = Story().opened(a.HARD, subscription_method="pm_old", customer_method="pm_default")
    story.mail_answered()
    story.tell(of_subscription("evt_s", a.at(days=1), ""))
    assert [charge.because for charge in story.charges()] == ["new_method"]


def test_a_subscription_whose_card_was_removed_has_no_new_one() -> None:
    """B36: the customer has no default either, so there is less to charge than before."""
    story = Story().opened(a.HARD, subscription_method="pm_old")
    story.mail_answered()
    story.tell(of_subscription("evt_s", a.at(days=1), ""))
    assert not story.charges()
    assert story.events[-1].reason == "method_removed"


def test_a_default_that_was_removed_is_no_new_card() -> None:
    """B36."""
    story = Story().opened(a.HARD)
    story.mail_answered()
    story.tell(CustomerChanged(**a.header("evt_gone", a.at(days=1), "")))
    story.tell(CustomerChanged(**a.header("evt_odd", a.at(days=1.1), ""), default_method_changed=True, default_method=""))
    assert not story.charges()
    assert "method_changed" not in [event.reason for event in story.events]


def test_an_attached_card_is_not_charged_before_it_is_the_default() -> None:
    """B22, B36: our retry names no method, so Stripe would charge the old card; the default may be told before or after."""
    new = msgspec.structs.replace(a.MASTERCARD, method="pm_new")
    default = CustomerChanged(**a.header("evt_c", a.at(days=1), ""), default_method_changed=True, default_method="pm_new")
    story = Story().opened(Decline(decline_code="lost_card"))
    story.mail_answered()
    story.tell(attached("evt_m", a.at(days=1), new))
    assert not story.charges()
    story.tell(default)
    assert [charge.because for charge in story.charges()] == ["new_method"]
    assert story.case().card == new
    story = Story().opened(Decline(decline_code="lost_card"))
    story.mail_answered()
    story.tell(default)
    story.tell(attached("evt_m", a.at(days=1), new))
    assert len(story.charges()) == 1
    assert story.case().card == new


def test_the_method_that_failed_is_no_new_one_when_it_is_named_as_the_default() -> None:
    """B22."""
    story = Story().opened(a.HARD, card=msgspec.structs.replace(a.VISA, method="pm_old"))
    story.mail_answered()
    story.tell(CustomerChanged(**a.header("evt_c", a.at(days=1), ""), default_method_changed=True, default_method="pm_old"))
    assert not story.charges()


def test_the_older_of_two_new_defaults_is_not_tried_when_it_is_told_last() -> None:
    """B3."""
    story = Story().opened(a.HARD)
    story.mail_answered()
    story.tell(CustomerChanged(**a.header("evt_2", a.at(days=2), ""), default_method_changed=True, default_method="pm_2"))
    story.charge_answered("not_done", why="busy")
    story.tell(CustomerChanged(**a.header("evt_1", a.at(days=1), ""), default_method_changed=True, default_method="pm_1"))
    assert story.customer is not None
    assert story.customer.default_method == "pm_2"
    assert len([event for event in story.events if event.reason == "method_changed"]) == 1


def test_a_new_default_that_a_read_has_shown_before_its_event_came_is_tried_all_the_same() -> None:
    """B3, B35: the read after the failure was made a moment after the customer's change."""
    old = msgspec.structs.replace(a.VISA, method="pm_old")
    story = Story()
    story.tell(a.a_failure())
    story.tell(a.a_reading(story.reads()[-1].id, a.at(hours=0.01), a.HARD, card=old, customer_method="pm_new"))
    story.mail_answered()
    story.tell(CustomerChanged(**a.header("evt_c", a.at(hours=0.005), ""), default_method_changed=True, default_method="pm_new"))
    assert [charge.because for charge in story.charges()] == ["new_method"]
    story = Story()
    story.tell(a.a_failure())
    story.tell(a.a_reading(story.reads()[-1].id, a.at(hours=0.01), a.HARD, card=old, subscription_method="pm_new"))
    story.mail_answered()
    story.tell(of_subscription("evt_s", a.at(hours=0.005), "pm_new"))
    assert [charge.because for charge in story.charges()] == ["new_method"]


@pytest.mark.parametrize(("declined", "tried"), [("pm_old", ["ladder_1", "new_method"]), ("pm_new", ["ladder_1"]), ("", ["ladder_1"])])
def test_a_card_told_while_the_old_one_was_charged_is_tried_after_that(declined: str, tried: list[str]) -> None:
    """B35: unless the charge under way was made on the new one already, or it cannot be known."""
    story = Story().opened(card=msgspec.structs.replace(a.VISA, method="pm_old"))
    story.days(1)
    story.new_card("evt_c", a.at(days=1, hours=0.01), msgspec.structs.replace(a.MASTERCARD, method="pm_new"))
    story.now = a.at(days=1, hours=0.02)
    story.charge_answered("declined", decline=a.HARD, card=msgspec.structs.replace(a.VISA, method=declined))
    assert [charge.because for charge in story.charges()] == tried


def an_update(when: datetime, card: Card) -> MethodChanged:
    return MethodChanged(**a.header(f"evt_u{when:%d%H}", when, ""), card=card, how="expiry_changed")


def test_a_corrected_expiry_date_is_tried_once_at_once() -> None:
    """B38: the same card with another date; a date that has passed already helps nothing."""
    story = Story().opened(a.HARD)
    story.mail_answered()
    old = msgspec.structs.replace(a.VISA, method="pm_old", exp_month=1, exp_year=2026)
    story.tell(an_update(a.at(days=1), old))
    assert not story.charges()
    story.tell(an_update(a.at(days=2), msgspec.structs.replace(old, exp_year=2031)))
    story.charge_answered("declined", decline=a.HARD)
    story.until(a.at(days=20))
    assert [charge.because for charge in story.charges()] == ["new_method"]


def test_a_corrected_date_of_another_card_helps_nothing() -> None:
    """B22, B36."""
    story = Story().opened(a.HARD)
    story.mail_answered()
    story.tell(an_update(a.at(days=1), msgspec.structs.replace(a.MASTERCARD, method="pm_other", exp_month=1, exp_year=2031)))
    assert not story.charges()
    story = Story().opened(a.HARD, customer_method="pm_default")
    story.mail_answered()
    story.tell(an_update(a.at(days=1), msgspec.structs.replace(a.VISA, method="pm_other", exp_month=1, exp_year=2031)))
    assert not story.charges()


def test_a_renewal_older_than_the_decline_does_not_lift_the_bar() -> None:
    """B3, B22."""
    story = Story().opened(Decline(decline_code="lost_card"))
    story.tell(MethodChanged(**a.header("evt_m", a.at(days=-1), ""), card=a.VISA, how="automatically_updated"))
    assert story.customer is not None
    assert story.customer.barred == ["fp_visa"]


def test_what_the_subscription_named_before_the_look_is_older() -> None:
    """B3, B36: the look, at its start, showed the card of today."""
    story = Story().opened(a.HARD, subscription_method="pm_new")
    story.mail_answered()
    story.tell(of_subscription("evt_s", a.START, "pm_old"))
    assert not story.charges()
    assert story.case().subscription_method == "pm_new"


def test_the_invoices_own_card_comes_before_the_subscriptions() -> None:
    """B36."""
    state = a.a_state(own_method="pm_invoice")
    story = Story().opened(a.HARD, state=state, subscription_method="pm_old")
    story.mail_answered()
    story.tell(of_subscription("evt_s", a.at(days=1), "pm_new"))
    assert not story.charges()
    story.tell(a.a_change("evt_same", a.at(days=1), state=state))
    assert not story.charges()
    story.tell(a.a_change("evt_own", a.at(days=2), state=a.a_state(own_method="pm_new")))
    assert [charge.because for charge in story.charges()] == ["new_method"]


def test_a_barred_card_stays_barred_when_it_becomes_the_default() -> None:
    """B22: that it is the default now does not tell its fingerprint, but it was told when the card was attached."""
    story = Story().opened(Decline(decline_code="lost_card"))
    story.mail_answered()
    lost = msgspec.structs.replace(a.VISA, method="pm_lost")
    story.tell(attached("evt_m", a.at(days=1), lost))
    story.tell(CustomerChanged(**a.header("evt_c", a.at(days=1), ""), default_method_changed=True, default_method="pm_lost"))
    assert not story.charges()
    story.tell(CustomerChanged(**a.header("evt_c2", a.at(days=2), ""), default_method_changed=True, default_method="pm_other"))
    assert len(story.charges()) == 1


def several() -> Story:
    """Three invoices of a customer, the one that failed first told last."""
    story = Story()
    for invoice, failed in (("in_2", a.at(hours=2)), ("in_3", a.at(hours=3)), ("in_1", a.at(hours=1))):
        state = a.a_state(subscription=f"sub_{invoice}")
        story.tell(a.a_failure(f"evt_{invoice}", failed, invoice, state=state))
        attempts = (a.an_attempt(f"ch_{invoice}", failed),)
        story.tell(a.a_reading(story.reads()[-1].id, a.at(hours=4), invoice=invoice, state=state, attempts=attempts))
    return story


def test_after_a_new_card_all_open_invoices_are_tried_the_oldest_first_and_one_after_the_other() -> None:
    """B37: each when the one before has its answer, whatever that is."""
    story = several()
    story.new_card("evt_m", a.at(hours=5))
    assert [charge.invoice for charge in story.charges()] == ["in_1"]
    assert {event.invoice for event in story.events if event.reason == "one_after_the_other"} == {"in_2", "in_3"}
    story.now = a.at(hours=5.1)
    story.charge_answered("succeeded", card=a.MASTERCARD)
    assert [charge.invoice for charge in story.charges()] == ["in_1", "in_2"]
    story.charge_answered("declined", card=a.MASTERCARD)
    assert [charge.invoice for charge in story.charges()] == ["in_1", "in_2", "in_3"]
    story.charge_answered("succeeded", card=a.MASTERCARD)
    story.until(a.at(hours=20))
    assert [charge.because for charge in story.charges()] == ["new_method"] * 3


def test_an_invoice_that_waits_for_an_older_one_is_not_left_behind_when_no_answer_comes() -> None:
    """B37, B40."""
    story = several()
    story.new_card("evt_m", a.at(hours=5))
    story.until(a.at(hours=5) + VALID + MARGIN)
    assert [charge.invoice for charge in story.charges()] == ["in_1", "in_2"]


def test_an_older_invoice_that_ends_lets_the_next_one_go() -> None:
    """B37."""
    story = several()
    story.new_card("evt_m", a.at(hours=5))
    story.tell(a.a_payment("evt_p", a.at(hours=6), "in_1"))
    assert [charge.invoice for charge in story.charges()] == ["in_1", "in_2"]


def test_a_subscriptions_method_that_is_removed_before_it_was_charged_is_not_tried_and_the_failed_one_neither() -> None:
    """B22, B36: a charge would fall on the method that failed, so the request is withdrawn and a read tells what is charged now."""
    story = Story().opened(a.HARD)
    story.until(a.at(hours=4))
    story.mail_answered()
    told = {"subscription": a.SUBSCRIPTION, "status": "past_due", "own_method_changed": True}
    story.tell(SubscriptionChanged(**a.header("evt_m", a.at(hours=5), ""), **told, own_method="pm_new"))
    (charge,) = story.charges()
    story.tell(SubscriptionChanged(**a.header("evt_n", a.at(hours=5.1), ""), **told, own_method=""))
    assert charge.id in story.withdrawals()
    story.until(a.at(hours=6))
    assert len(story.reads()) == 2
    assert story.charges() == [charge]


def test_a_method_attached_is_not_one_renewed_by_its_network():
    """B38, F60: it decides who is credited."""
    story = Story().opened(a.HARD)
    story.new_card("evt_m", a.at(hours=1))
    assert story.case().method == "attached"
    story = Story().opened(a.HARD)
    story.tell(MethodChanged(**a.header("evt_m", a.at(hours=1), ""), card=a.VISA, how="automatically_updated"))
    assert story.case().method == "automatically_updated"


@pytest.mark.parametrize("state", ["not read yet", "charging", "processing"])
def test_a_new_card_waits_for_what_is_under_way(state: str) -> None:
    """B35: no second charge beside one that is being made or decided."""
    story = Story()
    if state == "not read yet":
        story.tell(a.a_failure())
    else:
        story.opened()
        story.days(1)
    if state == "processing":
        story.charge_answered("processing")
    before = len(story.charges())
    story.new_card("m", story.now + timedelta(hours=1), a.MASTERCARD)
    assert (story.events[-1].reason, len(story.charges())) == ("method_changed", before)
