"""What a partition holds for a sink: messages that wait, the range under way, and the announcement of it in the group's commit."""

import json
from itertools import takewhile
from typing import Any

import msgspec

MOST_MESSAGES = 5_000
"""Messages in one range."""
MOST_BYTES = 16 << 20
"""Of the messages in one range; a single one is always taken."""
FIRST_BACKOFF, LONGEST_BACKOFF = 0.2, 5.0


class Fatal(RuntimeError):
    """This process cannot go on; a new one can. The text says why."""


class Range(msgspec.Struct, frozen=True):
    """Offsets `first` to `end - 1` of one partition."""

    topic: str
    partition: int
    first: int
    end: int

    @property
    def token(self) -> str:
        """The same for the same range, for the target to recognise a repeat."""
        return f"{self.topic}:{self.partition}:{self.first}-{self.end - 1}"

    @property
    def announcement(self) -> str:
        """The commit metadata that announces the range."""
        return json.dumps({"pend": [self.first, self.end]}, separators=(",", ":"))


def announced(metadata: str | None) -> tuple[int, int] | None:
    """The range `[first, end)` announced in commit metadata, None without one. Raises Fatal when it is not ours."""
    if not metadata:
        return None
    try:
        first, end = json.loads(metadata)["pend"]
        return int(first), int(end)
    except (ValueError, KeyError, TypeError) as error:
        raise Fatal(f"The group's commit metadata is {metadata!r}, not ours. Does another program use this consumer group?") from error


class Message(msgspec.Struct, frozen=True):
    """One message as it was read."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes | None
    headers: dict[str, str] = {}


def from_kafka(raw: Any) -> Message:
    """The message that a consumer handed out."""
    headers = {name: bytes(value or b"").decode(errors="replace") for name, value in raw.headers() or ()}
    return Message(raw.topic(), raw.partition(), raw.offset(), raw.key() or b"", raw.value(), headers)


class PartitionBuffer(msgspec.Struct):
    """One assigned partition: what was read and not yet written, and the range under way."""

    topic: str
    partition: int
    start: int  # where the group stood at the assignment, as Kafka's committed offset
    redo: tuple[int, int] | None = None
    waiting: list[Message] = []  # in order; the first belongs to `taken` when there is one
    expects: int = 0  # no message below this offset is taken again
    taken: Range | None = None
    written: int = -1  # end of a range that is written but not yet committed as done
    not_before: float = 0.0
    failures: int = 0
    paused: bool = False

    def receive(self, message: Message) -> None:
        """Add a message; one that was received before is dropped."""
        if message.offset >= self.expects:
            self.waiting.append(message)
            self.expects = message.offset + 1

    def take(self) -> Range | None:
        """The next range to write: the one under way, else the announced one once complete, else all that waits."""
        if self.taken is None and self.waiting:
            count = self._complete() if self.redo else self._that_fit()
            if count:
                first, end = self.redo or (self.waiting[0].offset, self.waiting[count - 1].offset + 1)
                self.taken = Range(self.topic, self.partition, first, end)
        return self.taken

    def messages(self) -> list[Message]:
        """The messages of the range under way."""
        end = self.taken.end if self.taken else 0
        return list(takewhile(lambda message: message.offset < end, self.waiting))

    def finish(self) -> None:
        """The range under way is written."""
        if self.taken is not None:
            del self.waiting[: len(self.messages())]
            self.written, self.taken, self.redo, self.failures = self.taken.end, None, None, 0

    def fail(self, now: float) -> float:
        """The range was not written. Returns the seconds until it is tried again."""
        delay = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2.0 ** min(self.failures, 10))
        self.failures += 1
        self.not_before = now + delay
        return delay

    def _that_fit(self) -> int:
        left = MOST_BYTES
        for count, message in enumerate(self.waiting[:MOST_MESSAGES]):
            left -= len(message.value or b"")
            if left < 0 and count:
                return count
        return min(len(self.waiting), MOST_MESSAGES)

    def _complete(self) -> int:
        if self.redo is None or self.waiting[-1].offset < self.redo[1] - 1:
            return 0
        end = self.redo[1]
        return sum(1 for message in self.waiting if message.offset < end)
