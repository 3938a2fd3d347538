"""Is the home of the stack in order: a running stack, ports, leftovers of a kill, the tenants file."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from dunlin import root_lock, state
from dunlin.checkup.finding import Finding, well, wrong
from dunlin.parts import LocalPorts
from dunlin.ports import is_free, owner
from recovery.config import Settings


def wanted_ports(settings: Settings, local: LocalPorts) -> Mapping[str, int]:
    """List the ports that a stack with these settings listens on, by purpose."""
    kafka = {} if settings.kafka_bootstrap else {"Kafka": local.kafka, "Kafka's controller": local.kafka_controller}
    http, native = local.clickhouse_http, local.clickhouse_tcp
    clickhouse = {} if settings.clickhouse_url else {"ClickHouse over HTTP": http, "ClickHouse's native protocol": native}
    return {**kafka, **clickhouse, "gateway": settings.gateway_port, "dashboard": settings.dashboard_port}


def ports(wanted: Mapping[str, int]) -> Iterator[Finding]:
    """Look whether these ports are free."""
    for purpose, port in wanted.items():
        if port == 0 or is_free(port):
            yield well("port", f"{port} ({purpose}) is free")
        else:
            pid = owner(port)
            by = f"process {pid}" if pid else "a process this user may not see"
            advice = "Stop it, or choose another port: see `dunlin up --help`."
            yield wrong("port", f"{port} ({purpose}) is taken by {by}. {advice}")


def stack(settings: Settings, local: LocalPorts) -> Iterator[Finding]:
    """Look at a running stack or, without one, at its ports and at what an earlier one may have left."""
    if root_lock.is_held(settings.home / "run"):
        yield well("stack", f"runs in {settings.home} (process {root_lock.holder(settings.home / 'run')}); its ports are its own")
        return
    yield from leftovers(settings.home)
    yield from ports(wanted_ports(settings, local))


def leftovers(home: Path) -> Iterable[Finding]:
    """Look for servers whose supervisor is gone, and for the marks of a stack that was killed."""
    for name in ("kafka", "clickhouse"):
        if root_lock.is_held(home / name):
            pid = root_lock.holder(home / name)
            yield wrong("leftover", f"{name} of {home} still runs (process {pid}) without its stack. `dunlin up` ends it; or: kill {pid}")
    before = state.read(home)
    if before is not None and before.phase != "stopped":
        yield well("stack", f"was killed in {home}; nothing needs to be done, the next start goes on from its data")


def tenants(file: Path) -> Finding:
    """Look whether the tenants file can be read."""
    try:
        known = tomllib.loads(file.read_text())
    except FileNotFoundError:
        return well("tenants", f"no file at {file} yet: every merchant is only observed")
    except (OSError, UnicodeDecodeError) as problem:
        return wrong("tenants", f"{file} cannot be read ({problem}). Give this user the right to read it.")
    except tomllib.TOMLDecodeError as problem:
        return wrong("tenants", f"{file} is not TOML: {problem}. Correct that line.")
    return well("tenants", f"{file} is readable ({len(known)} sections)")
