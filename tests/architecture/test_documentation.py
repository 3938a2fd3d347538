"""What people are told is true: every setting, metric and policy key is documented, and every command in the README exists."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from recovery.adapters.metrics import METRICS
from recovery.config import MEANINGS, from_env
from recovery.policy import Policy
from tests.support.language import PACKAGES

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCES = sorted(path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py"))
SETTINGS = (REPOSITORY / "docs" / "settings.md").read_text()
POLICY = (REPOSITORY / "docs" / "policy.md").read_text()


@pytest.mark.parametrize("name", MEANINGS)
def test_every_setting_is_documented_with_its_meaning(name):
    assert f"| `{name}` | {MEANINGS[name]} |" in SETTINGS


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_documented_with_its_meaning(name):
    assert f"| `{name}` | {METRICS[name]} |" in SETTINGS


NAMED = {name: path for path in SOURCES for name in re.findall(r"\bDUNLIN_[A-Z][A-Z_]*[A-Z]\b", path.read_text())}
DOCUMENTED = set(re.findall(r"^\| `(\w+)` \|", SETTINGS, re.MULTILINE))


def test_every_variable_that_the_code_names_is_documented():
    assert {name: str(path.relative_to(REPOSITORY)) for name, path in NAMED.items() if name not in DOCUMENTED} == {}


def test_no_documented_setting_or_metric_is_gone():
    assert {*NAMED, *MEANINGS, *METRICS} >= DOCUMENTED


def test_every_setting_is_read():
    config = (REPOSITORY / "recovery" / "config.py").read_text()
    for name in MEANINGS:
        assert config.count(f'"{name}"') >= 2, f"{name} has a meaning but is not parsed"
    assert from_env({}).partitions == 4


def test_every_metric_in_the_code_is_in_the_table():
    named = {name for path in SOURCES for name in re.findall(r'"(dunlin_[a-z_]+_(?:total|seconds|in_flight|bytes))"', path.read_text())}
    assert named <= set(METRICS)


def sections(name: str, section: msgspec.Struct) -> list[tuple[str, msgspec.Struct]]:
    inner = [(field.name, getattr(section, field.name)) for field in msgspec.structs.fields(section)]
    return [
        (name, section),
        *(found for field, part in inner if isinstance(part, msgspec.Struct) for found in sections(f"{name}.{field}", part)),
    ]


@pytest.mark.parametrize(("name", "section"), sections("tenant.policy", Policy()), ids=lambda part: part if isinstance(part, str) else "")
def test_every_key_of_a_policy_is_documented_with_its_default(name, section):
    assert f"[{name}]" in POLICY
    for field in msgspec.structs.fields(section):
        if isinstance(field.default, msgspec.Struct):
            continue
        [row] = re.findall(rf"^\| `{field.name}` \| (.*?) \|", POLICY, re.MULTILINE)[:1] or [None]
        assert row is not None, f"docs/policy.md says nothing of {field.name}"
        if isinstance(field.default, int) and not isinstance(field.default, bool):
            assert row == str(field.default)


def _readme_commands() -> list[str]:
    readme = REPOSITORY / "README.md"
    text = readme.read_text() if readme.exists() else ""
    in_blocks = re.findall(r"^\$ ((?:dunlin|make) .+?) *(?:#.*)?$", text, re.MULTILINE)
    return sorted({*in_blocks, *re.findall(r"`((?:dunlin|make) [^`]+)`", text)})


COMMANDS = _readme_commands()


@pytest.mark.skipif(not (REPOSITORY / "README.md").exists(), reason="there is no README.md yet")
def test_the_readme_shows_commands():
    assert COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_in_the_readme_exists(command):
    words = shlex.split(command, comments=True)
    if words[0] == "make":
        targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
        assert {word for word in words[1:] if re.fullmatch(r"[a-z-]+", word)} <= targets
        return
    plain = [word for word in words[1:] if re.fullmatch(r"[a-z][a-z-]*", word)]
    assert any(_help_of(plain[:depth]) for depth in (2, 1)), f"{command}: no such command"


def _help_of(words: list[str]) -> bool:
    call = [sys.executable, "-m", "dunlin", *words, "--help"]
    return bool(words) and subprocess.run(call, cwd=REPOSITORY, capture_output=True, check=False).returncode == 0


def test_the_page_of_stripes_events_names_tests_that_are_there():
    page = (REPOSITORY / "docs" / "stripe-events.md").read_text()
    named = set(re.findall(r"`([a-z_/]+\.py)`", page))
    assert named
    assert not [name for name in named if not (REPOSITORY / "tests" / "unit" / name).exists()]
