"""Is the home of the stack in order: a running stack, ports, leftovers of a kill, the tenants file."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from dunlin.diagnostics.finding import Finding, doubtful, well, wrong
from dunlin.stack import directory_lock, state
from dunlin.stack.ports import is_free, owner
from dunlin.stack.services import LocalPorts
from recovery.config import Settings


def wanted_ports(settings: Settings, local: LocalPorts) -> Mapping[str, int]:
    """List the ports that a stack with these settings listens on, by purpose."""
    kafka = {} if settings.kafka_bootstrap else {"Kafka": local.kafka, "Kafka's controller": local.kafka_controller}
    http, native = local.clickhouse_http, local.clickhouse_tcp
    clickhouse = {} if settings.clickhouse_url else {"ClickHouse over HTTP": http, "ClickHouse's native protocol": native}
    return {**kafka, **clickhouse, "gateway": settings.gateway_port, "dashboard": settings.dashboard_port}


def ports(wanted: Mapping[str, int]) -> Iterator[Finding]:
    """Check whether these ports are free."""
    for purpose, port in wanted.items():
        if port == 0 or is_free(port):
            yield well("port", f"{port} ({purpose}) is free")
        else:
            pid = owner(port)
            by = f"process {pid}" if pid else "a process this user may not see"
            advice = "Stop it, or choose another port: see `dunlin up --help`."
            yield wrong("port", f"{port} ({purpose}) is taken by {by}. {advice}")


def stack(settings: Settings, local: LocalPorts) -> Iterator[Finding]:
    """Check a running stack or, without one, its ports and the remains of an earlier one."""
    if directory_lock.is_held(settings.home / "run"):
        yield well("stack", f"runs in {settings.home} (process {directory_lock.holder(settings.home / 'run')}); its ports are its own")
        return
    yield from leftovers(settings.home)
    yield from ports(wanted_ports(settings, local))


def leftovers(home: Path) -> Iterable[Finding]:
    """Find servers whose supervisor is gone, and the traces of a stack that was killed."""
    for name in ("kafka", "clickhouse"):
        if directory_lock.is_held(home / name):
            pid = directory_lock.holder(home / name)
            yield wrong("leftover", f"{name} of {home} still runs (process {pid}) without its stack. `dunlin up` ends it; or: kill {pid}")
    before = state.read(home)
    if before is not None and before.phase != "stopped":
        yield well("stack", f"was killed in {home}; nothing needs to be done, the next start goes on from its data")


def tenants(file: Path) -> Iterator[Finding]:
    """Check whether the tenants file and its files of secrets can be used."""
    from control.secret_strength import shared
    from control.stripe_mails import warnings
    from control.tenants import TenantDirectory, problems

    if not file.exists():
        yield well("tenants", f"no file at {file} yet: `dunlin up` needs one, `dunlin demo` brings its own (docs/operations.md)")
        return
    found = problems(file)
    for problem in found:
        yield wrong("tenants", f"{file}: {problem}")
    if not found:
        yield well("tenants", f"{file} and the secrets it names are readable")
        for warning in warnings(file):
            yield doubtful("mails", warning)
        known = TenantDirectory.load(file)
        for accounts in shared({account: known.secrets(account) for account in known.accounts()}):
            yield doubtful(
                "secrets",
                f"{', '.join(accounts)} share a webhook secret: who knows it signs for each of them, and an event that names no account is "
                "passed over. Right only for one Connect endpoint of your platform; else give each its own file.",
            )
