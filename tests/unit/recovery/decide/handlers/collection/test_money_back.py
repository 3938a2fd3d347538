"""Money that comes in parts, and money that goes back: refunds, disputes, returns of a debit."""

from typing import Any

import pytest

from recovery.contracts import facts
from recovery.contracts.customer import EarlyRefund
from recovery.contracts.effects import ReadRequested
from recovery.contracts.facts import ChargeFailed, ChargeRead, ChargeRefunded, DisputeOpened, InvoicePaymentSucceeded, SubscriptionChanged
from recovery.decide.handlers.collection import charges_and_refunds
from recovery.decide.rules import attribution_audit
from recovery.decide.transition import Transition
from tests.support import builders as a
from tests.support.story import Story
from tests.support.transcript import told


def recovered(charge: str = "ch_paid") -> Story:
    """Our first retry brought 49.00."""
    story = Story().opened()
    story.days(1)
    story.charge_answered("succeeded", charge=charge)
    return story


def paid_by_webhook() -> Story:
    """The customer paid; which charge it was, nobody told."""
    story = Story().opened()
    story.tell(a.a_payment("evt_p", a.at(hours=5), request_id="req_1"))
    return story


def refund(when: Any, amount: int = 4900, charge: str = "ch_paid", id: str = "evt_r", invoice: str = "") -> ChargeRefunded:
    return ChargeRefunded(**a.header(id, when, invoice), charge=charge, amount_refunded=amount, currency="eur")


def a_charge(effect: str, when: Any, **fields: Any) -> ChargeRead:
    told: dict[str, Any] = {"charge": "ch_paid", "amount_minor": 4900, "currency": "eur"}
    return ChargeRead(**a.header(f"{effect}:outcome", when), effect=effect, **(told | fields))


def net(story: Story) -> dict[str, int]:
    assert attribution_audit.problems(story.events) == []
    return attribution_audit.totals(story.events)


def test_a_dispute_asks_whose_charge_it_is_and_its_row_is_gone_after_a_week() -> None:
    """Architecture 1: the dispute names no customer; the answer goes to the customer's row."""
    stub = Story()
    fact = DisputeOpened(
        **(a.header("evt_d", a.START, "") | {"customer": ""}),
        dispute="dp_1",
        charge="ch_paid",
        amount_minor=4900,
        currency="eur",
        reason="fraudulent",
    )
    stub.tell(fact)
    (asked,) = stub.reads()
    assert (asked.what, asked.object, asked.customer, asked.invoice) == ("charge", "ch_paid", "~dp_1", "")
    assert (asked.disputed_minor, asked.dispute_reason) == (4900, "fraudulent")
    stub.tell(fact)
    assert len(stub.reads()) == 1
    stub.days(6)
    assert stub.row is not None
    stub.days(1.1)
    assert stub.row is None


def test_every_row_that_asks_about_a_charge_asks_under_an_id_of_its_own() -> None:
    """B32: a charge can be disputed twice and refunded besides, each on another row; one answer must not pass for the others'."""
    asked = []
    for dispute in ("dp_1", "dp_2"):
        stub, money = Story(), {"amount_minor": 2000, "currency": "eur", "reason": "fraudulent"}
        stub.tell(DisputeOpened(**(a.header(dispute, a.START, "") | {"customer": ""}), dispute=dispute, charge="ch_paid", **money))
        asked += [read.id for read in stub.reads()]
    story = paid_by_webhook()
    story.tell(refund(a.at(days=3), 1900))
    asked.append(story.reads()[-1].id)
    assert len(set(asked)) == 3


def test_a_dispute_takes_the_recovery_back() -> None:
    """B72, F67."""
    story = recovered()
    story.tell(a_charge("acct_1.~ch_paid.read.1", a.at(days=9), disputed_minor=4900, dispute_reason="fraudulent"))
    reversed_ = story.last("recovery_reversed")
    assert (reversed_.reason, reversed_.recovered_minor, reversed_.recovered_by, reversed_.status) == (
        "dispute",
        4900,
        "our_retry",
        "recovered",
    )
    assert net(story) == {}


