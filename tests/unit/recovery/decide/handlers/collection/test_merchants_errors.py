"""Errors that only the merchant can mend: the merchant is told, and the customer neither written to nor cut off."""

import pytest

from recovery.contracts.facts import Decline
from recovery.policy import EndPolicy
from tests.support import builders as a
from tests.support.story import Story


@pytest.mark.parametrize("decline", [Decline(code="amount_too_small"), Decline(code="card_declined", outcome_type="invalid")])
def test_the_merchant_is_told_and_the_customer_keeps_the_subscription(decline: Decline) -> None:
    story = Story(a.an_account(a.a_policy(end=EndPolicy(action="cancel")))).opened(decline)
    told = story.last("case_abandoned")
    assert told.reason in {"merchant_error", "integration_error"}
    assert told.decline_code == decline.code
    story.days(60)
    assert not story.mails() + story.charges()
    assert not [effect for effect in story.effects if type(effect).__name__ == "SubscriptionEndRequested"]


def test_a_limit_of_the_merchants_is_tried_again_and_then_told_to_the_merchant_alone() -> None:
    story = Story().opened(Decline(code="charge_exceeds_source_limit"))
    for _ in range(4):
        story.days(4)
        if story.case().active and story.charges():
            story.charge_answered(decline=Decline(code="charge_exceeds_source_limit"))
    assert (len(story.charges()), len(story.mails())) == (3, 0)
    assert story.last("case_abandoned").reason == "merchant_error"
