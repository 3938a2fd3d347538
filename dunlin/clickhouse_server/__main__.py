"""Run the embedded ClickHouse in the foreground until SIGTERM."""

import argparse
import os
import secrets
import sys
from pathlib import Path

from dunlin.clickhouse_server.engine import Engine, EngineError
from dunlin.clickhouse_server.users import passwords, users_xml
from dunlin.stack import directory_lock
from dunlin.stack.ports import PortTakenError, refuse_taken
from recovery.config import from_env


def _report(text: str) -> None:
    print(f"ClickHouse: {text}", file=sys.stderr, flush=True)


def _ready(http: int) -> None:
    _report(f"answers on 127.0.0.1:{http}")
    if ready := os.environ.get("DUNLIN_READY_FILE"):
        Path(ready).touch()


def _run(root: Path, http: int, tcp: int, take_over: bool, dashboard_account: str) -> bool:
    (directory_lock.take_over if take_over else directory_lock.acquire)(root)
    refuse_taken(http, "ClickHouse over HTTP")
    refuse_taken(tcp, "ClickHouse's native protocol")
    engine = Engine(root, http, tcp)
    engine.configure(users_xml(passwords(root, lambda: secrets.token_urlsafe(24)), dashboard_account))
    return engine.serve(lambda: _ready(http))


def main() -> None:
    """Parse the arguments and serve. Exit status 0 after a requested stop, 1 with a sentence otherwise."""
    parser = argparse.ArgumentParser(prog="python -m dunlin.clickhouse_server", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="the directory of the data, the lock and the passwords")
    parser.add_argument("--http-port", type=int, default=8123, help="HTTP interface (default 8123)")
    parser.add_argument("--tcp-port", type=int, default=9000, help="native protocol (default 9000)")
    parser.add_argument("--take-over", action="store_true", help="end a leftover server of this directory first")
    args = parser.parse_args()
    try:
        account = from_env(os.environ).dashboard_account
        ended = _run(args.root.resolve(), args.http_port, args.tcp_port, args.take_over, account)
    except (ValueError, directory_lock.InUseError, PortTakenError, EngineError) as problem:
        print(f"ClickHouse: {problem}", file=sys.stderr, flush=True)
        # Not sys.exit: the engine's threads would abort the process while Python unloads, with a code of their own.
        os._exit(1)
    if not ended:
        _report("did not end within 20 s of the request; leaving it")
        os._exit(1)


if __name__ == "__main__":
    main()