def test_a_refund_of_a_charge_that_nobody_named_is_found_by_asking_stripe() -> None:
    """F67."""
    story = paid_by_webhook()
    story.tell(refund(a.at(days=3), 1900))
    asked = story.reads()[-1]
    assert (asked.what, asked.object, asked.customer) == ("charge", "ch_paid", a.CUSTOMER)
    story.tell(a_charge(asked.id, a.at(days=3), amount_refunded=1900))
    assert net(story) == {"eur": 3000}
    story.tell(refund(a.at(days=4), 4900, id="evt_r2"))
    assert net(story) == {}, "now the charge is known: the rest is taken back, no unit twice"


def test_a_charge_of_something_else_is_only_noted() -> None:
    story = paid_by_webhook()
    story.tell(refund(a.at(days=3), charge="ch_shop"))
    other = ChargeRead(
        **a.header("x", a.at(days=3), "in_other"), effect="x", charge="ch_shop", amount_minor=500, amount_refunded=500, currency="eur"
    )
    story.tell(other)
    assert (story.events[-1].event_type, net(story)) == ("fact_had_no_effect", {"eur": 4900})


def test_a_failed_read_of_a_charge_is_told() -> None:
    story = paid_by_webhook()
    story.tell(refund(a.at(days=3)))
    asked = story.reads()[-1]
    story.tell(a.no_reading(asked.id, a.at(days=3), "not_allowed", invoice=""))
    assert (story.events[-1].event_type, story.events[-1].effect) == ("read_failed", asked.id)


@pytest.mark.parametrize(("reason", "called"), [("debit_not_authorized", "bank_return"), ("product_not_received", "dispute")])
def test_a_return_by_the_bank_is_told_from_a_dispute(reason: str, called: str) -> None:
    """B72."""
    story = recovered()
    story.tell(a_charge("x", a.at(days=40), disputed_minor=4900, dispute_reason=reason))
    assert (story.last("recovery_reversed").reason, net(story)) == (called, {})


def test_a_debit_that_fails_after_its_success_is_taken_back_and_counts_as_no_attempt() -> None:
    """B72: eight weeks later."""
    story = recovered()
    before = len(story.customer.attempts) if story.customer else 0
    failed = ChargeFailed(**a.header("evt_cf", a.at(days=20), ""), charge="ch_paid", amount_minor=4900, currency="eur", decline=a.SOFT)
    story.tell(failed)
    assert (story.last("recovery_reversed").reason, net(story)) == ("bank_return", {})
    assert story.customer is not None
    assert len(story.customer.attempts) <= before


def test_an_invoice_that_fails_anew_after_its_recovery_is_a_new_failure() -> None:
    """B72: the money is taken back, a new case begins, no id is used twice; what comes then counts again."""
    story = recovered()
    story.tell(a.a_failure("evt_return", a.at(days=30)))
    assert story.types()[-3:] == ["recovery_reversed", "payment_failed", "read_requested"]
    assert (story.case().status, net(story)) == ("retrying", {})
    story.tell(a.a_reading(story.reads()[-1].id, a.at(days=30), a.HARD, attempts=(a.an_attempt("ch_9", a.at(days=30)),)))
    story.tell(a.a_payment("evt_p2", a.at(days=31), request_id="req_1"))
    assert net(story) == {"eur": 4900}
    assert len({effect.id for effect in story.effects}) == len(story.effects)
    sequence = [event.sequence for event in story.events if event.invoice]
    assert sequence == list(range(1, len(sequence) + 1))


def test_an_old_failure_told_late_does_not_open_a_recovered_invoice_again() -> None:
    """B3, B4."""
    story = recovered()
    story.tell(a.a_failure("evt_old", a.at(hours=3)))
    assert (story.case().status, net(story)) == ("recovered", {"eur": 4900})


