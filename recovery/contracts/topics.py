"""The table of topics: who speaks, who listens, by which key, for how long, and where unreadable messages go."""

from typing import Literal

import msgspec

from recovery.contracts.dead_letters import DeadLetter, DeadLetterReplayed
from recovery.contracts.effects import AnyEffect, Effect, EffectWithdrawn
from recovery.contracts.events import Event
from recovery.contracts.facts import AnyFact
from recovery.contracts.limits import LARGEST_BYTES, TOPIC_BYTES
from recovery.ids import MESSAGE_KINDS, kind_of

__all__ = ["DAY_MS", "LARGEST_BYTES", "TOPICS", "Topic", "changelog", "diagram", "effects_topic", "settings", "topic_of"]

DAY_MS = 86_400_000


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """One topic. `key` is a pattern in words; `partitions` "shared" means the one number that all co-partitioned topics have.

    `timestamps` says whose clock a record's time is of: the producer's or the broker's.
    `largest_bytes` is the limit of a message on the broker, stated for every topic, so that no broker's default decides.
    """

    name: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    key: str
    carries: object = None
    retention_ms: int
    compacted: bool = False
    max_message_bytes: int = TOPIC_BYTES
    timestamps: Literal["CreateTime", "LogAppendTime"] = "CreateTime"
    partitions: Literal["shared", "one"] = "shared"
    dead_letter_topic: str = ""
    description: str


RAW = Topic(
    name="raw",
    producers=("producers.gateway",),
    consumers=(),
    key="account",
    retention_ms=7 * DAY_MS,
    max_message_bytes=LARGEST_BYTES,
    description="webhook bodies exactly as received; the only topic with personal data, so kept for days",
)
FACTS = Topic(
    name="facts",
    producers=(
        "producers.gateway",
        "producers.ticker",
        "producers.policy",
        "producers.commands",
        "producers.consents",
        "producers.replay",
        "producers.mailbox",
        "producers.scans",
        "sinks.effects",
    ),
    consumers=("streams", "sinks.effects"),
    key="account/customer, or account/~object without a customer; policies, switches and the time go to every partition",
    carries=AnyFact,
    timestamps="LogAppendTime",
    retention_ms=400 * DAY_MS,
    dead_letter_topic="parked.streams",
    description="everything streams can learn, the time among it; replaying it gives the same decisions",
)
EVENTS = Topic(
    name="recovery.events",
    producers=("streams",),
    consumers=("sinks.warehouse", "downstream systems"),
    key="account/customer",
    carries=Event,
    retention_ms=30 * DAY_MS,
    dead_letter_topic="parked.sinks",
    description="what happened, with its reason, in order; public",
)
OUTCOMES = Topic(
    name="recovery.outcomes",
    producers=("streams",),
    consumers=("downstream systems",),
    key="account/customer",
    carries=Event,
    retention_ms=30 * DAY_MS,
    description="how cases ended; public",
)
EFFECTS_STRIPE = Topic(
    name="effects.stripe",
    producers=("streams",),
    consumers=("sinks.effects",),
    key="account/customer",
    carries=AnyEffect,
    retention_ms=30 * DAY_MS,
    dead_letter_topic="parked.sinks",
    description="reads and charges to make, and their withdrawals",
)
EFFECTS_MESSAGES = Topic(
    name="effects.messages",
    producers=("streams",),
    consumers=("sinks.effects",),
    key="account/customer",
    carries=AnyEffect,
    retention_ms=30 * DAY_MS,
    dead_letter_topic="parked.sinks",
    description="mails to send, and their withdrawals",
)
EFFECTS_WEBHOOKS = Topic(
    name="effects.webhooks",
    producers=("streams",),
    consumers=("sinks.effects",),
    key="account/customer",
    carries=AnyEffect,
    retention_ms=30 * DAY_MS,
    dead_letter_topic="parked.sinks",
    description="notifications of merchants: alerts, and events for their endpoints",
)
EFFECTS_PLANS = Topic(
    name="effects.retry_times",
    producers=("streams",),
    consumers=("ml",),
    key="account/customer",
    carries=AnyEffect,
    retention_ms=30 * DAY_MS,
    description="requests for retry times; the answer is a fact, or there is none",
)
PARKED_GATEWAY = Topic(
    name="parked.gateway",
    producers=("producers.gateway",),
    consumers=("operators",),
    key="account",
    carries=DeadLetter,
    retention_ms=7 * DAY_MS,
    max_message_bytes=LARGEST_BYTES,
    description="validly signed webhooks that could not be translated",
)
PARKED_STREAMS = Topic(
    name="parked.streams",
    producers=("streams",),
    consumers=("operators",),
    key="that of the message",
    carries=DeadLetter,
    retention_ms=7 * DAY_MS,
    description="facts that could not be decoded or applied, rows whose timer failed",
)
PARKED_SINKS = Topic(
    name="parked.sinks",
    producers=("sinks.warehouse", "sinks.effects"),
    consumers=("operators",),
    key="that of the message",
    carries=DeadLetter,
    retention_ms=7 * DAY_MS,
    description="events and effects that could not be decoded or carried out",
)
PARKED_NOTES = Topic(
    name="parked.notes",
    producers=("producers.replay",),
    consumers=("operators",),
    key="the parked message's name",
    carries=DeadLetterReplayed,
    retention_ms=7 * DAY_MS,
    description="which dead letters were replayed, by whom and why",
)
REDRIVE_SINKS = Topic(
    name="redrive.sinks",
    producers=("producers.replay",),
    consumers=("sinks.warehouse", "sinks.effects"),
    key="that of the message",
    carries=DeadLetter,
    retention_ms=7 * DAY_MS,
    dead_letter_topic="parked.sinks",
    description="replayed dead letters of sinks; each sink takes its own",
)

