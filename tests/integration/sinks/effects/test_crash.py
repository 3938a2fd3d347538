"""kill -9 of the sink at random moments: no charge twice, no effect without an outcome, no mail more often than its doubts allow."""

import random
import subprocess

import pytest

from recovery import ids

pytestmark = [pytest.mark.real, pytest.mark.crash]
KILLS, PER_ROUND = 14, 6
RESULTS = {"succeeded": "succeeded", "declined": "declined", "requires_action": "needs_action"}


def test_killed_at_random_moments_it_charges_once_loses_nothing_and_tells_the_truth(world):
    luck = random.Random(20261124)
    bills = world.take(KILLS * PER_ROUND)
    charged, effects, mailed = [], [], []
    world.order(pay="delay", seconds=0.15, count=200)
    for number in range(KILLS):
        process = world.start_sink()
        some = bills[number * PER_ROUND : (number + 1) * PER_ROUND]
        charges, mails = [world.charge(bill) for bill in some], [world.mail(bill, number=9) for bill in some[:2]]
        world.emit(*charges, *mails, *[world.read(bill) for bill in some[:2]])
        charged += zip(charges, some, strict=True)
        mailed += mails
        effects += [*charges, *mails, *[world.read(bill) for bill in some[:2]]]
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(luck.uniform(0.02, 0.9))
        process.kill()
        process.wait()
    world.start_sink()
    told = world.outcomes({effect.id for effect in effects}, 60)

    attempts = [one for one in world.truth()["attempts"] if one["actor"] == "api"]
    for effect, bill in charged:
        made = [one for one in attempts if one["invoice"] == bill["id"]]
        assert len(made) <= 1, made
        outcome = told[effect.id][0]
        if made:
            assert made[0]["idempotency_key"] == ids.idempotency_key(effect.id)
            asked = made[0]["decline_code"] == "authentication_required"
            assert outcome.result == ("needs_action" if asked else RESULTS[made[0]["outcome"]]), (outcome, made)
        else:
            assert outcome.result == "not_done", outcome
    assert sum(told[effect.id][0].result != "not_done" for effect, _ in charged) > len(charged) / 2
    for outcomes in told.values():
        assert all(outcome == outcomes[0] for outcome in outcomes), "an outcome told twice must be the same"
    copies = {mail["message_id"]: mail["copies"] for mail in world.truth()["mails"]}
    for mail in mailed:
        outcome = told[mail.id][0]
        sent = copies.get(ids.message_id(mail.id, "northwind.example"), 0)
        assert sent <= 2
        assert outcome.result in ({"sent", "unknown"} if sent else {"skipped", "unknown"}), (outcome, sent)