def test_a_dispute_of_a_part_stops_the_case() -> None:
    """B72: the rest is not collected from somebody who disputes."""
    story = Story().opened()
    attempts = (a.an_attempt("ch_1"), a.an_attempt("ch_part", a.at(hours=4), succeeded=True))
    story.tell(a.a_change("evt_c", a.at(hours=5), state=a.a_state(paid=1000), request_id="req_1"))
    story.tell(a.a_reading("x", a.at(hours=5), a.SOFT, state=a.a_state(paid=1000), attempts=attempts))
    story.tell(a_charge("y", a.at(hours=6), charge="ch_part", disputed_minor=1000, dispute_reason="fraudulent"))
    assert (story.case().status, story.case().reason, net(story)) == ("closed", "disputed", {})
    assert not story.days(100)


def test_parts_of_the_money_have_causes_of_their_own_and_sum_to_the_whole() -> None:
    """F60, stripe.md 4.4: 10.00 by the customer, 39.00 by our retry."""
    story = Story().opened()
    story.tell(InvoicePaymentSucceeded(**a.header("evt_s", a.at(hours=5)), state=a.a_state(paid=1000), request_id="req_1"))
    story.tell(a.a_change("evt_c", a.at(hours=5), state=a.a_state(paid=1000), request_id="req_1"))
    assert (story.case().active, story.case().outstanding_minor) == (True, 3900)
    story.days(1)
    assert story.charges()[-1].amount_minor == 3900
    story.charge_answered("succeeded")
    story.tell(a.a_payment("evt_p", story.now, request_key="dunlin-acct_1.in_1.charge.2"))
    assert attribution_audit.parts(story.events) == {"eur": {"customer": 1000, "our_retry": 3900}}
    assert net(story) == {"eur": 4900}


def test_a_part_paid_beside_stripe_is_told_from_the_part_that_stripe_took() -> None:
    """B71, stripe.md 4.4."""
    story = Story().opened()
    state = a.a_state("paid", paid_out_of_band=True, paid_off_stripe=1500)
    story.tell(a.a_payment("evt_p", a.at(hours=5), state=state, request_id="req_1"))
    assert attribution_audit.parts(story.events) == {"eur": {"external": 1500, "customer": 3400}}
    assert net(story) == {"eur": 4900}


def test_a_part_that_came_before_giving_up_stays_counted() -> None:
    story = Story().opened(a.HARD)
    story.tell(a.a_change("evt_c", a.at(hours=5), state=a.a_state(paid=1000), request_id="req_1"))
    story.days(60)
    assert (story.case().status, net(story)) == ("abandoned", {"eur": 1000})
    story.tell(a.a_payment("evt_p", a.at(days=70), request_id="req_2"))
    assert net(story) == {"eur": 4900}


def test_a_credit_note_lowers_what_is_owed_and_one_over_all_closes_the_case() -> None:
    """B70."""
    story = Story().opened()
    story.tell(a.a_change("evt_c", a.at(hours=5), state=a.a_state(amount=2900)))
    assert (story.last("case_updated").amount_minor, story.last("case_updated").details) == (2900, {"amount_before": "4900"})
    story.tell(a.a_change("evt_d", a.at(hours=6), state=a.a_state(amount=0)))
    assert (story.case().status, story.case().reason) == ("closed", "credited")


def test_a_failure_that_is_old_when_we_first_hear_of_it_is_shown_and_left_alone() -> None:
    """B8, product decision 19."""
    story = Story()
    story.tell(a.a_failure("evt_o", a.at(days=20), state=a.a_state(attempt_count=4)))
    assert (story.last("failure_ignored").reason, story.row) == ("old_failure", None)
    story.tell(a.a_failure("evt_n", a.at(days=20), "in_2", state=a.a_state(attempt_count=1)))
    assert story.case("in_2").active, "a first attempt that late is a new failure"


