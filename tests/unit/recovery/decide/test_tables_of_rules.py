"""Tables of small rules, each asked directly: codes, holds, appointments, and who is meant."""

from typing import Any

import pytest

from recovery.contracts import facts
from recovery.contracts.customer import ContactState, EarlyRefund, Hold, Verdict
from recovery.contracts.facts import Decline
from recovery.decide.handlers import commands
from recovery.decide.handlers.collection import charges_and_refunds
from recovery.decide.handlers.messages import contact_frequency
from recovery.decide.rules import classify, contactability, schedule
from recovery.decide.transition import Transition
from recovery.policy import Budgets, ContactPolicy, DunningPolicy, EndPolicy, PreventionPolicy, RetryPolicy, SmsPolicy
from tests.support import builders as a
from tests.support.story import Story


def told(kind: Any, hours: float = 1, invoice: str = a.INVOICE, **fields: Any) -> Any:
    return kind(**a.header(f"{kind.__name__}-{hours}", a.at(hours=hours), invoice), **fields)


@pytest.mark.parametrize(
    ("words", "kind", "code", "because"),
    [
        ({"code": "expired_card"}, "hard", "expired_card", "hard_decline"),
        ({"decline_code": "expired_card"}, "hard", "expired_card", "hard_decline"),
        ({"outcome_reason": "expired_card"}, "hard", "expired_card", "hard_decline"),
        ({"outcome_type": "blocked"}, "fraud", "", "blocked"),
        ({"outcome_type": "invalid"}, "hard", "", "integration_error"),
        ({"network_decline_code": "R01", "method_type": "us_bank_account"}, "soft", "insufficient_funds", "consent_needed"),
        ({"network_decline_code": "RX9", "method_type": "us_bank_account"}, "soft", "", "consent_needed"),
        ({"intent_status": "requires_action"}, "needs_auth", "authentication_required", "authentication_required"),
        ({"intent_status": "requires_action", "outcome_type": "x"}, "needs_auth", "authentication_required", "authentication_required"),
        ({"outcome_type": "blocked", "outcome_reason": "highest_risk_level"}, "fraud", "highest_risk_level", "blocked"),
        ({"decline_code": "fraudulent"}, "fraud", "fraudulent", "fraud_code"),
        ({"decline_code": "stolen_card"}, "hard", "stolen_card", "hard_decline"),
        ({"decline_code": "insufficient_funds", "advice_code": "do_not_try_again"}, "soft", "insufficient_funds", "network_stop"),
        ({"decline_code": "never_heard_of"}, "soft", "never_heard_of", "unknown_code"),
        ({"decline_code": "generic_decline", "advice_code": "try_again_later"}, "soft", "generic_decline", "temporary"),
        ({"decline_code": "generic_decline", "advice_code": "do_not_try_again"}, "hard", "generic_decline", "network_stop"),
        ({"decline_code": "generic_decline"}, "hard", "generic_decline", "no_sign_of_temporary"),
        ({"network_status": "approved_by_network"}, "hard", "no_payment_method", "no_payment_method"),
    ],
)
def test_each_word_of_a_decline_says_something(words: dict[str, str], kind: str, code: str, because: str) -> None:
    """B17 to B27, stripe.md 1.2: first match wins; where Stripe lists no attempt and no word says anything, there was no method."""
    verdict = classify.classify(Decline(**words), a.VISA, attempted=False)
    assert (verdict.kind, verdict.code, verdict.because) == (kind, code, because)


@pytest.mark.parametrize(("code", "hours"), [("card_velocity_exceeded", 24), ("insufficient_funds", 0)])
def test_a_merchants_own_class_keeps_the_codes_wait(code: str, hours: int) -> None:
    """B19."""
    verdict = classify.classify(Decline(decline_code=code), a.MASTERCARD, {code: "soft"})
    assert (verdict.because, verdict.wait_hours, verdict.cap) == ("override", hours, 0)


def test_no_merchants_own_class_makes_a_lost_card_good() -> None:
    """B20."""
    verdict = classify.classify(Decline(decline_code="lost_card"), a.VISA, {"lost_card": "soft"})
    assert (verdict.kind, verdict.retry_allowed, verdict.because) == ("soft", False, "never_without_new_method")


@pytest.mark.parametrize(("advice", "hours"), [("24", 1), ("30", 240), ("02", 0), ("", 0)])
@pytest.mark.parametrize("card", [a.MASTERCARD, a.VISA, None], ids=["mastercard", "visa", "unknown"])
def test_only_mastercards_advice_sets_a_wait(card: facts.Card | None, advice: str, hours: int) -> None:
    """B22, stripe.md 1.4."""
    verdict = classify.classify(Decline(decline_code="insufficient_funds", network_advice_code=advice), card)
    assert verdict.wait_hours == (hours if card == a.MASTERCARD else 0)


