import pytest

from sandbox.api.errors import Refusal
from sandbox.simulation import truth
from sandbox.simulation.records import Invoice, Request
from sandbox.simulation.world import Setting, World

DAY = 86_400.0
START = 1_793_000_000.0
OURS = Request("req_ours", "key-1")


def test_the_same_seed_gives_the_same_month(world_of) -> None:
    one, other = world_of(), world_of()
    events = [one.advance(one.month_end), other.advance(other.month_end)]
    assert truth.acts(one) == truth.acts(other)
    assert [event.body("2026-09-30.endive") for event in events[0]] == [event.body("2026-09-30.endive") for event in events[1]]


def test_advancing_in_small_steps_changes_nothing(world_of) -> None:
    whole, steps = world_of(), world_of()
    whole.advance(whole.month_end)
    for hour in range(1, 721):
        steps.advance(START + hour * 3600)
    assert truth.acts(whole) == truth.acts(steps)


def test_another_seed_gives_another_month(world_of) -> None:
    one, other = world_of(seed=1), world_of(seed=2)
    one.advance(one.month_end)
    other.advance(other.month_end)
    assert truth.acts(one) != truth.acts(other)


def test_acting_on_one_invoice_leaves_everybody_elses_luck_alone(failed, world_of) -> None:
    world, bill = failed
    with pytest.raises(Refusal):
        world.pay(bill.id, world.now, OURS)
    quiet = world_of()
    world.advance(world.month_end)
    quiet.advance(quiet.month_end)

    def of_others(one: World) -> list[tuple[str, str | None]]:
        charges = one.books.charges.values()
        return [(c.id, c.real_cause) for c in charges if c.customer != bill.customer]

    assert of_others(world) == of_others(quiet)


def test_a_world_nobody_listens_to_lives_the_same_month(world_of) -> None:
    loud, silent = world_of(), world_of(recording=False)
    assert loud.advance(loud.month_end)
    assert silent.advance(silent.month_end) == []
    assert truth.acts(loud) == truth.acts(silent)


def test_a_refused_pay_is_announced_with_the_callers_key_and_counts_no_attempt(failed) -> None:
    world, bill = failed
    world.announce.drain()
    counted = bill.attempt_count
    with pytest.raises(Refusal) as refused:
        world.pay(bill.id, world.now, OURS)
    events = world.announce.drain()
    assert refused.value.status == 402
    assert [event.type for event in events] == [
        "charge.failed",
        "payment_intent.payment_failed",
        "invoice.payment_failed",
    ]
    assert {event.request.idempotency_key for event in events} == {"key-1"}
    assert bill.attempt_count == counted == 1
    assert [charge.actor for charge in bill.charges] == ["initial", "api"]


def test_automatic_events_name_no_request(world_of) -> None:
    world = world_of()
    events = world.advance(world.month_end)
    cycles = [event for event in events if event.type == "invoice.payment_failed"]
    assert cycles
    assert {(event.request.id, event.request.idempotency_key) for event in cycles} == {(None, None)}


def test_money_arrives_after_pay_day_and_brings_the_subscription_back(failed) -> None:
    world, bill = failed
    plan = world.books.subscriptions[bill.subscription or ""]
    assert plan.status == "past_due"
    _pay_until_paid(world, bill)
    assert bill.status == "paid"
    assert bill.paid_by == "api"
    assert [one.invoice for one in world.payments.recoveries if one.actor == "api"] == [bill.id]
    assert plan.status == "active" or plan.latest_invoice != bill.id


def test_a_paid_invoice_cannot_be_charged_again(failed) -> None:
    world, bill = failed
    world.pay(bill.id, world.now, OURS, out_of_band=True)
    with pytest.raises(Refusal, match="already paid") as refused:
        world.pay(bill.id, world.now, OURS)
    assert refused.value.status == 400
    assert bill.paid_by == "out_of_band"
    assert [charge.outcome for charge in bill.charges].count("succeeded") == 0


def test_a_void_invoice_cannot_be_paid(failed) -> None:
    world, bill = failed
    world.void(bill.id, world.now, OURS)
    with pytest.raises(Refusal, match="void"):
        world.pay(bill.id, world.now, OURS)


def test_an_uncollectible_invoice_can_still_be_paid(failed) -> None:
    world, bill = failed
    world.mark_uncollectible(bill.id, world.now, OURS)
    world.behaviour.pay_on_page(bill, "good", world.now)
    assert bill.status == "paid"


def test_cancelling_stops_collection_and_leaves_the_invoice_open(failed) -> None:
    world, bill = failed
    world.announce.drain()
    world.cancel(bill.subscription or "", world.now, OURS)
    assert (bill.status, bill.auto_advance) == ("open", False)
    assert [event.type for event in world.announce.drain()] == ["customer.subscription.deleted", "invoice.updated"]
    assert world.billing.cancellations[-1]["subscription"] == bill.subscription


