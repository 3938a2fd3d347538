"""Which batches are applied, and what the fetcher's side tells about them. No broker, no worker."""

import asyncio
import threading
from types import SimpleNamespace

import pytest

from streams import process_exit
from streams.kafka import exactly_once, transport
from streams.transactional_shard import Batch, Names, Partition, Shard

FACTS = Partition("facts", 0)


def a_batch(start: int | None, end: int) -> Batch:
    return Batch(FACTS, start, end, [])


class Agent:
    """An app whose one shard stands at position 10."""

    def __init__(self) -> None:
        producer = SimpleNamespace(begin_transaction=lambda: None, produce=lambda *_: None)
        self.shard = Shard(0, Names("app", "changelog", ("facts",), ()), producer)
        self.shard.positions["facts"] = 10
        self.finished: list[Batch] = []
        self.store = SimpleNamespace(shards={0: self.shard}, finished=lambda _shard, batch: self.finished.append(batch))
        self.handled: list[Batch] = []
        self.rewound: list[dict] = []
        self.consumer = self

    async def rewind(self, positions: dict) -> None:
        self.rewound.append(positions)

    def handle(self, shard: Shard, batch: Batch) -> None:
        self.handled.append(batch)

    def take(self, batch: Batch) -> None:
        asyncio.run(exactly_once._take(self, self.store, self.handle, batch))


@pytest.fixture
def agent() -> Agent:
    return Agent()


def test_a_batch_that_continues_is_applied_and_moves_the_position(agent):
    agent.take(a_batch(10, 15))
    assert agent.handled == [a_batch(10, 15)]
    assert agent.shard.positions == {"facts": 15}


def test_a_batch_is_finished_when_it_changed_nothing_or_when_its_changes_are_committed(agent):
    agent.take(a_batch(10, 15))
    assert agent.finished == [a_batch(10, 15)]
    committing = threading.Event()
    agent.shard.producer.commit_transaction = lambda _: committing.wait(30)
    agent.handle = lambda shard, _batch: shard.put(b"row", b"value")

    async def commits() -> None:
        await exactly_once._take(agent, agent.store, agent.handle, a_batch(15, 20))
        assert agent.finished == [a_batch(10, 15)]
        committing.set()
        await agent.shard.saved()

    asyncio.run(commits())
    assert agent.finished == [a_batch(10, 15), a_batch(15, 20)]


@pytest.mark.parametrize("start", [None, 0, 9, 12])
def test_a_batch_that_does_not_continue_is_fetched_again_from_the_position(agent, start):
    agent.take(a_batch(start, 15))
    assert (agent.handled, agent.rewound) == ([], [{FACTS: 10}])
    assert agent.shard.positions == {"facts": 10}


@pytest.mark.parametrize("start", [None, 0, 9])
def test_a_batch_that_has_been_applied_is_ignored(agent, start):
    agent.take(a_batch(start, 10))
    assert (agent.handled, agent.rewound) == ([], [])


def test_a_batch_of_a_partition_that_was_taken_away_is_ignored(agent):
    agent.store.shards.clear()
    agent.take(a_batch(10, 15))
    assert agent.handled == []


def test_a_batch_waits_for_the_commit_before_it_and_looks_again_at_who_owns_the_partition(agent):
    async def taken_away_meanwhile() -> None:
        saving = agent.shard.saving = asyncio.get_running_loop().create_future()
        taking = asyncio.ensure_future(exactly_once._take(agent, agent.store, agent.handle, a_batch(10, 15)))
        await asyncio.sleep(0)
        assert agent.handled == []
        agent.store.shards[0] = Shard(0, agent.shard.names, None)
        saving.set_result(None)
        await taking

    asyncio.run(taken_away_meanwhile())
    assert agent.handled == []


