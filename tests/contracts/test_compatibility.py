"""No released contract changes under its readers: what was there stays, and nothing new is required.

`released.json` holds the schemas as released. An incompatible change is a new version with its own example and an upcaster; a
compatible one is added with `python tests/contracts/test_compatibility.py`.
"""

import json
from pathlib import Path

import pytest

from recovery.contracts.asyncapi import schemas

RELEASED = Path(__file__).with_name("released.json")


def broken(old: dict, new: dict) -> list[str]:
    """What a reader or writer of the old schemas could stumble over."""
    found = []
    for name, schema in old.items():
        if name not in new:
            found.append(f"{name} is gone")
            continue
        fields = new[name].get("properties", {})
        for field, kind in schema.get("properties", {}).items():
            if field not in fields:
                found.append(f"{name}.{field} is gone")
            elif not _holds(kind, fields[field]):
                found.append(f"{name}.{field} has another type")
        more = set(new[name].get("required", [])) - set(schema.get("required", []))
        found += [f"{name}.{field} is newly required" for field in more]
    return found


def _holds(old: dict, new: dict) -> bool:
    old, new = ({name: value for name, value in kind.items() if name != "default"} for kind in (old, new))  # grows with what is within
    if "enum" in old and "enum" in new and set(old["enum"]) <= set(new["enum"]):
        return True  # a further word is no break: readers must bear unknown ones
    return old == new


def test_no_contract_changed_incompatibly():
    assert broken(json.loads(RELEASED.read_text()), schemas()) == []


def test_every_contract_is_recorded():
    assert set(schemas()) <= set(json.loads(RELEASED.read_text())), "record it: python tests/contracts/test_compatibility.py"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda schema: schema["Card"]["properties"].pop("brand"), "Card.brand is gone"),
        (lambda schema: schema.pop("Card"), "Card is gone"),
        (lambda schema: schema["Card"]["properties"]["brand"].update(type="integer"), "Card.brand has another type"),
        (lambda schema: schema["TimePassed"]["required"].append("trace"), "TimePassed.trace is newly required"),
        (
            lambda schema: schema["ChargeSettled"]["properties"]["result"]["enum"].remove("declined"),
            "ChargeSettled.result has another type",
        ),
    ],
)
def test_each_kind_of_break_is_noticed(change, words):
    new = json.loads(json.dumps(schemas()))
    change(new)
    assert broken(schemas(), new) == [words]


def test_an_additional_optional_field_and_a_further_word_are_no_break():
    new = json.loads(json.dumps(schemas()))
    new["Card"]["properties"]["wallet"] = {"type": "string"}
    new["ChargeSettled"]["properties"]["result"]["enum"].append("returned")
    assert broken(schemas(), new) == []


if __name__ == "__main__":
    RELEASED.write_text(json.dumps(schemas(), indent=1) + "\n")
