"""What changes between two policies, and how an older one comes back: policies are numbered documents."""

from collections.abc import Sequence
from typing import Any

import msgspec

from recovery.policy import Policy


def diff(old: Policy, new: Policy) -> list[str]:
    """What changes from one policy to another, a sentence for each setting, in the order of the document; empty when nothing does."""
    before, after = _flat(msgspec.to_builtins(old)), _flat(msgspec.to_builtins(new))
    return [
        f"{name}: {_shown(before.get(name))} becomes {_shown(after.get(name))}."
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    ]


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "on" if value else "off"
    return ", ".join(map(str, value)) or "nothing" if isinstance(value, list | tuple) else str(value) or "nothing"


class Version(msgspec.Struct, frozen=True):
    """A policy as it was published: its number, who did it and why."""

    number: int
    policy: Policy
    who: str = ""
    why: str = ""


def rolled_back(history: Sequence[Version], number: int, who: str) -> Version:
    """The content of an older version as the next number: numbers only rise, so a roll-back is a publication like any other.

    Raises:
        LookupError: no version of the history has this number; the message names those there are.

    """
    older = next((version for version in history if version.number == number), None)
    if older is None:
        known = ", ".join(str(version.number) for version in history) or "none"
        raise LookupError(f"There is no version {number} of this policy. Published so far: {known}.")
    return Version(max(version.number for version in history) + 1, older.policy, who, f"back to version {number}")