class Fetcher:
    """A fetching thread without thread: what aiokafka would return is given, the log's bounds too."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.thread = transport.ConsumerThread.__new__(transport.ConsumerThread)
        self.thread._passed_on = {}
        self.thread._consumer = self
        self.bounds, self.sought, self.left = (0, 1000), [], []
        self.assigned = {FACTS}
        monkeypatch.setattr(transport, "exit_process", lambda code, reason: self.left.append((code, reason)))
        monkeypatch.setattr(transport.aiokafka.AIOKafkaConsumerThread, "_fetch_records", self._fetched)

    def seek(self, tp, position: int) -> None:
        self.sought.append((tp, position))

    def assignment(self) -> set:
        return self.assigned

    async def beginning_offsets(self, tps) -> dict:
        return dict.fromkeys(tps, self.bounds[0])

    async def end_offsets(self, tps) -> dict:
        return dict.fromkeys(tps, self.bounds[1])

    async def _fetched(self, _consumer) -> dict:
        return {FACTS: [SimpleNamespace(offset=offset) for offset in self.offsets]}

    def rewind(self, position: int) -> None:
        asyncio.run(self.thread.rewind({FACTS: position}))

    def fetch(self, *offsets: int) -> tuple[int | None, int]:
        self.offsets = offsets
        batch = asyncio.run(self.thread._fetch_records(self))[FACTS]
        return batch.start, batch.end


@pytest.fixture
def fetcher(monkeypatch) -> Fetcher:
    return Fetcher(monkeypatch)


def test_the_start_is_unknown_until_the_position_was_set(fetcher):
    assert fetcher.fetch(3, 4) == (None, 5)


def test_batches_are_chained_from_the_position_on(fetcher):
    fetcher.rewind(3)
    assert fetcher.sought == [(FACTS, 3)]
    assert [fetcher.fetch(3, 4), fetcher.fetch(5), fetcher.fetch(6, 7)] == [(3, 5), (5, 6), (6, 8)]


def test_a_dropped_batch_shows_in_the_next_one(fetcher):
    fetcher.rewind(3)
    fetcher.fetch(3, 4)  # dropped on the way
    assert fetcher.fetch(5, 6)[0] != 3


def test_gaps_inside_the_log_are_markers_or_compaction(fetcher):
    fetcher.rewind(3)
    assert fetcher.fetch(5, 8) == (3, 9)
    assert fetcher.left == []


def test_a_jump_because_the_log_begins_later_ends_the_worker(fetcher):
    fetcher.rewind(3)
    fetcher.bounds = (5, 1000)
    fetcher.fetch(5, 8)
    assert fetcher.left == [(70, "facts[0]: expected offset 3, got 5; the log has 5 to 1000")]


def test_a_jump_because_the_log_ends_earlier_ends_the_worker(fetcher):
    fetcher.rewind(50)
    fetcher.bounds = (0, 20)
    fetcher.fetch(0, 1)
    assert fetcher.left == [(70, "facts[0]: expected offset 50, got 0; the log has 0 to 20")]


def test_records_from_before_the_position_have_an_unknown_start(fetcher):
    fetcher.rewind(50)
    assert fetcher.fetch(*range(60)) == (None, 60)
    assert fetcher.left == []


def test_a_partition_that_was_taken_away_is_not_rewound(fetcher):
    fetcher.assigned = set()
    fetcher.rewind(3)
    assert fetcher.sought == []
    assert fetcher.fetch(3) == (None, 4)


def test_the_rest_of_a_batch_follows_in_a_transaction_of_its_own(agent):
    records = [SimpleNamespace(offset=offset) for offset in range(10, 15)]
    starts = []

    def two_at_a_time(shard, batch):
        starts.append([record.offset for record in batch.records])
        return min(batch.end, batch.records[0].offset + 2)

    asyncio.run(exactly_once._take(agent, agent.store, two_at_a_time, Batch(FACTS, 10, 15, records)))
    assert starts == [[10, 11, 12, 13, 14], [12, 13, 14], [14]]
    assert agent.shard.positions == {"facts": 15}


def test_a_worker_that_must_leave_does_so_after_the_commit(agent, monkeypatch):
    order = []

    def failing(shard, batch):
        shard.emit("parked.streams", b"k", b"v")
        shard.exit_after_commit = (75, "nearly every account fails")
        return batch.end

    monkeypatch.setattr(agent.shard, "commit", lambda: order.append("committed"))
    monkeypatch.setattr(exactly_once, "exit_process", lambda code, reason: order.append((code, reason)))
    asyncio.run(exactly_once._take(agent, agent.store, failing, a_batch(10, 15)))
    assert order == ["committed", (75, "nearly every account fails")]


def test_a_batch_that_cannot_be_saved_makes_the_worker_leave(agent, monkeypatch):
    left = []
    monkeypatch.setattr(process_exit, "exit_process", lambda code, reason: left.append(code))

    def refused(batch):
        raise ValueError("the client refuses a message")

    monkeypatch.setattr(agent.shard, "save", refused)
    agent.take(a_batch(10, 15))
    assert left == [process_exit.EXIT_RESTART]
