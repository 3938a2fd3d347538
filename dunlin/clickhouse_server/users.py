"""Who may log in to the embedded ClickHouse, with which password, and what they may do."""

import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

from dunlin.stack.ports import HOST
from recovery.contracts.warehouse import ACCOUNT_TABLES, DATABASE

USERS = ("admin", "sink", "reader", "dashboard")
_FILE = "passwords.json"


def passwords(root: Path, new_password: Callable[[], str]) -> dict[str, str]:
    """Give each user's password, making those that are missing; kept in `root` in a file only its owner may read."""
    known = read_passwords(root)
    complete = {user: known.get(user) or new_password() for user in USERS}
    if complete != known:
        write_privately(root / _FILE, json.dumps(complete, indent=1))
    return complete


def read_passwords(root: Path) -> dict[str, str]:
    """Give the passwords written by a start in `root`; empty before the first."""
    try:
        return dict(json.loads((root / _FILE).read_text()))
    except FileNotFoundError:
        return {}


def url(root: Path, port: int, user: str) -> str:
    """Give the URL with which `user` reaches the server of `root`; raises KeyError for a user it does not have."""
    return f"http://{user}:{read_passwords(root)[user]}@{HOST}:{port}/"


def write_privately(path: Path, text: str) -> None:
    """Write a whole file that only its owner may read; a reader sees the old text or the new one."""
    half = path.with_name(path.name + ".half")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
    half.replace(path)


def users_xml(known: dict[str, str], dashboard_account: str) -> str:
    """Write the users: `admin` and `sink` may do everything, `reader` may read, `dashboard` may read the rows of one account.

    `default` cannot have a password or be limited to networks, because the engine's own session logs in as it; that session fills its one
    permitted slot, so that no client can be `default` (a web page could reach this port). Its rights are those that the session needs.
    """
    return f"""<clickhouse>
  <profiles>
    <default><max_sessions_for_user>1</max_sessions_for_user></default>
    <trusted><max_sessions_for_user>0</max_sessions_for_user></trusted>
    <reader>{_limits()}</reader>
  </profiles>
  <quotas><default/></quotas>
  <users>
    <default><password></password><profile>default</profile><quota>default</quota>
      <networks><ip>127.0.0.1</ip><ip>::1</ip></networks><grants>{_ENGINE}</grants></default>
{_user("admin", known, "trusted", "<query>GRANT ALL ON *.* WITH GRANT OPTION</query>")}
{_user("sink", known, "trusted", "<query>GRANT ALL ON *.*</query>")}
{_user("reader", known, "reader", _READ)}
{_user("dashboard", known, "reader", _READ, _rows_of(dashboard_account))}
  </users>
</clickhouse>
"""


_ENGINE = "<query>GRANT SYSTEM LISTEN, CREATE TEMPORARY TABLE ON *.*</query><query>GRANT READ ON FILE</query>"
_READ = "<query>GRANT SHOW, SELECT, dictGet ON dunlin.*</query>"
_BOUNDS = {"max_execution_time": 60, "max_memory_usage": 1_000_000_000}
"""What a query of a reader may cost at most: seconds and bytes. 0 would mean no bound, so a reader may not ask for that either."""


def _limits() -> str:
    values = "".join(f"<{name}>{most}</{name}>" for name, most in _BOUNDS.items())
    bounds = "".join(f"<{name}><min>1</min><max>{most}</max></{name}>" for name, most in _BOUNDS.items())
    fixed = "<max_sessions_for_user><readonly/></max_sessions_for_user>"
    return f"<max_sessions_for_user>0</max_sessions_for_user><readonly>2</readonly>{values}<constraints>{bounds}{fixed}</constraints>"


def _rows_of(account: str) -> str:
    """Limit a user to the rows of one account, in every table of ours that has rows of accounts; no account, no rows."""
    if not re.fullmatch(r"[A-Za-z0-9_]*", account):
        raise ValueError(f"{account!r} is not a Stripe account")
    tables = "".join(f"<{table}><filter>account = '{account}'</filter></{table}>" for table in ACCOUNT_TABLES)
    return f"<databases><{DATABASE}>{tables}</{DATABASE}></databases>"


def _user(name: str, known: dict[str, str], profile: str, grants: str, rows: str = "") -> str:
    digest = hashlib.sha256(known[name].encode()).hexdigest()
    return (
        f"    <{name}><password_sha256_hex>{digest}</password_sha256_hex><profile>{profile}</profile>"
        f"<quota>default</quota><networks><ip>127.0.0.1</ip><ip>::1</ip></networks><grants>{grants}</grants>{rows}</{name}>"
    )
