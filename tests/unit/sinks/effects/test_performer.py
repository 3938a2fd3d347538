"""Whatever may be asked of this sink has a lane and an outcome."""

from pathlib import Path

import pytest

from recovery.contracts.encoding import codec
from recovery.contracts.encoding.codec import decode_effect, decode_fact, encode
from sinks.effects.engine.receiver import TOPICS
from sinks.effects.engine.worker_pools import WORK, kind_of_work
from sinks.effects.performer import not_performed

EXAMPLES = Path(codec.__file__).parents[1] / "examples"
ASKED = sorted(path for topic in TOPICS for path in (EXAMPLES / topic).glob("v1/*.json") if path.stem != "effect_withdrawn")


@pytest.mark.parametrize("path", ASKED, ids=lambda path: path.stem)
@pytest.mark.parametrize("result", ["skipped", "failed", "unknown"])
def test_every_effect_that_comes_here_has_a_lane_and_an_outcome_when_it_is_not_performed(path, result, clocks):
    effect = decode_effect(path.read_bytes())
    assert kind_of_work(effect) in WORK
    fact = decode_fact(encode(not_performed(effect, "for a test", clocks, result)))
    assert (fact.effect, fact.cause, fact.customer, fact.why) == (effect.id, effect.id, effect.customer, "for a test")


def test_the_topics_are_those_of_the_table():
    assert set(TOPICS) == {"effects.stripe", "effects.messages", "effects.webhooks"}
