"""Dispatch: everything that waits gets one outcome, and one broken effect holds up nobody else."""

import threading

import msgspec
import pytest

from recovery.contracts.encoding.codec import decode_fact, decode_parked, encode
from sinks.effects.engine.dispatcher import Dispatcher
from sinks.effects.engine.ledger import Arrival, Ledger, Redrive
from sinks.effects.engine.queue import ROOM
from sinks.effects.engine.worker_pools import WORK, WORKERS, kind_of_work, work
from sinks.effects.performer import ClaimRefused, InDoubt, RetryLater, Settled, not_performed, pause_before
from tests.support.alerts import alert
from tests.support.waiting import until


class Time:
    """A wall clock that a test moves."""

    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


@pytest.fixture
def time(now):
    return Time(now)


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    yield ledger
    ledger.close()


@pytest.fixture
def paused():
    return set()


@pytest.fixture
def make(ledger, door, clocks, time, paused):
    made = []

    def dispatcher(performer, room=ROOM):
        kinds = dict.fromkeys(WORK, performer)
        made.append(Dispatcher(ledger, kinds, door, msgspec.structs.replace(clocks, wall=time), paused.__contains__, room))
        return made[-1]

    yield dispatcher
    for one in made:
        one.close()


def put(ledger, dispatcher, *effects):
    arrivals = [
        Arrival(
            id=effect.id,
            account=effect.account,
            customer=effect.customer,
            invoice=effect.invoice,
            kind=kind_of_work(effect),
            body=encode(effect),
            place=f"effects.stripe-0-{number}",
            received_at=float(number),
            not_after=effect.not_after.timestamp(),
        )
        for number, effect in enumerate(effects)
    ]
    ledger.receive(arrivals, [], [], 0.0)
    dispatcher.add(arrivals)


def turn(dispatcher):
    """Start what is due and write down its answers; answers how many were started."""
    started = dispatcher.start()
    until(lambda: dispatcher.collect() >= 0 and dispatcher.in_work == 0, 5, "the workers")
    return started


def outcomes(ledger):
    return {message.id: decode_fact(message.value) for message in ledger.to_publish() if message.topic == "facts"}


def test_an_effect_is_performed_and_its_outcome_stored(make, ledger, charge, clocks):
    dispatcher = make(lambda job: Settled(not_performed(job.effect, "for a test", clocks)))
    put(ledger, dispatcher, charge)
    assert turn(dispatcher) == 1
    assert outcomes(ledger)[charge.id].why == "for a test"
    assert len(dispatcher) == 0


def test_an_expired_or_withdrawn_effect_never_reaches_its_performer(make, ledger, charge, mail, now):
    dispatcher = make(lambda job: pytest.fail("performed"))
    late = msgspec.structs.replace(charge, not_after=now.replace(year=2025))
    put(ledger, dispatcher, late, msgspec.structs.replace(mail, customer="cus_2"))
    ledger.receive([], [(mail.id, "paid")], [], 0.0)
    turn(dispatcher)
    assert {effect: fact.why for effect, fact in outcomes(ledger).items()} == {charge.id: "expired", mail.id: "withdrawn"}


def test_an_effect_that_failed_for_a_passing_reason_is_tried_again_when_its_pause_is_over(make, ledger, charge, clocks, time):
    answers = [RetryLater("busy"), Settled(not_performed(charge, "done", clocks))]
    dispatcher = make(lambda job: answers.pop(0))
    put(ledger, dispatcher, charge)
    turn(dispatcher)
    assert turn(dispatcher) == 0
    time.now = time.now.replace(second=time.now.second + 1)
    assert turn(dispatcher) == 1
    assert outcomes(ledger)[charge.id].why == "done"


def test_a_doubt_comes_back_with_the_time_of_its_first_claim(make, ledger, charge, clocks, time, now):
    seen = []

    def perform(job):
        seen.append((job.possibly_done_since, job.in_doubt_count))
        job.claim()
        return InDoubt("cut") if len(seen) == 1 else Settled(not_performed(job.effect, "read", clocks))

    dispatcher = make(perform)
    put(ledger, dispatcher, charge)
    turn(dispatcher)
    time.now = time.now.replace(minute=1)
    turn(dispatcher)
    assert seen == [(None, 0), (now, 1)]


