"""Who is next."""

from sinks.effects.engine.queue import LEAST_ROOM, MOST, PAUSE, ROOM, EffectQueue, refer_to


def ticket(effect, customer="c1", kind="charge_requested", account="a"):
    return refer_to(effect, account, customer, kind)


def free(_ticket):
    return 0.0


def taken(waiting, number=10, now=0.0, lane="stripe", hold=free):
    return [one.effect for one in waiting.take(lane, number, now, hold)]


def test_one_customer_is_served_serially_and_two_in_parallel():
    waiting = EffectQueue()
    first = ticket("e1")
    waiting.add([first, ticket("e2"), ticket("e3", "c2"), ticket("m1", kind="message_requested")])
    assert taken(waiting) == ["e1", "e3"]
    assert taken(waiting, lane="mail") == []
    waiting.finish(first)
    assert taken(waiting) == ["e2"]
    waiting.finish(ticket("e2"))
    assert taken(waiting, lane="mail") == ["m1"]


def test_an_effect_that_waits_for_a_retry_lets_its_customers_others_go():
    waiting = EffectQueue()
    first = ticket("e1")
    waiting.add([first, ticket("e2")])
    taken(waiting)
    waiting.retry(first, 5.0)
    assert taken(waiting, now=4.9) == ["e2"]
    waiting.finish(ticket("e2"))
    assert taken(waiting, now=5.0) == ["e1"]


def test_an_account_at_its_limit_waits_and_holds_up_nobody_else():
    waiting = EffectQueue()
    waiting.add([ticket(f"e{n}", f"c{n}") for n in range(3)] + [ticket("other", "c9", account="b")])
    assert taken(waiting, hold=lambda ticket: 1.0 if ticket.serial_key[0] == "a" else 0.0) == ["other"]
    assert taken(waiting, now=0.9) == []
    assert taken(waiting, now=1.1) == ["e0", "e1", "e2"]


def test_no_more_are_taken_than_there_are_workers_and_none_twice():
    waiting = EffectQueue()
    waiting.add([ticket(f"e{n}", f"c{n}") for n in range(5)])
    waiting.add([ticket("e0", "c0")])
    assert taken(waiting, 2) == ["e0", "e1"]
    assert taken(waiting, 9) == ["e2", "e3", "e4"]
    assert len(waiting) == 5


def test_an_effect_of_a_former_process_waits_for_its_time():
    waiting = EffectQueue()
    waiting.add_later(ticket("e1"), 3600.0)
    waiting.add([ticket("e1")])
    assert taken(waiting, now=3599.0) == []
    assert taken(waiting, now=3600.0) == ["e1"]


def test_an_effect_that_is_woken_before_its_time_is_due_once():
    waiting = EffectQueue()
    waiting.add_later(ticket("e1"), 5.0)
    waiting.add_later(ticket("e2", "c2", account="b"), 5.0)
    waiting.wake(["e1", "never seen"])
    assert taken(waiting, now=1.0) == ["e1"]
    waiting.retry(ticket("e1"), 9.0)
    assert taken(waiting, now=5.0) == ["e2"]
    waiting.wake_where(lambda one: one.serial_key[0] == "a")
    assert taken(waiting, now=6.0) == ["e1"]
    assert taken(waiting, now=9.0) == []


def test_accounts_take_turns_however_much_one_of_them_asks_for():
    waiting = EffectQueue()
    waiting.add([ticket(f"a{n}", f"c{n}") for n in range(1000)])
    waiting.add([ticket(f"b{n}", f"c{n}", account="b") for n in range(3)] + [ticket("c0", account="c")])
    assert taken(waiting, 10) == ["a0", "b0", "c0", "a1", "b1", "a2", "b2"]


def test_an_account_leaves_as_many_workers_idle_as_it_holds():
    waiting = EffectQueue()
    held = [ticket(f"a{n}", f"c{n}") for n in range(100)]
    waiting.add(held)
    assert len(taken(waiting, 32)) == 16
    assert taken(waiting, 16) == []
    waiting.add([ticket(f"b{n}", f"c{n}", account="b") for n in range(100)])
    assert len(taken(waiting, 16)) == 8
    waiting.finish(held[0])
    waiting.add([ticket("c0", account="c")])
    assert taken(waiting, 1) == ["c0"], "whoever holds least"


