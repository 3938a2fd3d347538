"""CPU seconds of the parts of a stack, each with everything that it started, from /proc."""

import os
from collections.abc import Mapping
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_of_parts(pids: Mapping[str, int]) -> dict[str, float]:
    """User and system seconds of each part's process tree so far; children that have ended count for who waited for them."""
    seconds: dict[int, float] = {}
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue  # it has just ended
            parents[int(folder.name)] = int(fields[1])
            seconds[int(folder.name)] = sum(int(field) for field in fields[11:15]) / TICKS
    parts = {pid: name for name, pid in pids.items()}
    spent = dict.fromkeys(pids, 0.0)
    for pid, own in seconds.items():
        above = pid
        while above > 1 and above not in parts:
            above = parents.get(above, 0)
        if above in parts:
            spent[parts[above]] += own
    return spent
