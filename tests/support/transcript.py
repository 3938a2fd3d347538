"""A story put down in lines: every event and effect with all that it says, times as days and hours since the start."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from recovery.contracts.effects import AlertRequested, Effect, WebhookRequested
from recovery.contracts.events import Event
from recovery.contracts.facts import Decline, Fact, PaymentFailed
from recovery.decide.advance import Step
from tests.support import builders as a
from tests.support.story import Story

USUAL = {"account": a.ACCOUNT, "customer": a.CUSTOMER, "policy_version": 1, "currency": "eur", "trace": "t-1", "version": 1}
"""What every line would repeat; a line names it where it is otherwise."""


def told(kind: Any, when: datetime, invoice: str = a.INVOICE, **fields: Any) -> Any:
    """A fact of this kind."""
    return kind(**a.header(f"{kind.__name__}-{invoice}-{when:%d-%H}", when, invoice, trace="t-1"), **fields)


def failure(number: int = 1, when: datetime = a.START) -> PaymentFailed:
    """The failure of the numbered invoice, of a subscription of its own."""
    state = a.a_state(subscription=f"sub_{number}", amount=4900 + number - 1)
    return a.a_failure(f"evt_{number}-{when:%d-%H}", when, f"in_{number}", state=state, trace="t-1")


def look(story: Story, decline: Decline | None = a.SOFT, hours: float = 0.1, **fields: Any) -> None:
    """The latest look's answer."""
    read = story.reads()[-1]
    state = a.a_state(subscription=f"sub_{read.invoice[-1]}")
    story.tell(a.a_reading(read.id, story.now + timedelta(hours=hours), decline, read.invoice, trace="t-1", **({"state": state} | fields)))


def opened(story: Story, decline: Decline | None = a.SOFT, **fields: Any) -> Story:
    """The first invoice's failure, and the look that follows it."""
    story.tell(failure())
    look(story, decline, **fields)
    return story


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
