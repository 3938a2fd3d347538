"""A card that only has to be renewed, and one that must never be tried again."""

import pytest

from recovery.contracts.facts import Decline
from tests.support import builders as a
from tests.support.story import Story

LOST = Decline(code="card_declined", decline_code="lost_card", outcome_type="issuer_declined", method_type="card")


@pytest.mark.parametrize(("decline", "tried_again"), [(a.HARD, True), (LOST, False)], ids=["expired", "lost"])
def test_a_card_attached_anew_is_tried_again_unless_it_must_never_be(decline: Decline, tried_again: bool) -> None:
    """B21, B22."""
    story = Story().opened(decline)
    story.mail_answered()
    before = len(story.charges())
    story.new_card("evt_m", a.at(days=1), a.VISA)
    story.days(1)
    assert (len(story.charges()) > before) is tried_again