def test_a_paused_collection_says_what_becomes_of_new_invoices() -> None:
    """B69."""
    story = Story().opened()
    fact = SubscriptionChanged(
        **a.header("e", a.at(hours=1), ""), subscription=a.SUBSCRIPTION, status="active", paused=True, pause_behavior="void"
    )
    story.tell(fact)
    assert (story.last("case_updated").reason, story.last("case_updated").details) == ("subscription_paused", {"behavior": "void"})
    story.days(3)
    assert story.charges() == []


def test_reads_about_invoices_stay_as_they_were() -> None:
    assert [(read.what, read.object) for read in Story().opened().effects if isinstance(read, ReadRequested)] == [("invoice", "")]


def dispute(when: Any, amount: int, id: str = "dp_1", charge: str = "ch_paid", currency: str = "eur", **about: str) -> DisputeOpened:
    told: dict[str, Any] = {"dispute": id, "charge": charge, "amount_minor": amount, "currency": currency, "reason": "fraudulent"}
    return DisputeOpened(**(a.header(f"evt_{id}_{when}", when, "") | about), **told)


def in_two_parts() -> Story:
    """20.00 by one charge and 29.00 by another; which ones, nobody told."""
    story = Story().opened()
    story.tell(InvoicePaymentSucceeded(**a.header("evt_s", a.at(hours=5)), state=a.a_state(paid=2000), request_id="req_1"))
    story.tell(a.a_payment("evt_p", a.at(hours=6), request_id="req_2"))
    return story


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ([refund(a.at(2), 2000), dispute(a.at(3), 2900)], 0),
        ([refund(a.at(2), 2000), dispute(a.at(3), 2000)], 900),
        ([dispute(a.at(2), 2000), dispute(a.at(3), 2900, "dp_2")], 0),
        ([dispute(a.at(2), 2000), dispute(a.at(3), 2000), dispute(a.at(4), 500, "dp_2")], 2400),  # one dispute told twice counts once
        (
            [refund(a.at(2), 1000), refund(a.at(3), 2500, id="evt_r2"), refund(a.at(4), 1000, id="evt_r3")],
            2400,
        ),  # sums so far, out of order
        ([refund(a.at(2), 4900), dispute(a.at(3), 4900)], 0),  # no more goes back than came
        ([dispute(a.at(2), 1000, currency="jpy")], 4900),
        ([refund(a.at(2), 2000), dispute(a.at(3), 1000, currency="usd"), dispute(a.at(4), 900, "dp_2", currency="EUR")], 2000),
    ],
)
def test_refunds_and_disputes_of_a_charge_add_up(told: list[Any], kept: int) -> None:
    """F67, B158: a total is the charge's or the dispute's own, and another currency is no part of it."""
    story = recovered()
    for fact in told:
        story.tell(fact)
    assert net(story) == ({"eur": kept} if kept else {})


def test_a_dispute_in_another_currency_is_noted_with_its_reason_and_still_stops_an_open_case() -> None:
    story = recovered()
    story.tell(dispute(a.at(2), 1000, currency="jpy"))
    assert (story.events[-1].event_type, story.events[-1].reason) == ("fact_had_no_effect", "other_currency")
    story = Story().opened()
    story.tell(dispute(a.at(1), 1000, charge="ch_in_1", currency="jpy"))
    assert (story.case().status, story.case().reason) == ("closed", "disputed")


def test_the_charges_of_the_parts_go_back_each_by_itself() -> None:
    """The second is found by asking Stripe as the first was: a part's charge is not the one that is known."""
    for invoice in (a.INVOICE, ""):
        story = in_two_parts()
        for number, (charge, amount) in enumerate((("ch_a", 2000), ("ch_b", 2900))):
            story.tell(refund(a.at(3 + number), amount, charge, f"evt_{charge}", invoice))
            if not invoice:
                story.tell(a_charge(story.reads()[-1].id, a.at(3 + number), charge=charge, amount_refunded=amount))
            assert net(story) == ({"eur": 2900} if charge == "ch_a" else {})


