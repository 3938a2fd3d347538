"""Is this machine fit: Python, platform, disk, memory."""

import os
import platform
import shutil
import sys
from pathlib import Path

from dunlin.diagnostics.finding import Finding, well, wrong

LEAST_DISK = 2_000_000_000
LEAST_MEMORY = 2_000_000_000
"""Bytes: Kafka 0.3 GB, ClickHouse up to 1 GB under load, eight Python programs of 50 to 100 MB."""

_WITH_WHEELS = {("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64"), ("Darwin", "x86_64")}


def python(version: tuple[int, int] = sys.version_info[:2]) -> Finding:
    """Check the Python that runs this program."""
    text = f"{version[0]}.{version[1]}"
    if version < (3, 11):
        return wrong("Python", f"{text} is too old. Install Python 3.11 or newer and make a new environment with it.")
    return well("Python", text)


def wheels(system: str, machine: str, libc: str) -> Finding:
    """Say whether the embedded Java and ClickHouse exist as wheels for this platform."""
    text = f"{system} {machine}" + (f", {libc or 'no glibc'}" if system == "Linux" else "")
    if (system, machine) not in _WITH_WHEELS or (system == "Linux" and libc != "glibc"):
        advice = "Use Linux with glibc or macOS, or set DUNLIN_KAFKA_BOOTSTRAP and DUNLIN_CLICKHOUSE_URL to servers elsewhere."
        return wrong("platform", f"{text}: there is no embedded Java and ClickHouse for it. {advice}")
    return well("platform", text)


def this_platform() -> Finding:
    """Check the platform."""
    return wheels(platform.system(), platform.machine(), platform.libc_ver()[0])


def disk(home: Path, least: int = LEAST_DISK) -> Finding:
    """Check the free space where the stack keeps its data."""
    place = next(path for path in (home, *home.parents) if path.exists())
    free = shutil.disk_usage(place).free
    text = f"{free / 1e9:.1f} GB free for {home}"
    if free < least:
        return wrong("disk", f"{text}; {least / 1e9:.0f} GB are needed. Make room, or set DUNLIN_HOME to a larger disk.")
    if not os.access(place, os.W_OK):
        return wrong("disk", f"{place} cannot be written. Set DUNLIN_HOME to a directory of your own.")
    return well("disk", text)


def memory(least: int = LEAST_MEMORY) -> Finding:
    """Check the free memory, or the whole memory where the system does not report the free part."""
    free, word = _available(), "available"
    if free is None:
        free, word = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), "in all"
    text = f"{free / 1e9:.1f} GB {word}"
    if free < least:
        return wrong("memory", f"{text}; {least / 1e9:.0f} GB are needed. Stop other programs first.")
    return well("memory", text)


def _available() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)
