"""Reads fields of Stripe's objects, which are plain dicts of unknown content: the value, or UnknownShape with the path."""

from datetime import UTC, datetime
from typing import Any

from recovery.contracts import limits
from recovery.contracts.limits import AMOUNT, ID_LENGTH

Object = dict[str, Any]
"""An object of Stripe as plain data (never the SDK's StripeObject, which is not a dict)."""

LARGEST = AMOUNT
"""Of whole numbers, to either side of 0; unix seconds are far smaller."""
EARLIEST_SECOND, LATEST_SECOND = int(limits.FIRST_MOMENT.timestamp()), int(limits.LAST_MOMENT.timestamp())
"""What is taken for a moment, in unix seconds."""


class UnknownShape(ValueError):
    """An object of Stripe lacks what it must have, or has something else in its place. The text names the path."""


def text(data: Object, name: str, where: str) -> str:
    """The text at `name`; empty when absent or null. Raises UnknownShape when it is something else, too long or not printable."""
    value = data.get(name)
    if isinstance(value, str):
        if len(value) > ID_LENGTH:
            raise UnknownShape(f"{where}.{name} has {len(value):,} characters; at most {ID_LENGTH} were expected.")
        if not value.isprintable():
            raise UnknownShape(f"{where}.{name} holds a character that is not printable.")
        return value
    if value is None:
        return ""
    raise UnknownShape(f"{where}.{name} is {_kind(value)}; text was expected.")


def needed_text(data: Object, name: str, where: str) -> str:
    """The text at `name`. Raises UnknownShape when it is absent, empty or something else."""
    if value := text(data, name, where):
        return value
    raise UnknownShape(f"{where}.{name} is missing.")


def whole(data: Object, name: str, where: str) -> int:
    """The whole number at `name`; 0 when absent or null. Raises UnknownShape when it is something else or too large."""
    value = data.get(name)
    if type(value) is int and -LARGEST <= value <= LARGEST:  # a bool is an int too, but not here
        return value
    if value is None:
        return 0
    raise UnknownShape(f"{where}.{name} is {_kind(value)}; a whole number of at most {LARGEST:,} was expected.")


def needed_whole(data: Object, name: str, where: str) -> int:
    """The whole number at `name`. Raises UnknownShape when it is absent or something else."""
    if data.get(name) is None:
        raise UnknownShape(f"{where}.{name} is missing.")
    return whole(data, name, where)


def flag(data: Object, name: str, where: str, absent: bool = False) -> bool:
    """The boolean at `name`; `absent` when absent or null. Raises UnknownShape when it is something else."""
    value = data.get(name)
    if value is None:
        return absent
    if not isinstance(value, bool):
        raise UnknownShape(f"{where}.{name} is {_kind(value)}; true or false was expected.")
    return value


def part(data: Object, name: str, where: str) -> Object:
    """The object at `name`; empty when absent or null. Raises UnknownShape when it is something else."""
    value = data.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UnknownShape(f"{where}.{name} is {_kind(value)}; an object was expected.")
    return value


def expanded(data: Object, name: str, where: str) -> Object:
    """The object at `name`; empty when absent or null. Raises UnknownShape when only its id is there: it should have been expanded."""
    if isinstance(data.get(name), str):
        raise UnknownShape(f"{where}.{name} is only an id; it must be read with expand.")
    return part(data, name, where)


def part_if_expanded(data: Object, name: str, where: str) -> Object:
    """The object at `name`; empty when absent, null or only an id."""
    return {} if isinstance(data.get(name), str) else part(data, name, where)


def listed(data: Object, name: str, where: str) -> list[Object]:
    """The objects of the list object at `name` (`{"data": [...]}`); empty when absent. Raises UnknownShape when it is something else."""
    rows = part(data, name, where).get("data")
    if rows is None:
        return []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UnknownShape(f"{where}.{name}.data is not a list of objects.")
    return rows


def id_of(data: Object, name: str, where: str) -> str:
    """The id at `name`, whether it is there as an id or as an expanded object; empty when absent or null. Raises UnknownShape."""
    if isinstance(data.get(name), dict):
        return needed_text(part(data, name, where), "id", f"{where}.{name}")
    return text(data, name, where)


def moment(seconds: int, where: str = "created") -> datetime:
    """A moment of Stripe (unix seconds) as aware UTC. Raises UnknownShape when it lies outside of the limits, 2010 to 2100."""
    if not EARLIEST_SECOND <= seconds <= LATEST_SECOND:
        raise UnknownShape(f"{where} is {seconds}, which is not a time between 2010 and 2100 in Unix seconds.")
    return datetime.fromtimestamp(seconds, UTC)


def moment_at(data: Object, name: str, where: str) -> datetime | None:
    """The moment at `name`; None when absent or null. Raises UnknownShape."""
    if data.get(name) is None:
        return None
    return moment(whole(data, name, where), f"{where}.{name}")


def needed_moment(data: Object, name: str, where: str) -> datetime:
    """The moment at `name`. Raises UnknownShape when it is absent or something else."""
    return moment(needed_whole(data, name, where), f"{where}.{name}")


def _kind(value: object) -> str:
    return "too large" if isinstance(value, int) and not isinstance(value, bool) and abs(value) > LARGEST else type(value).__name__
