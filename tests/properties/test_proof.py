"""A fast sample of `make prove-decisions`, and proof that the watch over the promises sees each of them broken."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from recovery.contracts.customer import Account
from recovery.contracts.effects import ChargeRequested, Effect, MessageRequested
from recovery.contracts.events import Event
from recovery.contracts.facts import ConsentGiven, Decline, StopRequested, SubscriptionEnded
from recovery.decide.advance import Step
from recovery.policy import Budgets, ContactPolicy, DunningPolicy, Experiment, RetryPolicy, SmsPolicy
from tests.support import builders as a
from tests.support.proof.__main__ import prove, together
from tests.support.proof.life import Life
from tests.support.proof.promises import Watch

LOST = Decline(code="card_declined", decline_code="lost_card", method_type="card")
NOW = a.at(days=1)


def test_a_sample_of_the_generated_decisions_breaks_no_promise() -> None:
    proof = prove(30_000, seed=11)
    assert not proof.examples
    assert proof.decisions >= 30_000
    assert set(proof.asked) >= {"charge_requested", "message_requested", "read_requested", "effect_withdrawn"}
    assert set(proof.ended) >= {"payment_recovered", "case_abandoned", "case_closed", "case_blocked"}


def test_the_same_life_twice_is_the_same() -> None:
    first, second = Life(3, 8).run(), Life(3, 8).run()
    assert (first.decisions, first.row, first.watch.asked) == (second.decisions, second.row, second.watch.asked)


def a_charge(number: int = 1, **fields: Any) -> ChargeRequested:
    told = {"not_after": NOW + timedelta(days=1), "attempt": number, "amount_minor": 4900, "currency": "eur", "because": f"ladder_{number}"}
    return ChargeRequested(**a.header(f"acct_1.in_1.charge.{number}", NOW), **({"subscription": a.SUBSCRIPTION} | told | fields))


def of(invoice: str) -> ChargeRequested:
    return msgspec.structs.replace(a_charge(), id=f"acct_1.{invoice}.charge.1", invoice=invoice)


def a_mail(number: int = 1, **fields: Any) -> MessageRequested:
    told = {"not_after": NOW + timedelta(days=1), "template": "payment_failed_1", "step": 1, "amount_minor": 4900, "currency": "eur"}
    return MessageRequested(**a.header(f"acct_1.in_1.message.{number}", NOW), **({"subscription": a.SUBSCRIPTION} | told | fields))


def an_event(kind: str, sequence: int, **fields: Any) -> Event:
    told = {"account": a.ACCOUNT, "invoice": a.INVOICE, "occurred_at": NOW, "received_at": NOW, "currency": "eur", "amount_minor": 4900}
    return Event(event_type=kind, sequence=sequence, **(told | fields))  # type: ignore[arg-type] # one of the types


class Watched:
    """A watch over one open case, told what a wrong program would do."""

    def __init__(self, account: Account | None = None) -> None:
        self.watch = Watch()
        self.account = account or a.an_account()
        self.row = a.a_customer(a.a_case(card=a.VISA, retry_at=a.at(days=2)))
        self.tell(a.a_failure(), events=[an_event("payment_failed", 1, status="retrying")])

    def tell(self, fact: Any, *effects: Effect, events: list[Event] | None = None, days: float = 1) -> "Watched":
        noted = [Event(event_type="fact_had_no_effect", account=a.ACCOUNT, occurred_at=NOW, received_at=NOW)]
        self.watch.step(True, fact, a.at(days=days), self.account, Step(self.row, list(effects), noted if events is None else events))
        return self

    def other(self, invoice: str) -> "Watched":
        """A second open case on the same card."""
        self.row.cases[invoice] = a.a_case(invoice=invoice, card=a.VISA, retry_at=a.at(days=2))
        return self.tell(a.a_failure(), events=[an_event("payment_failed", 1, invoice=invoice, status="retrying")])

    @property
    def broken(self) -> set[str]:
        return {promise for promise, _ in self.watch.breaches}


def under(**policy: Any) -> Watched:
    return Watched(a.an_account(a.a_policy(**policy)))


def test_what_is_allowed_is_no_breach() -> None:
    assert Watched().tell(a.a_tick(NOW), a_charge()).tell(a.a_tick(NOW), a_mail()).broken == set()


def cases() -> list[tuple[str, Watched]]:
    """Each promise, and a program that breaks it."""
    tick = a.a_tick(NOW)
    declined = a.a_settlement("acct_1.in_1.charge.1", NOW, "declined")
    ended = SubscriptionEnded(**a.header("evt_s", NOW, ""), subscription=a.SUBSCRIPTION)
    tokyo = ConsentGiven(**a.header("evt_c", NOW, ""), proof="form", zone="Asia/Tokyo")
    sms = a_mail(medium="sms")
    held = under(experiment=Experiment(holdout_share=0.5, salt="s"))
    held.row.arm = "holdout"
    at_night = under(sms=SmsPolicy(enabled=True), contact=ContactPolicy(sms_from_hour=8, sms_until_hour=18))
    return [
        (
            "nothing is done on a closed case",
            Watched().tell(tick, events=[an_event("case_closed", 2, status="closed")]).tell(tick, a_mail()),
        ),
        ("who has cancelled or gone is left alone", Watched().tell(ended).tell(tick, a_charge())),
        ("what a person stopped stays stopped", Watched().tell(StopRequested(**a.header("c", NOW), who="ada")).tell(tick, a_charge())),
        ("never two charges for one plan", Watched().tell(tick, a_charge()).tell(tick, a_charge(2))),
        ("never two charges for one plan", Watched().tell(tick, a_charge()).tell(declined).tell(tick, a_charge(2, attempt=1))),
        ("no more retries than the ladder has", Watched().tell(tick, a_charge(4))),
        ("nothing is retried after the window", Watched().tell(tick, a_charge(), days=15)),
        ("the policy's switches hold", under(retry=RetryPolicy(enabled=False)).tell(tick, a_charge())),
        ("the policy's switches hold", under(dunning=DunningPolicy(enabled=False)).tell(tick, a_mail())),
        ("observing, nothing is done", under(mode="observe").tell(tick, a_charge())),
        ("a paused account does nothing", Watched(a.an_account(paused=True)).tell(tick, a_charge())),
        ("the holdout is left alone", held.tell(tick, a_charge())),
        ("the amount is what is owed", Watched().tell(tick, a_charge(amount_minor=100))),
        ("the invoice's budget holds", under(budgets=Budgets(per_invoice=1)).tell(a.a_reading("r", NOW)).tell(tick, a_charge())),
        ("the card networks' limits hold", under(budgets=Budgets(visa_30_days=1)).tell(a.a_reading("r", NOW)).tell(tick, a_charge())),
        (
            "the card networks' limits hold",
            Watched(a.an_account(a.a_policy(budgets=Budgets(visa_30_days=1)))).other("in_2").tell(tick, a_charge()).tell(tick, of("in_2")),
        ),
        (
            "a card that said never is never tried",
            Watched().tell(tick, a_charge()).tell(msgspec.structs.replace(declined, decline=LOST)).tell(tick, a_charge(2)),
        ),
        ("mails keep their distance", Watched().tell(tick, a_mail()).tell(tick, a_mail(2))),
        (
            "no more mails than the cap",
            under(contact=ContactPolicy(min_hours_between=1, max_per_30_days=1)).tell(tick, a_mail()).tell(tick, a_mail(2), days=2),
        ),
        ("three mails at most", Watched().tell(tick, a_mail(step=4))),
        ("no SMS in quiet hours", at_night.tell(tokyo).tell(tick, sms, days=1.1)),
        ("an effect's id is never used again", Watched().tell(tick, a_charge()).tell(tick, a_charge())),
        ("the events of an invoice have no gaps", Watched().tell(tick, events=[an_event("retry_scheduled", 3)])),
        ("every reason has plain words", Watched().tell(tick, events=[an_event("retry_skipped", 2, reason="whim")])),
        ("details have known names", Watched().tell(tick, events=[an_event("retry_skipped", 2, details={"mood": "bad"})])),
        ("details have known names", Watched().tell(tick, events=[an_event("dunning_skipped", 2, details={"step": "None"})])),
        ("a next action has its time", Watched().tell(tick, events=[an_event("retry_scheduled", 2, next_action="retry")])),
        ("an effect's id names its kind", Watched().tell(tick, msgspec.structs.replace(a_charge(), id="acct_1.in_1.END.1"))),
        ("every message keeps its contract", Watched().tell(tick, events=[an_event("no_such_event", 2)])),
        ("every fact leaves an event", Watched().tell(a.a_change(), events=[])),
        ("one cause for each unit of money", Watched().tell(tick, events=[an_event("payment_recovered", 2, recovered_minor=4900)])),
        (
            "one cause for each unit of money",
            Watched().tell(tick, events=[an_event("payment_recovered", 2, recovered_minor=4901, recovered_by="customer")]),
        ),
        ("no more goes back than came", Watched().tell(tick, events=[an_event("recovery_reversed", 2, recovered_minor=1)])),
    ]


@pytest.mark.parametrize(("promise", "watched"), cases())
def test_each_broken_promise_is_seen(promise: str, watched: Watched) -> None:
    assert promise in watched.broken


def test_a_decision_that_goes_on_and_on_is_seen() -> None:
    many = [an_event("case_updated", number + 2, status="retrying") for number in range(60)]
    assert Watched().tell(a.a_tick(NOW), events=many).broken == {"a decision ends soon"}


def test_a_row_that_is_always_due_is_seen() -> None:
    watched = Watched()
    watched.row.next_due_at = NOW
    for _ in range(9):
        watched.tell(a.a_tick(NOW), events=[])
    assert watched.broken == {"a decision leaves an appointment ahead"}


@pytest.mark.parametrize("appointment", [None, a.at(days=500)])
def test_an_open_case_without_an_appointment_or_with_one_out_of_sight_is_seen(appointment: datetime | None) -> None:
    watched = Watched()
    watched.row.cases[a.INVOICE].retry_at = appointment
    assert watched.tell(a.a_tick(NOW), events=[]).broken == {"an open case has an appointment"}


@pytest.mark.parametrize("event", [{"recovered_minor": 2**63}, {"occurred_at": datetime(2300, 1, 1, tzinfo=UTC)}])
def test_an_event_that_the_warehouse_cannot_hold_is_seen(event: dict[str, Any]) -> None:
    watched = Watched().tell(a.a_tick(NOW), events=[an_event("case_updated", 2, **event)])
    assert "every message keeps its contract" in watched.broken


def test_a_decision_that_fails_is_seen() -> None:
    def fails(*_: object) -> Step:
        raise OverflowError("date value out of range")

    assert {promise for promise, _ in Life(3, 8, fails).run().watch.breaches} == {"a decision is made without an error"}


def test_lives_with_jumps_many_invoices_and_impossible_facts_are_among_them() -> None:
    lives = [Life(11, number) for number in range(300)]
    assert sum(life.twisted for life in lives) > 10
    assert sum(life.jumps > 0 for life in lives) > 20
    assert sum(len(life.truth.bills) > 5 for life in lives) > 2


def test_a_proof_by_several_processes_is_the_sum_of_its_parts() -> None:
    whole = together(2_000, 5, 2)
    parts = [prove(1_000, 5, first, None, 2) for first in range(2)]
    assert (whole.decisions, whole.asked) == (sum(part.decisions for part in parts), parts[0].asked + parts[1].asked)


def test_a_case_that_never_ends_is_seen() -> None:
    watched = Watched()
    watched.watch.finished(watched.row)
    assert watched.broken == {"every case ends"}
