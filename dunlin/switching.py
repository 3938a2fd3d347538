"""The kill switch from the command line: a fact to every partition, by the program that speaks facts (B45, product decision 39)."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from dunlin import state


def kafka_of(home: Path, configured: str) -> str:
    """The broker to speak to: the configured one, else that of the stack which runs in `home`. Raises ValueError when there is neither."""
    found = configured or state.address_of(home, "kafka", "bootstrap")
    if found is None:
        raise ValueError(f"No stack runs in {home} and DUNLIN_KAFKA_BOOTSTRAP is not set: there is no broker to tell.")
    return found


def switch(environment: Mapping[str, str], bootstrap: str, account: str, position: str, who: str, why: str) -> int:
    """Set the switch of an account (`*`: of all) to `pause` or `resume`. Answers the exit code of the program that did it."""
    command = [sys.executable, "-m", "producers", "switch", account, position, "--who", who, "--why", why]
    return subprocess.run(command, env={**environment, "DUNLIN_KAFKA_BOOTSTRAP": bootstrap}, check=False).returncode
