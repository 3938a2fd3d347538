"""A shard in memory: the real state, batches and processor, with a list in place of the broker. For replays and simulations."""

from typing import NamedTuple

from recovery.contracts.topics import FACTS, changelog
from streams.guard import Guard
from streams.processor import ShardProcessor
from streams.topology import OUTPUTS
from streams.transactional_shard import Batch, Names, Partition, Record, Shard


class Output(NamedTuple):
    """One message as the shard would have sent it."""

    topic: str
    key: bytes | None
    value: bytes | None


class Tape:
    """What a shard knows of its producer, writing to a list."""

    def __init__(self) -> None:
        self.outputs: list[Output] = []

    def begin_transaction(self) -> None:
        """Nothing to begin: a tape has one writer and no crash."""

    def produce(self, topic: str, value: bytes | None, key: bytes | None, _partition: int) -> None:
        """Keep the message."""
        self.outputs.append(Output(topic, key, value))

    def take(self) -> list[Output]:
        """What was written since the last call, in order."""
        taken, self.outputs = self.outputs, []
        return taken


class ShardInMemory:
    """Partition `number` of the app `app_id`, empty at first: facts in, outputs out; `rows` is what the changelog would hold."""

    def __init__(self, number: int, app_id: str, guard: Guard | None = None) -> None:
        self._tape = Tape()
        names = Names(app_id, changelog(app_id).name, (FACTS.name,), OUTPUTS)
        self._shard = Shard(number, names, self._tape)
        self._processor = ShardProcessor(self._shard, guard or Guard())

    @property
    def rows(self) -> dict[bytes, bytes]:
        """The rows by key, those of accounts and of the time among them; not to be changed."""
        return self._shard.rows

    def take(self, record: Record) -> list[Output]:
        """Apply one record of `facts` as a batch of its own. Returns what it sends, the changelog's records left out."""
        self._processor.process(record)
        self._shard.save(Batch(Partition(FACTS.name, self._shard.number), record.offset, record.offset + 1, ()))
        return [output for output in self._tape.take() if output.topic != self._shard.names.changelog]

    def keep_time(self) -> None:
        """Write the time beside the rows, as the end of a batch does."""
        self._processor.keep_time()
