"""The topics and their messages as an AsyncAPI 3 document with JSON schemas.

`python -m recovery.contracts.asyncapi > docs/asyncapi.json` prints it anew.
"""

import json
import types
import typing
from typing import Any

import msgspec

from recovery.contracts.encoding.codec import CURRENT_VERSION
from recovery.contracts.topics import TOPICS, Topic, settings

_SCHEMAS = "#/components/schemas/{name}"


def messages(topic: Topic) -> tuple[type[msgspec.Struct], ...]:
    """The types of message that a topic carries; none when it carries bytes of others."""
    carried = topic.carries
    if carried is None:
        return ()
    return typing.get_args(carried) if isinstance(carried, types.UnionType) else (typing.cast(type[msgspec.Struct], carried),)


def schemas() -> dict[str, Any]:
    """The JSON schema of every message and of what they consist of, by name."""
    every = list(dict.fromkeys(message for topic in TOPICS for message in messages(topic)))
    _, components = msgspec.json.schema_components(every, ref_template=_SCHEMAS)
    plain: dict[str, Any] = json.loads(json.dumps(components, sort_keys=True))  # tuples of defaults become lists
    return plain


def document() -> dict[str, Any]:
    """The whole document; the same topics always give the same."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Dunlin",
            "version": str(CURRENT_VERSION),
            "description": "What travels between Dunlin's parts. recovery.events and recovery.outcomes are public; the others may change.",
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": {name: body for topic in TOPICS for name, body in _operations(topic)},
        "components": {"schemas": schemas()},
    }


def _channel(topic: Topic) -> dict[str, Any]:
    configuration = {
        "cleanup.policy": ["compact" if topic.compacted else "delete"],
        "retention.ms": int(settings(topic).get("retention.ms", -1)),
    }
    configuration["max.message.bytes"] = topic.max_message_bytes
    return {
        "address": topic.name,
        "description": f"{topic.description}; key: {topic.key}",
        "messages": {message.__name__: _message(message) for message in messages(topic)},
        "bindings": {"kafka": {"topic": topic.name, "topicConfiguration": configuration}},
    }


def _message(message: type[msgspec.Struct]) -> dict[str, Any]:
    summary = (message.__doc__ or "").strip().split("\n")[0]
    return {"name": message.__name__, "summary": summary, "payload": {"$ref": _SCHEMAS.format(name=message.__name__)}}


def _operations(topic: Topic) -> list[tuple[str, dict[str, Any]]]:
    channel = {"$ref": f"#/channels/{topic.name}"}
    sends = [(f"{producer} to {topic.name}", "send", producer) for producer in topic.producers]
    receives = [(f"{consumer} from {topic.name}", "receive", consumer) for consumer in topic.consumers]
    return [(name.replace(" ", "_"), {"action": action, "channel": channel, "summary": who}) for name, action, who in sends + receives]


if __name__ == "__main__":
    print(json.dumps(document(), indent=2))