def test_a_dispute_of_a_parts_charge_is_asked_about_with_what_is_known_of_it() -> None:
    story = in_two_parts()
    story.tell(dispute(a.at(3), 2000, "dp_a", "ch_a"))
    asked = story.reads()[-1]
    assert (asked.object, asked.disputed_minor, asked.dispute_reason) == ("ch_a", 2000, "fraudulent")
    answer = a_charge(asked.id, a.at(3), charge="ch_a", disputed_minor=2000, dispute_reason="fraudulent")
    story.tell(answer)
    assert net(story) == {"eur": 2900}
    story.tell(dispute(a.at(4), 2000, "dp_a", "ch_a"))
    assert net(story) == {"eur": 2900}, "the same dispute, told by its own webhook after the answer"


def test_a_charge_that_was_refunded_and_disputed_is_read_with_both() -> None:
    story = recovered()
    story.tell(a_charge("acct_1.~ch_paid~dp_1.read.1", a.at(9), amount_refunded=2000, disputed_minor=2900, dispute_reason="fraudulent"))
    assert net(story) == {}
    assert [event.reason for event in story.events if event.event_type == "recovery_reversed"] == ["refund", "dispute"]


def test_a_debit_that_comes_back_takes_back_its_own_part_only() -> None:
    """B72: 10.00 by the customer's card, 39.00 by a debit of ours that the bank sends back."""
    story = Story().opened()
    story.tell(InvoicePaymentSucceeded(**a.header("evt_s", a.at(hours=5)), state=a.a_state(paid=1000), request_id="req_1"))
    story.days(1)
    story.charge_answered("succeeded", charge="ch_debit")
    story.tell(ChargeFailed(**a.header("evt_cf", a.at(9), ""), charge="ch_debit", amount_minor=3900, currency="eur", decline=a.SOFT))
    assert attribution_audit.parts(story.events) == {"eur": {"customer": 1000}}


def test_a_refund_of_an_earlier_part_comes_off_that_parts_cause() -> None:
    story = Story().opened()
    story.tell(InvoicePaymentSucceeded(**a.header("evt_s", a.at(hours=5)), state=a.a_state(paid=1000), request_id="req_1"))
    story.days(1)
    story.charge_answered("succeeded", charge="ch_ours")
    story.tell(refund(a.at(3), 1000, "ch_page", invoice=a.INVOICE))
    assert attribution_audit.parts(story.events) == {"eur": {"our_retry": 3900}}


def test_what_went_back_is_remembered_by_charge_for_as_many_as_an_invoice_ever_has() -> None:
    """Beyond that it is summed up, so that the row stays small."""
    story = Story(a.an_account()).opened(state=a.a_state(amount=100_000))
    story.tell(a.a_payment("evt_p", a.at(hours=5), state=a.a_state("paid", amount=100_000), request_id="req_1"))
    for number in range(60):
        story.tell(refund(a.at(3), 100, f"ch_{number}", f"evt_r{number}", a.INVOICE))
    assert len(story.case().returned) <= 25
    assert sum(story.case().returned.values()) == 6000 == story.case().reversed_minor


def test_a_row_of_an_older_program_counts_a_total_that_it_knows_once() -> None:
    """It kept the sum alone; the charge whose refund is told again is taken for the one it was of."""
    story = recovered()
    story.tell(refund(a.at(2), 2000))
    row = story.customer
    assert row is not None
    row.cases[a.INVOICE].returned = {}
    story.begin(row, story.now)
    story.tell(refund(a.at(3), 2500, id="evt_r2"))
    assert net(story) == {"eur": 2400}


