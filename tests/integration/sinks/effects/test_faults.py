"""Broken lines, refusals and late withdrawals: at most one charge, at most one mail and a repeat, always an outcome."""

import email

import httpx
import pytest

from dunlin.stack.ports import free_ports
from recovery.adapters.kafka import Publisher, consumer
from recovery.contracts.encoding.codec import decode_parked, encode
from recovery.contracts.facts import PauseSet, ReadFailed
from tests.support.waiting import until

pytestmark = pytest.mark.real


def test_a_line_cut_after_charging_leaves_exactly_one_charge(world):
    bills = world.take(6)
    effects = [world.charge(bill) for bill in bills]
    world.order(pay="cut_after", count=4)
    world.order(pay="error_after", count=2)
    world.start_sink()
    world.emit(*effects)
    told = world.outcomes({effect.id for effect in effects})
    for effect, bill in zip(effects, bills, strict=True):
        made = world.charges_of(bill)
        assert len(made) == 1, made
        outcome = told[effect.id][0]
        expected = {"succeeded": {"succeeded"}, "declined": {"declined", "needs_action"}, "requires_action": {"needs_action"}}
        assert outcome.result in expected[made[0]["outcome"]], (outcome, made)


def test_a_line_cut_before_charging_and_a_rate_limit_only_delay_the_charge(world):
    bills = world.take(4)
    effects = [world.charge(bill) for bill in bills]
    world.order(pay="cut_before", count=2)
    world.order(pay="rate_limit", count=2)
    world.start_sink()
    world.emit(*effects)
    told = world.outcomes({effect.id for effect in effects})
    assert {told[effect.id][0].result for effect in effects} <= {"succeeded", "declined", "needs_action"}
    assert [len(world.charges_of(bill)) for bill in bills] == [1, 1, 1, 1]


def test_a_withdrawn_effect_is_not_performed_whichever_came_first(world):
    first, second, third = world.take(3)
    charge, earlier, mail = world.charge(first), world.charge(second), world.mail(third)
    world.emit(world.withdraw(earlier))
    world.emit(charge, earlier, mail)
    world.emit(world.withdraw(charge), world.withdraw(mail))
    world.start_sink()
    told = world.outcomes({charge.id, earlier.id, mail.id})
    assert [told[one.id][0].why for one in (charge, earlier, mail)] == ["withdrawn"] * 3
    assert world.charges_of(first) == world.charges_of(second) == [] == world.mails_of(third)


def test_an_expired_effect_is_answered_and_not_performed(world):
    bill, other, third = world.take(3)
    effects = [world.charge(bill, days=-1), world.mail(other, days=-1), world.read(third, days=-1)]
    world.start_sink()
    world.emit(*effects)
    told = world.outcomes({effect.id for effect in effects})
    assert [told[effect.id][0].why for effect in effects] == ["expired"] * 3
    assert world.charges_of(bill) == [] == world.mails_of(other)


def test_an_invoice_that_was_voided_or_paid_meanwhile_is_neither_charged_nor_dunned(world):
    voided, paid = world.take(2)
    headers = {"Authorization": "Bearer sk_test_sandbox"}
    httpx.post(f"{world.base}/v1/invoices/{voided['id']}/void", headers=headers).raise_for_status()
    httpx.post(f"{world.base}/v1/invoices/{paid['id']}/pay", headers=headers, data={"paid_out_of_band": "true"}).raise_for_status()
    effects = [world.charge(voided), world.charge(paid), world.mail(voided), world.mail(paid)]
    world.start_sink()
    world.emit(*effects)
    told = world.outcomes({effect.id for effect in effects})
    assert [told[effect.id][0].why for effect in effects] == ["voided", "already_paid", "voided", "already_paid"]
    assert world.mails_of(voided) == [] == world.mails_of(paid)


def test_an_effect_that_comes_again_is_told_again_with_the_same_words_and_not_performed_again(world):
    (bill,) = world.take(1)
    effect = world.charge(bill)
    world.start_sink()
    world.emit(effect)
    first = world.outcome(effect)
    world.emit(effect)
    seen = []
    until(lambda: seen.append(world.outcomes({effect.id})[effect.id]) or len(seen[-1]) == 2, 20, "the second telling")
    assert seen[-1] == [first, first]
    assert len(world.charges_of(bill)) == 1


def test_a_key_that_stripe_refuses_ends_the_effects_without_an_attempt(world):
    (bill,) = world.take(1)
    (world.home / "key").write_text("sk_test_wrong")
    charge, read = world.charge(bill), world.read(bill)
    world.start_sink()
    world.emit(charge, read)
    told = world.outcomes({charge.id, read.id})
    assert told[charge.id][0].result == "not_done"
    assert told[charge.id][0].why.startswith("not_allowed")
    assert isinstance(told[read.id][0], ReadFailed)


