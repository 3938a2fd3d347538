"""One example for each type and version, for ever: it decodes, and encodes to the same."""

import json
from pathlib import Path
from typing import get_args

import pytest

from recovery.contracts.effects import AnyEffect
from recovery.contracts.encoding import codec
from recovery.contracts.events import EVENT_TYPES, OUTCOME_TYPES
from recovery.contracts.facts import AnyFact
from recovery.contracts.topics import TOPICS, effects_topic

FOLDER = Path(codec.__file__).parents[1] / "examples"
EXAMPLES = sorted(FOLDER.glob("*/v*/*.json"))
DECODERS = {
    "facts": codec.decode_fact,
    "effects": codec.decode_effect,
    "recovery": codec.decode_event,
    "parked": codec.decode_parked,
    "parked.notes": codec.decode_note,
    "redrive": codec.decode_parked,
}


def decode(path):
    topic = path.parts[-3]
    return DECODERS.get(topic, DECODERS.get(topic.split(".")[0]))(path.read_bytes())


def holds(encoded, example):
    """Whether nothing that the example says is lost; fields that came later have their defaults."""
    if isinstance(example, dict):
        return all(name in encoded and holds(encoded[name], value) for name, value in example.items())
    if isinstance(example, list):
        return len(encoded) == len(example) and all(map(holds, encoded, example))
    return encoded == example


def names(topic):
    return {path.stem for path in FOLDER.glob(f"{topic}/v{codec.CURRENT_VERSION}/*.json")}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: "/".join(path.parts[-3:]))
def test_an_example_decodes_and_encodes_to_the_same(path):
    message = decode(path)
    assert holds(json.loads(codec.encode(message)), json.loads(path.read_bytes()))
    assert getattr(message, "event_type", None) or message.__struct_config__.tag == path.stem


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: "/".join(path.parts[-3:]))
def test_an_example_lies_in_the_folder_of_its_version(path):
    assert f"v{decode(path).version}" == path.parent.name


def test_every_topic_with_messages_of_ours_has_examples():
    assert {path.parts[-3] for path in EXAMPLES} == {topic.name for topic in TOPICS if topic.carries}


def test_every_fact_has_an_example():
    assert names("facts") == {fact.__struct_config__.tag for fact in get_args(AnyFact)}


def test_every_effect_has_an_example_on_its_topic():
    for effect in get_args(AnyEffect):
        tag = effect.__struct_config__.tag
        assert tag in names(effects_topic(tag))
    assert "effect_withdrawn" in names("effects.messages") & names("effects.stripe")


def test_every_event_type_has_an_example():
    assert names("recovery.events") == set(EVENT_TYPES)
    assert names("recovery.outcomes") == OUTCOME_TYPES


def test_every_parking_topic_has_an_example_of_its_own_stage():
    for stage in ("gateway", "streams", "sinks"):
        assert decode(FOLDER / f"parked.{stage}" / "v1" / "parked.json").stage == stage


def test_no_example_holds_an_address():
    for path in EXAMPLES:
        text = path.read_text()
        assert "@" not in text.replace("@heron.example>", ""), path


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "no body"),
        (b"", "cannot be read"),
        (b"\xff", "cannot be read"),
        (b'{"type":"payment_vanished"}', "payment_vanished"),
        (b'{"type":"time_passed"}', "missing required field"),
        (
            b'{"type":"time_passed","id":"x","account":"","occurred_at":"2026-11-03T09:14:07Z","received_at":"2026-11-03T09:14:07Z","version":2}',
            "Version 2",
        ),
    ],
)
def test_what_is_no_message_of_ours_is_unprocessable_and_says_why(value, words):
    with pytest.raises(codec.Unprocessable, match=words):
        codec.decode_fact(value)