@pytest.mark.parametrize("status", ["warning_needs_response", "warning_under_review", "warning_closed"])
def test_an_inquiry_of_the_bank_takes_nothing_back_until_its_funds_are_withdrawn(status: str) -> None:
    """B72: Stripe opens a dispute for a mere question, too, and tells the withdrawal by an event of its own."""
    about = {"dispute": "dp_1", "charge": "ch_paid", "amount_minor": 4900, "currency": "eur", "reason": "fraudulent"}
    stub = Story()
    step = stub.tell(DisputeOpened(**(a.header("evt_q", a.START, "") | {"customer": ""}), **about, status=status))
    assert step.customer is None
    assert not step.effects
    assert step.events[-1].reason == "inquiry"
    stub.tell(DisputeOpened(**(a.header("evt_w", a.at(1), "") | {"customer": ""}), **about, status="needs_response"))
    assert len(stub.reads()) == 1
    stub.tell(DisputeOpened(**(a.header("evt_c", a.at(1), "") | {"customer": ""}), **about, status="needs_response"))
    assert len(stub.reads()) == 1, "a dispute is told by its opening and by its withdrawn funds"
    story = recovered()
    story.tell(DisputeOpened(**a.header("evt_q", a.at(3), ""), **about, status=status))
    assert "recovery_reversed" not in story.types()
    open_case = Story().opened()
    open_case.tell(DisputeOpened(**a.header("evt_q", a.at(3)), **about, status=status))
    assert open_case.case().active


def test_a_question_whose_charge_it_is_may_be_answered_for_a_week() -> None:
    """B72."""
    turn = Transition(a.a_customer(), a.a_tick(a.START), a.START, a.an_account())
    turn.request_charge_read("ch_1", "~dp_1", disputed_minor=4900, dispute_reason="fraudulent")
    [effect] = turn.effects
    assert (effect.not_after, effect.only_if, effect.customer) == (a.at(days=7), "always", "~dp_1")