def test_a_withdrawal_between_the_look_and_the_claim_stops_the_effect(make, ledger, charge):
    def perform(job):
        ledger.receive([], [(charge.id, "paid")], [], 0.0)
        job.claim()
        pytest.fail("claimed")

    dispatcher = make(perform)
    put(ledger, dispatcher, charge)
    turn(dispatcher)
    turn(dispatcher)
    assert outcomes(ledger)[charge.id].why == "withdrawn"


@pytest.mark.parametrize(("claims", "result"), [(False, "failed"), (True, "unknown")])
def test_a_performer_that_breaks_five_times_parks_its_effect_and_lets_its_case_go_on(make, ledger, mail, time, claims, result):
    tries = []

    def break_down(job):
        tries.append(job.attempt)
        if claims and not job.possibly_done_since:
            job.claim()
        raise ZeroDivisionError("of ana@payer.example")

    dispatcher = make(break_down)
    put(ledger, dispatcher, mail)
    for minute in range(1, 8):
        time.now = time.now.replace(minute=minute)
        turn(dispatcher)
    assert tries == [0, 1, 2, 3, 4]
    assert (outcomes(ledger)[mail.id].result, outcomes(ledger)[mail.id].why) == (result, "parked")
    (parked,) = [decode_parked(message.value) for message in ledger.to_publish() if message.topic == "parked.sinks"]
    assert (parked.value, parked.topic, parked.offset) == (encode(mail), "effects.stripe", 0)
    assert parked.error == "ZeroDivisionError: of <address>"
    assert parked.headers == {"effect": mail.id, "result": result, "reopened": "0"}


def test_a_given_up_mail_that_is_put_back_is_performed_once_and_its_outcome_is_another_fact(make, ledger, mail, time, clocks):
    broken = [True]

    def perform(job):
        if broken[0]:
            raise ZeroDivisionError
        return Settled(not_performed(job.effect, "performed", clocks))

    dispatcher = make(perform)
    put(ledger, dispatcher, mail)
    for minute in range(1, 8):
        time.now = time.now.replace(minute=minute)
        turn(dispatcher)
    first = outcomes(ledger)[mail.id]
    ledger.mark_published([mail.id, f"parked:{mail.id}"])
    broken[0] = False
    for _ in range(2):
        ledger.redrive([Redrive(id=mail.id, in_doubt=False, reopened=0)])
        put(ledger, dispatcher, mail)
        turn(dispatcher)
        ledger.mark_published([mail.id])
    put(ledger, dispatcher, mail)
    second = outcomes(ledger)[mail.id]
    assert (first.why, second.why) == ("parked", "performed")
    assert second.id == f"{first.id}:1"


def test_a_given_up_charge_says_that_its_case_has_decided_anew(make, ledger, charge, time):
    def break_down(_):
        raise ZeroDivisionError

    dispatcher = make(break_down)
    put(ledger, dispatcher, charge)
    for minute in range(1, 8):
        time.now = time.now.replace(minute=minute)
        turn(dispatcher)
    (parked,) = [decode_parked(message.value) for message in ledger.to_publish() if message.topic == "parked.sinks"]
    assert parked.headers["decided_anew"] == "charge_requested"


def test_a_paused_account_is_read_but_neither_charged_nor_written_to(make, ledger, paused, charge, mail, read, clocks):
    dispatcher = make(lambda job: Settled(not_performed(job.effect, "performed", clocks)))
    paused.add("acct_1")
    others = [msgspec.structs.replace(one, customer=one.id) for one in (charge, mail, read)]
    put(ledger, dispatcher, *others)
    turn(dispatcher)
    whys = {effect: fact.why for effect, fact in outcomes(ledger).items()}
    assert whys == {charge.id: "account_paused", mail.id: "account_paused", read.id: "performed"}


def test_a_pause_between_the_look_and_the_claim_stops_the_effect(make, ledger, paused, charge):
    def perform(job):
        paused.add("acct_1")
        job.claim()
        pytest.fail("claimed")

    dispatcher = make(perform)
    put(ledger, dispatcher, charge)
    turn(dispatcher)
    turn(dispatcher)
    assert outcomes(ledger)[charge.id].why == "account_paused"


