"""The table of topics keeps its rules, and what is printed from it is fresh."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import jsonschema
import pytest

from producers.gateway.stripe_webhook import messages_of
from producers.gateway.webhook_endpoint import BODY_LIMIT
from recovery.adapters.kafka import PRODUCER_SETTINGS
from recovery.contracts import asyncapi, limits, topics
from recovery.contracts.effects import AnyEffect
from recovery.contracts.topics import TOPICS, changelog, diagram, effects_topic, settings

REPOSITORY = Path(__file__).resolve().parents[2]
NAMES = {topic.name for topic in TOPICS}
EVERY = (*TOPICS, changelog("dunlin"))


class Anybody:
    """Accounts that the messages of an unreadable webhook ask nothing of."""

    def accounts(self) -> list[str]:
        return []

    def secrets(self, account: str) -> tuple[str, ...]:
        return ()

    def livemode(self, account: str) -> bool:
        return False


def by_name(name):
    return next(topic for topic in EVERY if topic.name == name)


def test_names_are_unique_and_plain():
    assert len(NAMES) == len(TOPICS)
    assert all(re.fullmatch(r"[a-z]+(\.[a-z_]+)?", name) for name in NAMES)


def test_a_topic_that_a_program_of_ours_reads_has_a_place_for_the_unreadable():
    ours = [topic for topic in TOPICS if any(listener.startswith(("streams", "sinks")) for listener in topic.consumers)]
    assert {topic.name for topic in ours} == {
        "facts",
        "recovery.events",
        "effects.stripe",
        "effects.messages",
        "effects.webhooks",
        "redrive.sinks",
    }
    for topic in ours:
        assert topic.dead_letter_topic in NAMES, topic.name
        assert by_name(topic.dead_letter_topic).carries is topics.DeadLetter


def test_unreadable_messages_go_to_the_stage_that_reads():
    for topic in TOPICS:
        if topic.dead_letter_topic:
            stage = topic.dead_letter_topic.split(".")[1]
            assert any(listener.startswith(stage) for listener in topic.consumers), topic.name


def test_a_parking_topic_is_not_parked_itself():
    assert all(not topic.dead_letter_topic for topic in TOPICS if topic.name.startswith("parked."))


def test_only_streams_speak_on_recovery_and_effects():
    for topic in TOPICS:
        if topic.name.startswith(("recovery.", "effects.")):
            assert topic.producers == ("streams",)


def test_all_topics_share_the_number_of_partitions():
    assert {topic.partitions for topic in EVERY} == {"shared"}


def test_bodies_with_personal_data_are_kept_for_seven_days_at_most():
    for topic in TOPICS:
        if topic.name == "raw" or topic.name.startswith("parked."):
            assert 0 < topic.retention_ms <= 7 * topics.DAY_MS


def test_facts_are_kept_for_400_days_and_the_rows_for_ever():
    assert settings(by_name("facts"))["retention.ms"] == str(400 * topics.DAY_MS)
    assert settings(changelog("dunlin"))["cleanup.policy"] == "compact"


def test_the_largest_body_that_the_gateway_takes_fits_raw_and_parked():
    body, account = b"x" * BODY_LIMIT, "acct_" + "1" * 250
    _, messages = messages_of(Anybody(), account, [account], [], body, datetime(2026, 11, 24, tzinfo=UTC))
    largest = {topic: len(value) for topic, _, value, _ in messages if topic != "facts"}
    assert largest.keys() == {"raw", "parked.gateway"}
    for topic, size in largest.items():
        assert size + 65_536 < int(settings(by_name(topic))["max.message.bytes"]) == topics.LARGEST_BYTES, topic


def test_every_topic_states_how_large_a_message_may_be_and_every_producer_takes_as_much():
    stated = {topic.name: int(settings(topic)["max.message.bytes"]) for topic in EVERY}
    largest = {name for name, size in stated.items() if size == limits.LARGEST_BYTES}
    assert largest == {"raw", "parked.gateway"}
    assert {size for name, size in stated.items() if name not in largest} == {limits.TOPIC_BYTES}
    assert max(stated.values()) <= PRODUCER_SETTINGS["message.max.bytes"]


def test_what_streams_and_sinks_write_fits_into_every_topic_and_into_the_defaults_of_brokers_and_clients():
    untold = 1_000_000  # librdkafka's message.max.bytes; brokers take 1,048,588
    assert max(limits.MESSAGE_BYTES, limits.PARKED_BYTES, limits.ROW_BYTES) + limits.KEY_BYTES < untold < limits.TOPIC_BYTES


@pytest.mark.parametrize("effect", get_args(AnyEffect))
def test_every_effect_travels_on_a_topic_that_carries_effects(effect):
    assert by_name(effects_topic(effect.__struct_config__.tag)).carries is AnyEffect


def test_the_diagram_in_the_documentation_is_fresh():
    text = (REPOSITORY / "docs" / "topics.md").read_text()
    assert f"```mermaid\n{diagram()}\n```" in text, "paste the output of `dunlin topics diagram` into docs/topics.md"


def test_the_table_in_the_documentation_is_fresh():
    text = (REPOSITORY / "docs" / "topics.md").read_text()
    for topic in TOPICS:
        kept = f"{topic.retention_ms // topics.DAY_MS} days"
        dead_letters = f"`{topic.dead_letter_topic}`" if topic.dead_letter_topic else ""
        row = f"| `{topic.name}` | {topic.description} | {topic.key} | {kept} | {dead_letters} |"
        assert row in text, f"docs/topics.md lacks this row:\n{row}"


def test_the_asyncapi_document_is_fresh():
    stored = json.loads((REPOSITORY / "docs" / "asyncapi.json").read_text())
    assert stored == asyncapi.document(), "print it anew: python -m recovery.contracts.asyncapi > docs/asyncapi.json"


def test_every_example_is_valid_under_its_schema():
    schemas = asyncapi.schemas()
    for topic in TOPICS:
        by_tag = {message.__struct_config__.tag or "event": message.__name__ for message in asyncapi.messages(topic)}
        for path in (REPOSITORY / "recovery/contracts/examples" / topic.name).glob("v1/*.json"):
            example = json.loads(path.read_bytes())
            name = by_tag.get(example.get("type", "event"))
            jsonschema.validate(example, {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}})


def test_every_reference_of_the_asyncapi_document_leads_somewhere():
    document = asyncapi.document()
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document))):
        found = document
        for step in reference.split("/"):
            found = found[step]
