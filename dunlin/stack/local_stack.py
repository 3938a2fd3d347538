"""A whole stack on this machine, from settings to the end: what `dunlin up` and every command that needs a stack share."""

import secrets
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import msgspec

from control.link_keys import ensure_link_keys
from control.private_files import private_folder
from dunlin.clickhouse_server import users
from dunlin.stack.directory_lock import InUseError
from dunlin.stack.ports import PortTakenError, free_ports
from dunlin.stack.service import Service
from dunlin.stack.services import LocalPorts, full_stack
from dunlin.stack.supervisor import Stack, StackFailedError
from recovery.config import Settings


def settle_ports(settings: Settings, local: LocalPorts) -> tuple[Settings, LocalPorts]:
    """Replace every port 0 by a free one."""
    free = iter(free_ports(6))
    gateway, dashboard = settings.gateway_port or next(free), settings.dashboard_port or next(free)
    return msgspec.structs.replace(settings, gateway_port=gateway, dashboard_port=dashboard), LocalPorts(
        kafka=local.kafka or next(free),
        kafka_controller=local.kafka_controller or next(free),
        clickhouse_http=local.clickhouse_http or next(free),
        clickhouse_tcp=local.clickhouse_tcp or next(free),
    )


def local_parts(settings: Settings, local: LocalPorts) -> list[Service]:
    """List the parts of a stack in `settings.home`, making the passwords of its ClickHouse and the key of links on the first occasion."""
    private_folder(settings.home)  # the ledger and the contacts will lie there
    root = settings.home / "clickhouse"
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    ensure_link_keys(settings.link_keys_file, lambda: secrets.token_urlsafe(32))
    passwords = users.passwords(root, lambda: secrets.token_urlsafe(24))
    return full_stack(settings, local, passwords, has_policies=settings.tenants_file.is_file())


def run_to_the_end(stack: Stack, home: Path, err: TextIO, when_ready: Callable[[float], None]) -> int:
    """Run the stack until Ctrl-C, SIGTERM or `dunlin down`; gives the exit code, having said why if it is not 0."""
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, stack.request_stop)
    try:
        stack.run(when_ready)
    except InUseError as busy:
        err.write(f"a stack is already running in {home} (process {busy.pid}): see `dunlin status`, stop it with `dunlin down`\n")
        return 1
    except PortTakenError as taken:
        err.write(f"{taken}\n")
        return 1
    except StackFailedError as failed:
        err.write(f"{failed}\n")
        return 1
    return 0