def test_two_customers_are_served_at_once_and_one_customer_one_after_the_other(make, ledger, charge, clocks):
    both, together, most = threading.Barrier(2, timeout=5), [], []

    def perform(job):
        together.append(job.effect.customer)
        most.append(together.count(job.effect.customer))
        if job.effect.id.endswith(".1"):
            both.wait()
        together.remove(job.effect.customer)
        return Settled(not_performed(job.effect, "done", clocks))

    dispatcher = make(perform)
    effects = [msgspec.structs.replace(charge, id=f"{who}.{n}", customer=who) for n in (1, 2, 3) for who in ("cus_1", "cus_2")]
    put(ledger, dispatcher, *effects)
    until(lambda: turn(dispatcher) >= 0 and len(outcomes(ledger)) == 6, 5, "six outcomes")
    assert max(most) == 1


def test_pauses_double_from_a_fifth_of_a_second_to_half_a_minute():
    assert [pause_before(number) for number in (1, 2, 3, 9, 50)] == [0.2, 0.4, 0.8, 30.0, 30.0]


def test_a_refused_claim_is_no_failure(make, ledger, charge):
    def perform(job):
        raise ClaimRefused("settled meanwhile")

    dispatcher = make(perform)
    put(ledger, dispatcher, charge)
    turn(dispatcher)
    assert [row.state for row in ledger.unfinished()] == ["waiting"]


def test_a_performers_own_pause_outlives_the_process(make, ledger, mail, time, now):
    dispatcher = make(lambda job: RetryLater("the receiver answered 500", after=3600.0))
    put(ledger, dispatcher, mail)
    turn(dispatcher)
    again = make(lambda job: RetryLater("again", after=3600.0))
    again.restore(ledger.unfinished())
    time.now = now.replace(minute=59)
    assert turn(again) == 0
    time.now = now.replace(hour=13)
    assert turn(again) == 1


@pytest.mark.parametrize("why", ["withdrawn", "account_paused"])
def test_what_waits_for_hours_is_answered_at_once_when_it_is_withdrawn_or_its_account_paused(make, ledger, paused, mail, why):
    dispatcher = make(lambda job: RetryLater("busy", after=3600.0))
    put(ledger, dispatcher, mail)
    turn(dispatcher)
    if why == "withdrawn":
        ledger.receive([], [(mail.id, "paid")], [], 0.0)
        dispatcher.withdrawn([mail.id])
    else:
        paused.add("acct_1")
        dispatcher.account_paused()
    assert turn(dispatcher) == 1
    assert outcomes(ledger)[mail.id].why == why


def test_an_account_at_stripes_limit_or_paused_is_still_told_things(make, ledger, door, paused, charge, clocks):
    door.wait = lambda account: 5.0
    paused.add("acct_1")
    dispatcher = make(lambda job: Settled(not_performed(job.effect, "told", clocks)))
    told = alert(medium="slack", occurred_at=charge.occurred_at)
    put(ledger, dispatcher, charge, msgspec.structs.replace(told, not_after=charge.not_after))
    assert turn(dispatcher) == 1
    assert {effect: fact.why for effect, fact in outcomes(ledger).items()} == {told.id: "told"}


def test_an_alert_does_not_wait_for_a_charge_of_its_customer(make, ledger, charge, clocks):
    release, alerted = threading.Event(), threading.Event()

    def perform(job):
        if job.effect.id == charge.id:
            assert release.wait(5)
        else:
            alerted.set()
        return Settled(not_performed(job.effect, "done", clocks))

    dispatcher = make(perform)
    told = msgspec.structs.replace(alert(), customer=charge.customer, not_after=charge.not_after)
    put(ledger, dispatcher, charge, told)
    assert dispatcher.start() == 2
    assert alerted.wait(5), "while the charge is under way"
    release.set()
    until(lambda: dispatcher.collect() >= 0 and dispatcher.in_work == 0, 5, "the workers")


def test_while_the_switches_are_unknown_nothing_that_they_stop_is_begun_or_answered(ledger, door, clocks, charge, mail, read, time):
    known = {"acct_1": None}
    kinds = dict.fromkeys(WORK, lambda job: Settled(not_performed(job.effect, "performed", clocks)))
    dispatcher = Dispatcher(ledger, kinds, door, msgspec.structs.replace(clocks, wall=time), known.get)
    put(ledger, dispatcher, charge, mail, msgspec.structs.replace(read, customer="cus_2", account="acct_2"))
    turn(dispatcher)
    assert outcomes(ledger).keys() == {read.id}
    known["acct_1"] = False
    time.now = time.now.replace(second=1)
    turn(dispatcher)
    time.now = time.now.replace(second=2)
    turn(dispatcher)  # of one customer one after the other
    assert outcomes(ledger).keys() == {read.id, charge.id, mail.id}
    dispatcher.close()


