"""Ranges of events into ClickHouse, each exactly once, and what cannot be read onto `parked.sinks`."""

import logging
from collections.abc import Callable, Sequence

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error
from urllib3.exceptions import HTTPError

from recovery.adapters.kafka import NotDelivered, Publisher
from recovery.contracts.dead_letters import DeadLetter
from recovery.contracts.encoding import codec
from recovery.contracts.topics import PARKED_SINKS, REDRIVE_SINKS
from recovery.contracts.warehouse import DATABASE, EVENT_COLUMNS, EVENTS_TABLE
from recovery.vocabulary import Clock
from sinks.kafka.exactly_once_consumer import NotWritten
from sinks.kafka.offset_ranges import Message, Range
from sinks.warehouse import rows

log = logging.getLogger(__name__)
SETTINGS = {
    # Servers differ in their defaults (26.2 changed all three), so each insert says what it needs.
    "async_insert": 0,
    "insert_deduplicate": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "input_format_parallel_parsing": 0,
    "date_time_input_format": "best_effort",
}


class WarehouseWriter:
    """Writes ranges to `dunlin.events`; connects when first needed and again after an outage."""

    def __init__(self, connect: Callable[[], Client], parked: Publisher, wall: Clock) -> None:
        self._connect, self._parked, self._wall = connect, parked, wall
        self._client: Client | None = None
        self.parked_n = 0

    def write(self, taken: Range, messages: Sequence[Message]) -> None:
        """Park what cannot be read, then insert the rest under the range's token. Raises NotWritten."""
        lines, refused = split(messages)
        if refused:
            self._park(refused)
        if lines:
            self._insert(taken, b"\n".join(lines))

    def there(self, messages: Sequence[Message]) -> set[tuple[int, int]]:
        """Which of these messages, all of one topic, the table has already: (partition, offset). Raises NotWritten."""
        try:
            if self._client is None:
                self._client = self._connect()
            found = self._client.query(
                f"SELECT src_partition, src_offset FROM {DATABASE}.{EVENTS_TABLE} WHERE src_topic = {{topic:String}} "  # noqa: S608 - our names
                "AND src_offset IN {offsets:Array(UInt64)}",
                parameters={"topic": messages[0].topic, "offsets": [message.offset for message in messages]},
            )
        except (Error, HTTPError, OSError) as error:
            self._close()
            raise NotWritten(f"ClickHouse does not answer which events it has: {_in_short(error)}") from error
        return {(int(partition), int(offset)) for partition, offset in found.result_rows}

    def _insert(self, taken: Range, block: bytes) -> None:
        try:
            if self._client is None:
                self._client = self._connect()
            self._client.raw_insert(
                f"{DATABASE}.{EVENTS_TABLE}",
                column_names=list(EVENT_COLUMNS),
                insert_block=block,
                fmt=rows.FORMAT,
                settings={**SETTINGS, "insert_deduplication_token": taken.token},
            )
        except (Error, HTTPError, OSError) as error:
            self._close()
            raise NotWritten(f"ClickHouse did not take {taken.token}: {_in_short(error)}") from error

    def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _park(self, refused: Sequence[tuple[Message, str]]) -> None:
        for message, why in refused:
            log.error("parked %s/%d/%d: %s", message.topic, message.partition, message.offset, why)
            self._parked.send(PARKED_SINKS.name, message.key, codec.encode(parked(message, why, self._wall)))
        try:
            self._parked.flush()
        except NotDelivered as error:
            raise NotWritten(f"Unreadable messages could not be parked: {error}") from error
        self.parked_n += len(refused)


def split(messages: Sequence[Message]) -> tuple[list[bytes], list[tuple[Message, str]]]:
    """The rows of the messages as JSON lines, in order, and the messages that give none, each with the reason."""
    lines: list[bytes] = []
    refused: list[tuple[Message, str]] = []
    for message in messages:
        try:
            lines.append(rows.line(message.value, message.topic, message.partition, message.offset))
        except codec.Unprocessable as error:
            refused.append((message, str(error)))
    return lines, refused


def parked(message: Message, why: str, wall: Clock) -> DeadLetter:
    """The dead letter of an unreadable message, with its position, its bytes and the reason; a replay sends it to `redrive.sinks`."""
    return DeadLetter(
        stage="sinks",
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        value=message.value or b"",
        headers=message.headers,
        why=why,
        at=wall(),
        replay_topic=REDRIVE_SINKS.name,
    )


def _in_short(error: Exception) -> str:
    text = " ".join(str(error).split())
    hint = " Run `python -m sinks migrate`." if "UNKNOWN_TABLE" in text or "UNKNOWN_DATABASE" in text else ""
    return text[:300] + hint
