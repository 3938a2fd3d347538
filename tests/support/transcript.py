"""A story put down in lines: every event and effect with all that it says, times as days and hours since the start."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from recovery.contracts.effects import AlertRequested, Effect, WebhookRequested
from recovery.contracts.events import Event
from recovery.contracts.facts import Fact
from recovery.decide.advance import Step
from tests.support import builders as a
from tests.support.story import Story

USUAL = {"account": a.ACCOUNT, "customer": a.CUSTOMER, "policy_version": 1, "currency": "eur", "trace": "t-1", "version": 1}
"""What every line would repeat; a line names it where it is otherwise."""


def _moment(value: Any) -> Any:
    """Days and hours since the start."""
    if not isinstance(value, datetime):
        return value
    minutes = int((value - a.START).total_seconds() // 60)
    return f"{minutes // 1440:+}d{minutes // 60 % 24:02}:{minutes % 60:02}"


def _line(head: str, one: Event | Effect) -> str:
    said = {name: getattr(one, name) for name in one.__struct_fields__ if name != "event_type"}
    odd = {name: value for name, value in said.items() if value not in ("", None, 0, (), {}) and USUAL.get(name) != value}
    odd |= {name: None for name, value in USUAL.items() if name in {"account", "customer", "trace"} and not said[name]}
    odd |= {"event": f"{one.event.event_type}/{one.event.sequence}"} if isinstance(one, AlertRequested | WebhookRequested) else {}
    return f"{head} " + " ".join(f"{name}={_moment(value)}" for name, value in odd.items())


def transcript(story: Story, life: Callable[[Story], None]) -> str:
    """What the story comes to, a line for each event and effect; those of one fact stand together."""
    lines: list[str] = []
    tell = story.tell

    def listening(fact: Fact) -> Step:
        step = tell(fact)
        lines.extend([_line(event.event_type, event) for event in step.events])
        lines.extend([_line(f"    -> {effect.__struct_config__.tag}", effect) for effect in step.effects])
        lines.append("")
        return step

    story.tell = listening  # type: ignore[method-assign] # listens to what the story does by itself too
    life(story)
    return "\n".join(line for line, before in zip(lines, ["", *lines], strict=False) if line or before) + "\n"
