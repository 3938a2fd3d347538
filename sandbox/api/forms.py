"""Stripe's form encoding: `a[b][0]=c`, `expand[]=x`, `expand[0]=x` to nested dicts and lists."""

import re
from typing import Any
from urllib.parse import parse_qsl

from sandbox.simulation.records import Json

_PART = re.compile(r"\[([^\]]*)\]")


def decode(*texts: str) -> Json:
    """The parameters of a query string and a form body; later ones win."""
    tree: Json = {}
    for text in texts:
        for name, value in parse_qsl(text, keep_blank_values=True):
            head, _, rest = name.partition("[")
            _put(tree, [head, *_PART.findall("[" + rest if rest else "")], value)
    return {key: _lists(value) for key, value in tree.items()}


def _put(tree: Json, path: list[str], value: str) -> None:
    for part in path[:-1]:
        below = tree.get(part)
        if not isinstance(below, dict):
            below = tree[part] = {}
        tree = below
    tree[path[-1] or str(len(tree))] = value


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(key.isdigit() for key in value):
        return [_lists(value[key]) for key in sorted(value, key=int)]
    return {key: _lists(below) for key, below in value.items()}
