"""Kafka's jars on this machine: found, fetched once, and never used unverified."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path

from dunlin.kafka_server.pinned import JARS, KAFKA_VERSION, Jar

ReportLine = Callable[[str], None]
Fetch = Callable[[Jar, Path], Path]
"""Bring one artefact into the given directory and name the file; raises any error when it cannot."""

ATTEMPTS = 3


class JarsMissingError(Exception):
    """Kafka cannot start: jars are absent or damaged; the text says why and what to try."""


def is_intact(path: Path, jar: Jar) -> bool:
    """Return whether `path` holds exactly the pinned bytes."""
    try:
        if path.stat().st_size != jar.size:
            return False
        return hashlib.sha256(path.read_bytes()).hexdigest() == jar.sha256
    except FileNotFoundError:
        return False


def from_directory(directory: Path, jars: Sequence[Jar] = JARS) -> list[Path]:
    """Take the class path from an offline directory; raises JarsMissingError naming what is absent or wrong."""
    wrong = [jar.filename for jar in jars if not is_intact(directory / jar.filename, jar)]
    if wrong:
        raise JarsMissingError(
            f"{directory} (DUNLIN_KAFKA_JARS) lacks these intact jars of Kafka {KAFKA_VERSION}: {', '.join(wrong)}. "
            "Copy them from the cache of a machine that has run Dunlin, or unset the variable to fetch them."
        )
    return [directory / jar.filename for jar in jars]


def missing(cache: Path, jars: Sequence[Jar] = JARS) -> list[Jar]:
    """List the jars that would have to be fetched."""
    return [jar for jar in jars if not is_intact(cache / jar.filename, jar)]


def ensure(cache: Path, fetches: Sequence[Fetch], report: ReportLine, jars: Sequence[Jar] = JARS) -> list[Path]:
    """Give the verified class path, fetching what is absent or damaged; each source in `fetches` is tried in turn.

    Raises JarsMissingError when an artefact cannot be had intact from any of them.
    """
    wanted = missing(cache, jars)
    if wanted:
        cache.mkdir(parents=True, exist_ok=True)
        total = sum(jar.size for jar in wanted)
        report(f"fetching {len(wanted)} jars of Kafka {KAFKA_VERSION} ({total / 1e6:.0f} MB), once, into {cache}")
        with tempfile.TemporaryDirectory(dir=cache, prefix="fetching-") as staging, ThreadPoolExecutor(4) as pool:
            work = {pool.submit(_bring, jar, cache, Path(staging), fetches): jar for jar in wanted}
            _await_all((work[done] for done in _finished(work)), total, report)
    return [cache / jar.filename for jar in jars]


def _finished(work: dict[Future[None], Jar]) -> Iterable[Future[None]]:
    for done in as_completed(work):
        done.result()
        yield done


def _await_all(fetched: Iterable[Jar], total: int, report: ReportLine) -> None:
    size = reported = 0
    for jar in fetched:
        size += jar.size
        if size - reported > total / 8 or size == total:
            reported = size
            report(f"fetched {size / 1e6:.0f} of {total / 1e6:.0f} MB")


def _bring(jar: Jar, cache: Path, staging: Path, fetches: Sequence[Fetch]) -> None:
    reasons: list[str] = []
    for fetch in fetches:
        for attempt in range(ATTEMPTS):
            directory = staging / f"{jar.name}-{len(reasons)}"
            try:
                path = fetch(jar, directory)
            except Exception as error:  # noqa: BLE001 - any failure of a source means: ask the next one
                reasons.append(f"{type(error).__name__}: {error}")
                break
            if is_intact(path, jar):
                os.replace(path, cache / jar.filename)
                return
            reasons.append(f"attempt {attempt + 1} brought {path.stat().st_size} bytes that are not the pinned jar")
    raise JarsMissingError(
        f"cannot fetch {jar.filename}: {'; '.join(reasons)}. Check the network, name a mirror in DUNLIN_MAVEN_URL, or "
        "point DUNLIN_KAFKA_JARS at a directory with the jars."
    )


def from_local_repository(repository: Path) -> Fetch:
    """A source: a Maven repository on this disk, such as ~/.m2/repository."""

    def fetch(jar: Jar, directory: Path) -> Path:
        directory.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(repository / jar.path, directory / jar.filename))

    return fetch


def from_registry(mirror: str | None) -> Fetch:
    """A source: the default Maven registry, or `mirror` (its URL), one artefact at a time."""

    def fetch(jar: Jar, directory: Path) -> Path:
        from jgo.maven import MavenContext

        remotes = {"mirror": mirror} if mirror else None
        context = MavenContext(repo_cache=directory, remote_repos=remotes, timeout=30)
        return Path(context.project(jar.group, jar.name).at_version(jar.version).artifact().resolve())

    return fetch


def from_maven(program: str) -> Fetch:
    """A source: the `mvn` of this machine, which knows its mirrors, proxies and credentials."""

    def fetch(jar: Jar, directory: Path) -> Path:
        artefact = f"-Dartifact={jar.group}:{jar.name}:{jar.version}"
        command = [program, "-q", "-B", "dependency:copy", artefact, f"-DoutputDirectory={directory}"]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        return directory / jar.filename

    return fetch
