"""ClickHouse clients with time-outs; always a URL, so the embedded server and a real one are the same to us."""

import logging
from urllib.parse import unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client

for chatty in ("clickhouse_connect", "urllib3"):
    logging.getLogger(chatty).addHandler(logging.NullHandler())  # where no log is set up, only our sentence is written


def client(url: str, database: str = "default", send_receive_timeout: int = 60) -> Client:
    """A client for `http://user:password@host:port/`. No server session, so threads may each use one at once.

    Raises:
        ValueError: the address lacks a host.
        clickhouse_connect.driver.exceptions.Error: the server cannot be reached or refuses the user.

    """
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError(f"{url!r} is not a ClickHouse address; use http://user:password@host:port/.")
    return clickhouse_connect.get_client(
        host=parts.hostname,
        port=parts.port or (8443 if parts.scheme == "https" else 8123),
        username=unquote(parts.username or "default"),
        password=unquote(parts.password or ""),
        secure=parts.scheme == "https",
        database=database,
        connect_timeout=5,
        send_receive_timeout=send_receive_timeout,
        autogenerate_session_id=False,
    )