def test_an_account_that_is_held_keeps_its_order_and_its_turn():
    waiting = EffectQueue()
    waiting.add([ticket("e0", "c0"), ticket("e1", "c1")])
    assert taken(waiting, hold=lambda ticket: 1.0) == []
    waiting.add([ticket("e2", "c2")])
    assert taken(waiting, now=0.5) == []
    assert taken(waiting, now=1.0) == ["e0", "e1", "e2"]


def everything(effects, at=0.0):
    return [(ticket(effect, effect), at) for effect in effects]


def test_of_very_many_effects_of_an_account_the_first_are_kept_and_the_rest_is_left_to_the_ledger():
    waiting = EffectQueue()
    names = [f"e{n:05}" for n in range(3 * ROOM)]
    waiting.add(ticket(name, name) for name in names)
    waiting.add([ticket("other", "c1", account="b")])
    assert len(waiting) == ROOM + 1
    assert waiting.short(0.0) == []
    done = []
    while len(done) < len(names):
        for one in waiting.take("stripe", 16, 0.0, free):
            waiting.finish(one)
            done += [one.effect] if one.effect != "other" else []
        for queue, asked in waiting.short(0.0):
            left = [name for name in names if name not in set(done)]
            waiting.refill(queue, everything(left[:asked]), asked, 0.0)
        assert len(waiting) <= ROOM + 1
    assert sorted(done) == names
    assert len(waiting) == 0


def test_what_is_due_does_not_wait_behind_what_sleeps_for_hours():
    waiting = EffectQueue()
    for number in range(ROOM):
        waiting.add_later(ticket(f"late{number}", f"c{number}"), 9999.0)
    waiting.add([ticket("now", "c-now")])
    ((queue, asked),) = waiting.short(0.0)
    late = [(ticket(f"late{number}", f"c{number}"), 9999.0) for number in range(ROOM)]
    waiting.refill(queue, [(ticket("now", "c-now"), 0.0), *late], asked, 0.0)
    assert taken(waiting) == ["now"]
    assert len(waiting) == 1, "the late ones are the ledger's"
    waiting.finish(ticket("now", "c-now"))
    assert waiting.short(PAUSE) == [(queue, asked)]
    waiting.refill(queue, late, asked, PAUSE)
    assert waiting.short(1e9) == []
    assert len(taken(waiting, 16, now=9999.0)) == 8


def test_an_effect_that_is_tried_again_much_later_is_left_to_the_ledger_while_there_are_others():
    waiting = EffectQueue()
    waiting.add(ticket(f"e{n}", f"c{n}") for n in range(ROOM + 1))
    (first,) = waiting.take("stripe", 1, 0.0, free)
    waiting.retry(first, 7200.0)
    assert waiting.unknown([first.effect, "e1"]) == [first.effect]
    waiting.add_now(first)
    assert waiting.unknown([first.effect]) == []


def test_the_room_of_each_shrinks_when_very_many_accounts_have_much_to_do():
    waiting = EffectQueue()
    for account in range(400):
        waiting.add(ticket(f"e{account}-{n}", f"c{n}", account=f"acct_{account}") for n in range(ROOM // 4 + 100))
    assert len(waiting) <= MOST + 400 * LEAST_ROOM


def test_the_ledger_is_not_read_again_and_again_for_an_account_whose_rest_is_due_little_by_little():
    waiting = EffectQueue(room=10)
    waiting.add(ticket(f"e{n}", f"c{n}") for n in range(11))
    for one in waiting.take("stripe", 16, 0.0, free) + waiting.take("stripe", 16, 0.0, free):
        waiting.finish(one)
    reads = 0
    for tenth in range(100):
        for queue, asked in waiting.short(tenth / 10):
            reads += 1
            rest = [(ticket(f"later{n}", f"c{n}"), 59.0 + n) for n in range(200)]
            waiting.refill(queue, rest[:asked], asked, tenth / 10)
    assert reads <= 10 / PAUSE + 1