def test_an_effect_is_not_claimed_after_the_switches_have_become_unknown(ledger, door, clocks, charge):
    known = {"acct_1": False}

    def perform(job):
        known["acct_1"] = None
        job.claim()
        pytest.fail("claimed")

    dispatcher = Dispatcher(ledger, dict.fromkeys(WORK, perform), door, clocks, known.get)
    put(ledger, dispatcher, charge)
    turn(dispatcher)
    assert [row.state for row in ledger.unfinished()] == ["waiting"]
    dispatcher.close()


@pytest.mark.parametrize("kind", ["charge_requested", "message_requested", "message_requested.sms", "webhook_requested"])
def test_thousands_of_effects_that_never_end_leave_workers_to_another_account(ledger, door, clocks, charge, kind):
    """Counted, not timed: the second account's effect begins while every effect of the first one hangs."""
    release, other = threading.Event(), threading.Event()

    def perform(job):
        if job.effect.account == "acct_2":
            other.set()
        else:
            release.wait()
        return Settled(not_performed(job.effect, "done", clocks))

    dispatcher = Dispatcher(ledger, dict.fromkeys(WORK, perform), door, clocks, lambda account: False)
    made = [msgspec.structs.replace(charge, id=f"acct_1.in_{n}.x-e{n}.1", customer=f"cus_{n}", invoice=f"in_{n}") for n in range(3000)]
    made.append(msgspec.structs.replace(charge, id="acct_2.in_1.x-e.1", account="acct_2"))
    fields = {"place": "effects.stripe-0-0", "received_at": 0.0, "kind": kind, "not_after": charge.not_after.timestamp()}
    arrivals = [
        Arrival(id=one.id, account=one.account, customer=one.customer, invoice=one.invoice, body=encode(one), **fields) for one in made
    ]
    ledger.receive(arrivals, [], [], 0.0)
    dispatcher.add(arrivals)
    try:
        assert dispatcher.start() == WORKERS[work(kind).lane] // 2 + 1
        assert other.wait(30)
    finally:
        release.set()
        dispatcher.close()


def many(charge, number):
    return [
        msgspec.structs.replace(charge, id=f"acct_1.in_{n:05}.charge.1", customer=f"cus_{n}", invoice=f"in_{n:05}") for n in range(number)
    ]


def test_more_effects_than_are_kept_in_memory_are_all_performed_once(make, ledger, charge, clocks):
    performed = []

    def perform(job):
        performed.append(job.effect.id)
        return Settled(not_performed(job.effect, "done", clocks))

    dispatcher = make(perform, room=50)
    asked = many(charge, 220)
    put(ledger, dispatcher, *asked)
    assert len(dispatcher) == 50
    until(lambda: turn(dispatcher) == 0, 120, "everything to be performed")
    assert sorted(performed) == [one.id for one in asked]


def test_after_a_restart_too_and_what_sleeps_for_hours_is_found_when_it_is_due_or_withdrawn(make, ledger, charge, clocks, time):
    asked = many(charge, 220)
    put(ledger, make(lambda job: RetryLater("not now", after=7200.0)), *asked)
    answers = []

    def perform(job):
        answers.append(job.effect.id)
        return RetryLater("not now", after=7200.0)

    dispatcher = make(perform, room=50)
    dispatcher.restore(ledger.unfinished())
    until(lambda: turn(dispatcher) == 0 and len(answers) == len(asked), 120, "everything to be tried")
    assert sorted(answers) == [one.id for one in asked]
    (gone,) = [one.id for one in asked if one.id == answers[-1]]
    ledger.receive([], [(gone, "paid")], [], 0.0)
    dispatcher.withdrawn([gone])
    turn(dispatcher)
    assert outcomes(ledger)[gone].why == "withdrawn"
    time.now = time.now.replace(hour=15)
    until(lambda: turn(dispatcher) == 0 and len(answers) == 2 * len(asked) - 1, 120, "everything to be tried again")