@pytest.mark.parametrize(
    ("fact", "event_type", "reason", "said"),
    [
        (told(facts.WebhookIgnored, a.START, event_type="x.y", why="unknown"), "webhook_ignored", "unknown", {"webhook": "x.y"}),
        (
            told(facts.ParkedReplayed, a.START, "", who="ada", why="repaired", message="m-1", topic="facts.parked"),
            "parked_replayed",
            "repaired",
            {"who": "ada", "message": "m-1", "topic": "facts.parked"},
        ),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_what_concerns_nobodys_payment_is_told(fact: Any, event_type: str, reason: str, said: dict[str, str], known: bool) -> None:
    """B93."""
    story = Story().opened() if known else Story()
    story.tell(fact)
    assert (story.last(event_type).reason, story.last(event_type).details) == (reason, said)


@pytest.mark.parametrize(
    ("refunds", "went_back"), [((1000, 2000, 2000, 3000), [1000, 1000, 1000]), ((4900, 4900), [4900]), ((9900,), [4900])]
)
def test_what_goes_back_in_parts_is_told_part_by_part(refunds: tuple[int, ...], went_back: list[int]) -> None:
    """F67, B72: Stripe tells the sum so far."""
    story = Story().opened()
    story.tell(a.a_payment("evt_p", a.at(hours=1)))
    for number, total in enumerate(refunds):
        story.tell(told(facts.ChargeRefunded, a.at(hours=2 + number), charge="ch_1", amount_refunded=total, currency="eur"))
    assert [event.recovered_minor for event in story.events if event.event_type == "recovery_reversed"] == went_back


def test_a_refund_of_a_charge_that_was_read_is_a_refund() -> None:
    """F67."""
    story = Story().opened()
    story.tell(a.a_payment("evt_p", a.at(hours=1)))
    read = told(facts.ChargeRead, a.at(hours=2), effect="e.read.1", charge="ch_1", amount_minor=4900, currency="eur", amount_refunded=4900)
    story.tell(read)
    assert (story.last("recovery_reversed").reason, story.last("recovery_reversed").result) == ("refund", "refund")


def test_a_refund_without_its_charge_is_that_of_the_invoice_named() -> None:
    """F67."""
    story = Story().opened()
    story.tell(a.a_payment("evt_p", a.at(hours=1)))
    story.tell(a.a_fact_of(facts.ChargeRefunded, 2, charge="", amount_refunded=4900, currency="eur"))
    assert (story.last("recovery_reversed").result, story.last("recovery_reversed").recovered_minor) == ("refund", 4900)


def test_an_invoice_that_the_bank_sent_back_is_told_as_such_and_begins_with_its_own_decline() -> None:
    """B72."""
    story = Story().opened()
    story.tell(a.a_payment("evt_p", a.at(hours=1)))
    story.tell(a.a_failure("evt_again", a.at(days=3), decline=a.HARD))
    back = story.last("recovery_reversed")
    assert (back.reason, back.result, back.recovered_minor) == ("bank_return", "bank_return", 4900)
    assert story.case().decline == a.HARD


def test_a_refund_that_names_only_its_charge_finds_what_our_retry_brought() -> None:
    """F67."""
    story = Story().opened()
    story.days(1)
    story.charge_answered("succeeded", charge="ch_ours", state=a.a_state("paid"))
    story.tell(a.a_fact_of(facts.ChargeRefunded, 30, "", charge="ch_ours", amount_refunded=4900, currency="eur"))
    assert story.last("recovery_reversed").invoice == a.INVOICE


def test_a_charge_that_was_read_names_its_invoice() -> None:
    """B72: a dispute about a charge that only Stripe can tell whose it is."""
    story = Story().opened()
    story.tell(a.a_payment("evt_p", a.at(hours=1)))
    money = {"charge": "ch_other", "amount_minor": 4900, "currency": "eur", "disputed_minor": 4900, "dispute_reason": "fraudulent"}
    story.tell(a.a_fact_of(facts.ChargeRead, 2, effect="e.read.1", **money))
    assert (story.last("recovery_reversed").invoice, story.last("recovery_reversed").result) == (a.INVOICE, "dispute")


@pytest.mark.parametrize(("gone", "reason"), [(True, "gone"), (False, "read_failed")])
def test_a_look_at_a_charge_that_failed_says_so(gone: bool, reason: str) -> None:
    """B72: it is about no invoice."""
    story = Story().opened()
    story.tell(a.a_fact_of(facts.ReadFailed, 1, "", effect="e.read.9", why="404", gone=gone))
    failed = story.last("read_failed")
    assert (failed.reason, failed.effect, failed.details, failed.sequence) == (reason, "e.read.9", {"why": "404"}, 0)


def test_a_refund_of_an_older_charge_is_that_of_the_case_that_charge_paid() -> None:
    """F67: what is known of the charge is stronger than the invoice that is named."""
    row = a.a_customer(
        a.a_case(invoice="in_1", status="recovered", paid=True, recovered_minor=4900, recovered_charge="ch_1", ended_at=a.START),
        a.a_case(invoice="in_2", status="recovered", paid=True, recovered_minor=4900, recovered_charge="ch_2", ended_at=a.START),
    )
    fact = a.a_fact_of(facts.ChargeRefunded, 1, "in_2", charge="ch_1", amount_refunded=4900, currency="eur")
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


def test_what_goes_back_in_steps_is_taken_from_the_latest_cause_first() -> None:
    """F60, F67: 10.00 by the customer, then 39.00 by our retry."""
    story = Story().opened()
    story.tell(a.a_change("evt_c", a.at(hours=5), state=a.a_state(paid=1000), request_id="req_1"))
    story.days(1)
    story.charge_answered("succeeded", charge="ch_paid")
    left = []
    for total in (1000, 4000, 4900):
        told: Any = a.header(f"r_{total}", a.at(days=5), "")
        story.tell(ChargeRefunded(**told, charge="ch_paid", amount_refunded=total, currency="eur"))
        left.append(attribution_audit.parts(story.events))
    assert left == [{"eur": {"customer": 1000, "our_retry": 2900}}, {"eur": {"customer": 900}}, {}]
    assert attribution_audit.problems(story.events) == []
