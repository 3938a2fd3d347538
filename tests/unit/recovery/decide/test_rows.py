"""The saved row."""

from recovery.contracts.encoding.row_codec import decode_row, encode_row, stamp, stamp_of
from recovery.decide.transition import next_action
from tests.support import builders as a
from tests.support.story import Story


def test_a_row_comes_back_as_it_was_saved() -> None:
    story = Story().opened()
    assert story.row is not None
    assert encode_row(decode_row(story.row)) == story.row


def test_the_wake_is_read_without_the_rest() -> None:
    story = Story().opened()
    assert story.row is not None
    assert stamp_of(story.row) == stamp(a.at(hours=24))


def test_the_wake_is_the_earliest_appointment() -> None:
    case = a.a_case(retry_at=a.at(days=2), dunning_at=a.at(days=1))
    assert next_action(case) == ("dunning", a.at(days=1))
    case.dunning_step = 3
    assert next_action(case) == ("abandon", a.at(days=1))
    case.read_at = a.at(hours=1)
    assert next_action(case) == ("read", a.at(hours=1))
    case.suspended_at, case.read_at = a.START, a.at(days=9)
    assert next_action(case) == ("read", a.at(days=9))


def test_remembered_ids_are_bounded() -> None:
    story = Story().opened()
    for number in range(200):
        story.tell(a.a_change(f"evt_{number}", a.at(hours=1, days=0), state=a.a_state(amount=4900 + number)))
    assert story.customer is not None
    assert len(story.customer.recent_fact_ids) <= 64