def test_a_new_card_on_the_page_pays_and_becomes_the_default(failed) -> None:
    world, bill = failed
    person = world.books.customers[bill.customer]
    world.announce.drain()
    taken = world.behaviour.pay_on_page(bill, "good", world.now, "<mail@x>")
    events = world.announce.drain()
    assert taken.outcome == "succeeded"
    assert person.card is taken.card
    assert {"payment_method.attached", "customer.updated", "invoice.paid"} <= {event.type for event in events}
    assert all(event.request.id and event.request.idempotency_key for event in events)
    assert world.payments.recoveries[-1].mail == "<mail@x>"


def test_stripe_retries_set_a_date_and_none_are_set_without_them(world_of) -> None:
    on, off = world_of(stripe_retries=True), world_of()
    on.advance(on.month_end)
    off.advance(off.month_end)
    assert any(charge.actor == "stripe_retry" for charge in on.books.charges.values())
    assert all(bill.next_payment_attempt is None for bill in off.books.invoices.values())
    still_open = [b for b in on.books.invoices.values() if b.status == "open" and b.first_failed_at and b.auto_advance]
    assert any(bill.next_payment_attempt is not None for bill in still_open)
    assert max(bill.stripe_tries for bill in on.books.invoices.values()) <= 8
    assert all(bill.next_payment_attempt is None for bill in on.books.invoices.values() if bill.stripe_tries == 8)


def test_stripe_executes_nothing_after_a_hopeless_decline(world_of) -> None:
    world = world_of(customers=600, stripe_retries=True)
    world.advance(world.month_end)
    lost = [b for b in world.books.invoices.values() if b.first_decline and b.first_decline.decline_code == "lost_card"]
    moved = [b for b in lost if b.stripe_tries > 0 and len({c.fingerprint for c in b.charges}) == 1]
    assert moved
    assert all(bill.attempt_count == bill.stripe_tries + 1 and len(bill.charges) == 1 for bill in moved)


def test_a_first_invoice_that_fails_expires_after_23_hours_and_is_no_failure(world_of) -> None:
    world = world_of(customers=2500, recording=False)
    world.advance(world.month_end)
    first = [b for b in world.books.invoices.values() if b.billing_reason == "subscription_create" and b.first_failed_at]
    assert first
    counted = [b for b in world.books.invoices.values() if b.first_failed_at and b not in first]
    assert world.payments.failures == len(counted)
    expired = [bill for bill in first if bill.status == "void"]
    assert expired
    for bill in expired:
        assert bill.voided_at == pytest.approx((bill.first_failed_at or 0) + 23 * 3600)
        assert world.books.subscriptions[bill.subscription or ""].status == "incomplete_expired"


@pytest.mark.parametrize("seed", [3, 7, 11])
def test_failures_and_codes_stay_inside_the_published_ranges(seed: int) -> None:
    world = World(Setting(seed=seed, start=START, customers=2000), recording=False)
    world.advance(world.month_end)
    tried = [b for b in world.books.invoices.values() if b.charges and b.billing_reason != "subscription_create"]
    codes = [b.first_decline.decline_code for b in tried if b.first_decline]
    share = {code: codes.count(code) / len(codes) for code in set(codes)}
    assert 0.10 <= len(codes) / len(tried) <= 0.14
    assert 0.30 <= share["insufficient_funds"] <= 0.45
    assert 0.25 <= share["do_not_honor"] + share["generic_decline"] <= 0.40
    assert 0.13 <= share["expired_card"] <= 0.22
    assert 0.03 <= share["processing_error"] <= 0.09
    assert 0.02 <= share["lost_card"] + share.get("stolen_card", 0) + share.get("pickup_card", 0) <= 0.07


def test_yen_have_no_minor_unit_and_currencies_keep_their_shares() -> None:
    world = World(Setting(seed=5, start=START, customers=3000), recording=False)
    people = list(world.books.customers.values())
    share = {c: sum(p.currency == c for p in people) / len(people) for c in ("usd", "eur", "gbp", "jpy")}
    assert share == pytest.approx({"usd": 0.54, "eur": 0.30, "gbp": 0.10, "jpy": 0.05}, abs=0.03)
    assert {plan.amount for plan in world.books.subscriptions.values() if plan.currency == "jpy"} <= {
        980, 1980, 2980, 4980, 9800,
    }  # fmt: skip


def test_a_few_pay_in_dinars_of_a_thousand_fils_in_amounts_that_stripe_takes() -> None:
    """Stripe wants the last of the three decimals to be 0 (https://docs.stripe.com/currencies)."""
    world = World(Setting(seed=5, start=START, customers=3000), recording=False)
    payers = [person for person in world.books.customers.values() if person.currency == "kwd"]
    assert 0.005 <= len(payers) / 3000 <= 0.015
    assert {person.country for person in payers} == {"KW"}
    amounts = {plan.amount for plan in world.books.subscriptions.values() if plan.currency == "kwd"}
    assert 2900 in amounts
    assert all(amount % 10 == 0 for amount in amounts)


def _pay_until_paid(world: World, bill: Invoice) -> None:
    for hour in range(1, 40 * 24, 6):
        if bill.status == "paid":
            return
        at = world.now + 6 * 3600
        world.advance(at)
        try:
            world.pay(bill.id, at, Request("req", f"try-{hour}"))
        except Refusal:
            continue