EFFECTS: tuple[Topic, ...] = (EFFECTS_STRIPE, EFFECTS_MESSAGES, EFFECTS_WEBHOOKS)
"""What the effects sink carries out."""

TABLE_NAME = "cases"
"""The Faust table of customers' rows."""


def changelog(app_id: str) -> Topic:
    """The compacted topic that holds the stream's rows and positions; its name is the one Faust gives it."""
    return Topic(
        name=f"{app_id}-{TABLE_NAME}-changelog",
        producers=("streams",),
        consumers=("streams",),
        key="account/customer, positions under their own keys",
        retention_ms=-1,
        compacted=True,
        description="the stream's rows: one per customer with something open, policies, input positions",
    )


TOPICS: tuple[Topic, ...] = (
    RAW,
    FACTS,
    EVENTS,
    OUTCOMES,
    EFFECTS_STRIPE,
    EFFECTS_MESSAGES,
    EFFECTS_WEBHOOKS,
    EFFECTS_PLANS,
    PARKED_GATEWAY,
    PARKED_STREAMS,
    PARKED_SINKS,
    PARKED_NOTES,
    REDRIVE_SINKS,
)
"""All topics but the changelog, whose name depends on the app id."""


_TOPIC_BY_TYPE: dict[str, str] = {
    "message_requested": EFFECTS_MESSAGES.name,
    "alert_requested": EFFECTS_WEBHOOKS.name,
    "webhook_requested": EFFECTS_WEBHOOKS.name,
    "retry_times_requested": EFFECTS_PLANS.name,
}


def effects_topic(effect_type: str) -> str:
    """The topic of an effect by its type."""
    return _TOPIC_BY_TYPE.get(effect_type, EFFECTS_STRIPE.name)


def topic_of(effect: Effect) -> str:
    """The topic of an effect; a withdrawal travels on the topic of what it withdraws."""
    if isinstance(effect, EffectWithdrawn):
        return EFFECTS_MESSAGES.name if kind_of(effect.effect) in MESSAGE_KINDS else EFFECTS_STRIPE.name
    return effects_topic(str(effect.__struct_config__.tag))


def settings(topic: Topic) -> dict[str, str]:
    """The topic's configuration on the broker, as strings."""
    limit = {"max.message.bytes": str(topic.max_message_bytes)}
    if topic.compacted:
        return {"cleanup.policy": "compact", "segment.bytes": str(64 << 20), "min.cleanable.dirty.ratio": "0.3", **limit}
    return {"cleanup.policy": "delete", "retention.ms": str(topic.retention_ms), "message.timestamp.type": topic.timestamps, **limit}


def diagram() -> str:
    """The topics with their producers and consumers as a Mermaid flow chart, for docs/topics.md."""
    lines = ["flowchart LR"]
    for topic in TOPICS:
        node = topic.name.replace(".", "_")
        lines += [f"  {producer.replace('.', '_')}[{producer}] --> {node}([{topic.name}])" for producer in topic.producers]
        lines += [f"  {node} --> {consumer.replace('.', '_').replace(' ', '_')}[{consumer}]" for consumer in topic.consumers]
    return "\n".join(lines)
