"""How long a busy worker waits for further facts, and that an idle one does not."""

from streams.kafka.linger import ENOUGH, Linger


def test_what_comes_after_a_pause_is_taken_at_once():
    linger = Linger(0.05)
    assert linger.rest(100.0) <= 0
    linger.taken(100.0, 1)
    assert linger.rest(100.05) <= 0


def test_while_facts_keep_coming_the_next_ones_are_taken_together():
    linger = Linger(0.05)
    linger.taken(100.0, 1)
    assert 0.029 < linger.rest(100.02) < 0.031


def test_a_look_that_brought_nothing_delays_nothing():
    linger = Linger(0.05)
    linger.taken(100.0, 0)
    assert linger.rest(100.0) <= 0


def test_a_backlog_is_worked_off_without_pauses():
    linger = Linger(0.05)
    linger.taken(100.0, ENOUGH)
    assert linger.rest(100.0) <= 0
