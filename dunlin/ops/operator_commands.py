"""What a person changes from the command line, done by the program that speaks facts, for the stack that runs (B93)."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dunlin.stack import state
from recovery.config import Settings

if TYPE_CHECKING:
    from recovery.adapters.kafka_cluster import Cluster


def kafka_of(home: Path, configured: str) -> str:
    """The broker to speak to: the configured one, else that of the stack which runs in `home`. Raises ValueError when there is neither."""
    found = configured or state.address_of(home, "kafka", "bootstrap")
    if found is None:
        raise ValueError(f"No stack runs in {home} and DUNLIN_KAFKA_BOOTSTRAP is not set: no broker is running.")
    return found


def cluster_of(settings: Settings) -> "Cluster":
    """That broker with the settings' login, once it has answered. Raises ValueError when there is none, and KafkaUnusable."""
    from recovery.adapters.kafka_cluster import cluster
    from recovery.adapters.kafka_trouble import check

    found = cluster(settings, kafka_of(settings.home, settings.kafka_bootstrap))
    check(found)
    return found


def environment_of(environment: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """The settings under which the stack in this home was started: its broker, and those of a demonstration where it is one.

    Raises:
        ValueError: no broker is running.
    """
    return {**world_of(environment, settings), "DUNLIN_KAFKA_BOOTSTRAP": kafka_of(settings.home, settings.kafka_bootstrap)}


def world_of(environment: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """The same without the broker, for what needs none: a demonstration's own files and mailbox where one runs, else what is set."""
    home = state.living(settings.home)
    if home == settings.home:
        return dict(environment)
    of_demo = {
        "DUNLIN_HOME": str(home),
        "DUNLIN_TENANTS_FILE": str(home / "tenants.toml"),
        "DUNLIN_CLOCK_FILE": str(home / "sandbox" / "clock.json"),
        "DUNLIN_STRIPE_API_BASE": state.address_of(home, "sandbox", "api") or "",
        "DUNLIN_SMTP_URL": state.address_of(home, "sandbox", "smtp") or "",
    }
    return {**environment, **of_demo}


def run_producers(environment: Mapping[str, str], settings: Settings, *words: str) -> int:
    """Run `python -m producers WORDS` for the running stack; returns its exit code. Raises ValueError when no broker is running."""
    command = [sys.executable, "-m", "producers", *words]
    return subprocess.run(command, env=environment_of(environment, settings), check=False).returncode
