"""The story of a case reads as sentences, and says of every decision why, when and under which policy."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from dunlin.ops.case_story import SENTENCES, story, when
from recovery.contracts.events import EVENT_TYPES, Event
from recovery.decide.rules.classify import classify
from tests.support import builders as a
from tests.support.story import Story


def rows(told: list[Event]) -> list[dict[str, Any]]:
    return [msgspec.structs.asdict(event) for event in told]


def recovered() -> list[dict[str, Any]]:
    played = Story().opened()
    played.days(1)
    played.charge_answered("declined")
    played.days(3)
    played.charge_answered("succeeded", state=a.a_state("paid"))
    return rows(played.events)


def test_a_recovered_case_is_told_from_failure_to_money() -> None:
    told = story(recovered())
    assert told.summary.startswith(
        "49.00 EUR failed on Mon 2 Mar 2026 09:00 UTC; recovered: our retry recovered it; 49.00 EUR was recovered"
    )
    assert told.summary.endswith("; 2 retries, 0 mails.")
    sentences = [line.sentence for line in told.lines]
    assert sentences[0] == "A payment of 49.00 EUR failed; a case was opened."
    assert "Retry 1 was made: the bank declined (insufficient funds)." in sentences
    assert "Retry 2 was made: it went through." in sentences
    assert sentences[-1] == "49.00 EUR was recovered: our retry recovered it."


def test_every_decision_has_its_reason_its_policy_and_its_next_step() -> None:
    planned = next(line for line in story(recovered()).lines if line.event_type == "retry_scheduled")
    assert planned.sentence == f"A retry was scheduled for {when(a.at(days=1))}: first step of the schedule."
    assert (planned.reason, planned.policy_version, planned.next_action, planned.next_action_at) == ("ladder_1", 1, "retry", a.at(days=1))


def test_an_open_case_says_what_comes_next() -> None:
    told = story(rows(Story().opened().events))
    assert told.summary.endswith(f"Next: retry the payment, on {when(a.at(days=1))}.")


def test_the_raw_words_of_the_bank_are_told() -> None:
    told = story(rows(Story().opened(a.HARD).events))
    classified = next(line.sentence for line in told.lines if line.event_type == "decline_classified")
    assert "hard" in classified
    assert "(the bank's codes: expired_card)" in classified
    assert classify(a.HARD, a.VISA, {}).kind == "hard"


def test_a_failure_without_a_case_is_told_too() -> None:
    played = Story()
    played.tell(a.a_failure(state=a.a_state(billing_reason="subscription_create"), livemode=True))
    told = story(rows(played.events))
    assert told.summary == "No case was opened for this invoice."
    assert "checkout" in told.lines[0].sentence


def test_every_kind_of_event_has_a_sentence() -> None:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    for kind in EVENT_TYPES:
        event = Event(event_type=kind, account="acct_1", invoice="in_1", currency="eur", occurred_at=at, received_at=at, reason="ladder_1")  # type: ignore[arg-type] # one of the types
        [line] = story(rows([event])).lines
        assert line.sentence.endswith("."), kind
        assert "_" not in line.sentence, kind
    assert set(SENTENCES) <= set(EVENT_TYPES)