@pytest.mark.parametrize(
    ("holds", "kind", "why"),
    [
        ({}, "", ""),
        ({"in_2": Hold("stopped")}, "", ""),
        ({"in_1": Hold("snoozed", a.at(days=2))}, "snoozed", ""),
        ({"in_1": Hold("snoozed", a.at(hours=1))}, "", ""),
        ({"": Hold("snoozed", a.at(days=2)), "in_1": Hold("stopped")}, "stopped", "stopped_by_hand"),
        ({"in_1": Hold("stopped"), "": Hold("snoozed", a.at(days=2))}, "stopped", "stopped_by_hand"),
        ({"in_1": Hold("snoozed", a.at(days=2)), "": Hold("excluded")}, "excluded", "excluded_by_hand"),
        ({"": Hold("excluded", a.at(hours=1))}, "", ""),
    ],
)
def test_the_strongest_wish_that_still_holds_counts(holds: dict[str, Hold], kind: str, why: str) -> None:
    """B60: a snooze softens nothing."""
    row = a.a_customer(holds=holds)
    held = commands.hold_of(row, "in_1", a.at(hours=1))
    assert (held.kind if held is not None else "", commands.forbidden(row, "in_1", a.at(hours=1))) == (kind, why)


@pytest.mark.parametrize(
    ("before", "wished", "after"),
    [
        ({"": Hold("excluded")}, "in_1", {"": "excluded"}),
        ({"in_1": Hold("stopped")}, "in_1", {"in_1": "stopped"}),
        ({"in_2": Hold("stopped")}, "in_1", {"in_2": "stopped", "in_1": "snoozed"}),
        ({"in_1": Hold("snoozed", a.at(days=3))}, "in_1", {"in_1": "snoozed"}),
        ({"in_1": Hold("stopped")}, "", {"in_1": "stopped", "": "snoozed"}),
    ],
)
def test_a_snooze_takes_the_place_of_a_snooze_only(before: dict[str, Hold], wished: str, after: dict[str, str]) -> None:
    """B60."""
    row = a.a_customer(holds=before)
    fact = told(facts.SnoozeRequested, 1, wished, who="ada", until=a.at(days=9))
    commands.snooze(Transition(row, fact, a.at(hours=1), a.an_account()), fact)
    assert {key: hold.kind for key, hold in row.holds.items()} == after
    assert all(hold.until == a.at(days=9) for hold in row.holds.values() if hold.kind == "snoozed")


def test_what_is_excluded_stays_closed_when_only_its_stop_is_taken_back() -> None:
    """B60."""
    story = Story().opened()
    story.tell(told(facts.StopRequested, 1, who="ada"))
    story.tell(told(facts.ExcludeRequested, 2, "", who="ada"))
    story.tell(told(facts.ResumeRequested, 3, who="ada"))
    assert story.case().status == "closed"
    story.tell(told(facts.ResumeRequested, 4, "", who="ada"))
    assert story.case().status == "retrying"


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


def test_a_ladder_holds_for_a_case_of_which_nothing_is_known_yet() -> None:
    """F11."""
    plan = schedule.next_slot(a.a_case(), a.a_customer(), a.a_policy(), a.START)
    assert plan == schedule.RetryAt(a.at(hours=24), "ladder_1")


@pytest.mark.parametrize(
    ("fields", "earliest"),
    [
        ({}, a.at(hours=2)),
        ({"last_failed_at": a.at(hours=3)}, a.at(hours=4)),
        ({"verdict": Verdict("soft", wait_hours=5)}, a.at(hours=5)),
        ({"last_attempt_at": a.at(hours=1)}, a.at(hours=13)),
        ({"last_attempt_at": a.at(hours=-20)}, a.at(hours=2)),
    ],
)
def test_no_offered_time_is_nearer_than_the_longest_wait(fields: dict[str, Any], earliest: Any) -> None:
    """B87."""
    case = a.a_case(**fields)
    assert schedule.bounds(case, a.a_policy(), a.at(hours=2))[0] == earliest


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
    story.tell(told(facts.ContactSuppressed, 0, "", medium="email", why="unsubscribed", who="customer"))
    card = facts.Card(fingerprint="fp_1", exp_month=3, exp_year=2026)
    story.tell(
        told(facts.CardExpiring, 1, "", card=card, subscription="sub_1", next_charge_at=a.at(days=40), amount_minor=1, currency="eur")
    )
    story.until(a.at(days=41))
    assert story.notices() == ([] if honoured else ["card_expiring"])


@pytest.mark.parametrize(
    ("policy", "why"),
    [({"retry": RetryPolicy(enabled=False)}, "retries_disabled"), ({"budgets": Budgets(per_invoice=1)}, "invoice_budget")],
)
def test_a_due_retry_that_is_given_up_says_why_the_mails_begin(policy: dict[str, Any], why: str) -> None:
    """B31, B40: the policy changed after the retry was planned."""
    story = Story().opened()
    story.account = a.an_account(a.a_policy(**policy))
    story.days(1)
    assert (story.last("dunning_scheduled").reason, story.case().reason, story.charges()) == (why, why, [])


