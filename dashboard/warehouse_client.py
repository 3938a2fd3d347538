"""Queries ClickHouse, and explains in plain words when it cannot."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from time import sleep
from typing import Any, Protocol

import pandas as pd
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error
from urllib3.exceptions import HTTPError

from recovery.adapters import clickhouse

BUSY_TRIES = 10
"""How often a query is repeated on a busy server, a tenth of a second apart."""
_BUSY = ("USER_SESSION_LIMIT_EXCEEDED", "TOO_MANY_SIMULTANEOUS_QUERIES")
Values = Mapping[str, Any]


class WarehouseUnreachable(RuntimeError):
    """The figures cannot be read now; the text says what to do."""


class FrameSource(Protocol):
    """Where pages get their figures."""

    def frame(self, sql: str, values: Values, columns: Sequence[str]) -> pd.DataFrame:
        """The answer of a query with bound values, in these columns. Raises WarehouseUnreachable."""

    def stream(self, sql: str, values: Values) -> Iterator[bytes]:
        """The answer in the format that the query names, piece by piece. Raises WarehouseUnreachable."""


class WarehouseClient:
    """ClickHouse at an address; connects with the first query, and again after an outage."""

    def __init__(self, url: str, connect: Callable[[str], Client] = clickhouse.client, pause: Callable[[float], None] = sleep) -> None:
        self._url, self._connect, self._pause = url, connect, pause
        self._client: Client | None = None

    def frame(self, sql: str, values: Values, columns: Sequence[str]) -> pd.DataFrame:
        """The answer of a query with bound values, in these columns. Raises WarehouseUnreachable."""
        try:
            rows = self._rows(sql, dict(values))
        except (Error, HTTPError, OSError, ValueError) as error:
            raise self._failed(error) from error
        return pd.DataFrame(rows, columns=list(columns))  # an answer without rows names none itself

    def stream(self, sql: str, values: Values) -> Iterator[bytes]:
        """The answer in the format that the query names, piece by piece. Raises WarehouseUnreachable."""
        try:
            with self._ready().raw_stream(sql, parameters=dict(values)) as pieces:
                yield from pieces
        except (Error, HTTPError, OSError, ValueError) as error:
            raise self._failed(error) from error

    def _rows(self, sql: str, values: dict[str, Any]) -> Sequence[Sequence[Any]]:
        """The rows. On a server that is busy with this user's other queries the query is repeated for a second."""
        for _ in range(BUSY_TRIES):
            try:
                return self._ready().query(sql, parameters=values).result_rows
            except Error as error:
                if not any(word in str(error) for word in _BUSY):
                    raise
                self._pause(0.1)
        return self._ready().query(sql, parameters=values).result_rows

    def _ready(self) -> Client:
        if self._client is None:
            self._client = self._connect(self._url)
        return self._client

    def _failed(self, error: Exception) -> WarehouseUnreachable:
        self._client = None
        text = " ".join(str(error).split())
        if "UNKNOWN_TABLE" in text or "UNKNOWN_DATABASE" in text:
            return WarehouseUnreachable(
                "The tables are not there yet. They are created by `python -m sinks migrate`, which `dunlin up` runs first."
            )
        if "ACCESS_DENIED" in text or "AUTHENTICATION_FAILED" in text:
            return WarehouseUnreachable("ClickHouse does not let this user read. Check user and password in DUNLIN_CLICKHOUSE_URL.")
        return WarehouseUnreachable(f"ClickHouse does not answer. Is the stack running (`dunlin status`)? It said: {text[:200]}")
