"""Who may log in to the embedded ClickHouse, with which password, and what they may do."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

from dunlin.ports import HOST

USERS = ("admin", "sink", "dashboard")
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


def users_xml(known: dict[str, str]) -> str:
    """Write the users: `admin` and `sink` may do everything, `dashboard` may read.

    `default` cannot have a password or be limited to networks, because the engine's own session logs in as it; that
    session fills its one permitted slot, so that nobody else can be `default` (a web page could reach this port).
    """
    return f"""<clickhouse>
  <profiles>
    <default><max_sessions_for_user>1</max_sessions_for_user></default>
    <trusted><max_sessions_for_user>0</max_sessions_for_user></trusted>
    <reader><max_sessions_for_user>0</max_sessions_for_user><readonly>2</readonly><max_execution_time>60</max_execution_time>
      <max_memory_usage>1000000000</max_memory_usage></reader>
  </profiles>
  <quotas><default/></quotas>
  <users>
    <default><password></password><profile>default</profile><quota>default</quota>
      <networks><ip>127.0.0.1</ip><ip>::1</ip></networks></default>
{_user("admin", known, "trusted", "<query>GRANT ALL ON *.* WITH GRANT OPTION</query>")}
{_user("sink", known, "trusted", "<query>GRANT ALL ON *.*</query>")}
{_user("dashboard", known, "reader", _READ)}
  </users>
</clickhouse>
"""


_READ = "<query>GRANT SHOW, SELECT, dictGet ON dunlin.*</query><query>GRANT SELECT ON system.*</query>"


def _user(name: str, known: dict[str, str], profile: str, grants: str) -> str:
    digest = hashlib.sha256(known[name].encode()).hexdigest()
    return (
        f"    <{name}><password_sha256_hex>{digest}</password_sha256_hex><profile>{profile}</profile>"
        f"<quota>default</quota><networks><ip>127.0.0.1</ip><ip>::1</ip></networks><grants>{grants}</grants></{name}>"
    )