def test_a_step_that_may_not_be_written_says_why_also_where_the_end_waits_for_a_look() -> None:
    """B73."""
    story = Story(a.an_account(a.a_policy(end=EndPolicy(action="cancel")))).opened(a.HARD)
    story.mail_answered()
    story.account = a.an_account(a.a_policy(end=EndPolicy(action="cancel"), dunning=DunningPolicy(enabled=False)))
    story.until(a.at(days=3))
    skipped = story.last("dunning_skipped")
    assert (skipped.reason, skipped.details) == ("dunning_disabled", {"step": "2"})


def test_suspected_fraud_is_stronger_than_a_bank_that_wants_the_customer() -> None:
    """B17, B24."""
    story = Story()
    story.tell(a.a_failure())
    story.tell(told(facts.PaymentActionRequired, 0.1, state=a.a_state()))
    story.tell(a.a_reading(story.reads()[-1].id, a.at(hours=0.2), a.FRAUD))
    assert (story.case().status, story.last("decline_classified").decline_kind) == ("blocked", "fraud")


@pytest.mark.parametrize("card", [a.MASTERCARD, None])
def test_an_attempt_counts_on_the_card_that_was_charged_or_on_the_one_known(card: facts.Card | None) -> None:
    """B31."""
    story = Story().opened()
    story.days(1)
    story.charge_answered(card=card)
    assert story.customer is not None
    latest = story.customer.attempts[-1]
    assert (latest.fingerprint, latest.brand) == ((card or a.VISA).fingerprint, (card or a.VISA).brand)


def test_a_plan_that_comes_while_a_charge_is_under_way_is_refused() -> None:
    """B86."""
    story = Story().opened()
    story.days(1)
    story.tell(told(facts.RetryTimesOffered, 24.5, slots=(facts.Slot(at=a.at(days=2)),), source="model"))
    assert story.last("retry_times_refused").reason == "not_retrying"


def test_who_leaves_changes_nothing_of_what_had_ended_otherwise() -> None:
    """B67."""
    story = Story().opened()
    story.tell(told(facts.InvoiceVoided, 1, state=a.a_state("void")))
    story.tell(told(facts.CustomerDeleted, 2, ""))
    assert story.case().reason == "voided"


@pytest.mark.parametrize(("gone", "reason"), [(True, "gone"), (False, "read_failed")])
def test_a_look_at_a_charge_that_failed_says_so(gone: bool, reason: str) -> None:
    """B72: it is about no invoice."""
    story = Story().opened()
    story.tell(told(facts.ReadFailed, 1, "", effect="e.read.9", why="404", gone=gone))
    failed = story.last("read_failed")
    assert (failed.reason, failed.effect, failed.details, failed.sequence) == (reason, "e.read.9", {"why": "404"}, 0)


@pytest.mark.parametrize("hours", [-1, 0, 1])
def test_a_later_failed_charge_takes_the_place_of_what_was_told_before(hours: float) -> None:
    """B2, B19: before the look, the latest word counts."""
    story = Story()
    story.tell(a.a_failure(decline=a.SOFT))
    story.tell(told(facts.ChargeFailed, hours, charge="ch_9", amount_minor=4900, currency="eur", decline=a.HARD, card=a.VISA))
    assert story.case().decline == (a.HARD if hours >= 0 else a.SOFT)


def test_a_refund_of_an_older_charge_is_that_of_the_case_that_charge_paid() -> None:
    """F67: what is known of the charge is stronger than the invoice that is named."""
    row = a.a_customer(
        a.a_case(invoice="in_1", status="recovered", paid=True, recovered_minor=4900, recovered_charge="ch_1", ended_at=a.START),
        a.a_case(invoice="in_2", status="recovered", paid=True, recovered_minor=4900, recovered_charge="ch_2", ended_at=a.START),
    )
    fact = told(facts.ChargeRefunded, 1, "in_2", charge="ch_1", amount_refunded=4900, currency="eur")
    turn = Transition(row, fact, a.at(hours=1), a.an_account())
    charges_and_refunds.refunded(turn, fact)
    assert [(event.invoice, event.recovered_minor) for event in turn.events] == [("in_1", 4900)]


@pytest.mark.parametrize(("known", "kept"), [("", "ch_early"), ("ch_told", "ch_told")])
def test_a_refund_told_before_its_payment_names_the_charge_of_a_payment_that_had_none(known: str, kept: str) -> None:
    """F67."""
    case = a.a_case(status="recovered", paid=True, recovered_minor=4900, recovered_charge=known, ended_at=a.START)
    charge = known or "ch_early"
    row = a.a_customer(case, early_refunds=[EarlyRefund(at=a.START, charge=charge, invoice=a.INVOICE, what="refund", total=4900)])
    turn = Transition(row, a.a_tick(a.at(hours=1)), a.at(hours=1), a.an_account())
    charges_and_refunds.join_early(turn)
    assert (case.recovered_charge, case.reversed_minor, row.early_refunds) == (kept, 4900, [])