def test_an_unknown_invoice_is_gone(world):
    bill = {**world.take(1)[0], "id": "in_nowhere"}
    effects = [world.charge(bill), world.read(bill), world.mail(bill)]
    world.start_sink()
    world.emit(*effects)
    told = world.outcomes({effect.id for effect in effects})
    assert [told[effects[0].id][0].why, told[effects[1].id][0].gone, told[effects[2].id][0].why] == ["gone", True, "gone"]


def test_a_message_that_cannot_be_read_is_parked_with_its_bytes(world):
    publisher = Publisher(world.kafka)
    publisher.send("effects.stripe", b"acct/cus", b"{no effect", 0)
    publisher.flush()
    (bill,) = world.take(1)
    world.start_sink()
    effect = world.read(bill)
    world.emit(effect)
    world.outcome(effect)
    reader = consumer(world.kafka, f"test-parked-{world.account}")
    reader.subscribe(["parked.sinks"])
    parked = []
    until(lambda: parked.extend(m.value() for m in reader.consume(100, 0.1) if m.error() is None) or parked, 20, "the parked message")
    reader.close()
    assert decode_parked(parked[-1]).value == b"{no effect"


def test_a_mail_survives_a_mail_server_that_refuses_for_a_moment(world):
    (bill,) = world.take(1)
    effect = world.mail(bill)
    world.order(smtp="refuse", count=2)
    world.start_sink()
    world.emit(effect)
    assert world.outcome(effect).result == "sent"
    assert [mail["copies"] for mail in world.mails_of(bill)] == [1]


@pytest.mark.parametrize(("drops", "result", "copies"), [(1, "sent", 2), (5, "unknown", 2)])
def test_a_mail_whose_line_broke_after_handing_over_is_repeated_once_under_the_same_message_id(world, dropping, drops, result, copies):
    server = dropping(drops)
    effect = world.mail(world.take(1)[0])
    world.start_sink(DUNLIN_SMTP_URL=server.url)
    world.emit(effect)
    outcome = world.outcome(effect)
    assert outcome.result == result
    assert len(server.mails) == copies
    assert {email.message_from_bytes(mail)["Message-ID"] for mail in server.mails} == {outcome.message}


def test_a_slow_mail_server_does_not_delay_charges(world):
    bills = world.take(9)
    world.order(smtp="slow", count=8)
    mails, charge = [world.mail(bill) for bill in bills[:8]], world.charge(bills[8])
    world.start_sink()
    world.emit(*mails)
    world.emit(charge)
    world.outcome(charge, 3.0)


def test_no_mail_leaves_for_another_machine_unless_allowed(world):
    (bill,) = world.take(1)
    effect = world.mail(bill)
    world.start_sink(DUNLIN_SMTP_URL="smtp://mail.example.com:25")
    world.emit(effect)
    assert world.outcome(effect).why == "real_mail_disabled"


def test_a_second_process_on_the_same_ledger_is_refused_with_the_first_ones_number(world):
    first = world.start_sink()
    second = world.start_sink(wait=False)
    assert second.wait(20) == 78
    assert f"Process {first.pid} works on" in world.log()


def test_a_switch_stops_what_already_waits_and_holds_over_a_restart(world):
    def switch(paused):
        head = {"account": world.account, "occurred_at": world.now(), "received_at": world.now()}
        publisher = Publisher(world.kafka)
        for partition in range(4):
            fact = PauseSet(id=f"switch:{paused}:{partition}", **head, paused=paused, who="a test")
            publisher.send("facts", b"switch", encode(fact), partition)
        publisher.flush()

    first, second, third, fourth = world.take(4)
    waiting = world.mail(first)
    process = world.start_sink(DUNLIN_SMTP_URL="smtp://127.0.0.1:1")  # nobody listens there: the mail waits
    world.emit(waiting)
    until(lambda: f"{waiting.id} waits" in world.log(), 20, "the mail to wait")
    switch(True)
    assert world.outcome(waiting).why == "account_paused"
    process.kill()
    process.wait()
    world.start_sink()
    charge, read = world.charge(second), world.read(third)
    world.emit(charge, read)
    assert world.outcome(charge).why == "account_paused"
    assert world.outcome(read).state.status == "open"
    switch(False)
    until(lambda: "is resumed by a test" in world.log(), 20, "the switch to be heard")
    mail = world.mail(fourth)
    world.emit(mail)
    assert world.outcome(mail).result == "sent"


def test_a_stop_reaches_a_mail_that_waits_for_its_mail_server_within_seconds(world):
    """B45: people stop a customer by a command, and the streams withdraw what they asked for."""
    (bill,) = world.take(1)
    mail = world.mail(bill)
    (closed,) = free_ports(1)
    world.start_sink(DUNLIN_SMTP_URL=f"smtp://127.0.0.1:{closed}")
    world.emit(mail)
    until(lambda: f"{mail.id} waits (not done, try 6)" in world.log(), 30, "a pause of more than six seconds")
    world.emit(world.withdraw(mail))
    assert world.outcome(mail, 3).why == "withdrawn"
