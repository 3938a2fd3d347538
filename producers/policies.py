"""Policies and switches as facts, once to every partition of `facts`: each decision sees them in order, and a replay sees the same.

What was published last is kept in one small file, so that the same policy is not published twice and numbers rise.
"""

import os
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from producers.ticker import WritesEverywhere
from recovery.contracts.facts import PolicyPublished, SwitchSet
from recovery.ids import stub_key
from recovery.policy import Policy

EVERY_ACCOUNT = "*"
"""The account of a switch that means all."""


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """The last policy of an account. `done` is False while it is not known whether the broker has it: it is then sent again as it was."""

    number: int
    policy: Policy
    occurred_at: datetime
    done: bool


class Memory(msgspec.Struct, frozen=True):
    """What was published to one Kafka cluster; another cluster knows nothing of it."""

    cluster: str
    accounts: dict[str, Published] = {}


class PolicyBook:
    """Publishes policies that changed. Its file belongs to one cluster; `who` is written into each fact."""

    def __init__(self, path: Path, cluster: str, everywhere: WritesEverywhere, who: str) -> None:
        self._path, self._everywhere, self._who = path, everywhere, who
        self._memory = _remembered(path, cluster)

    def publish(self, account: str, policy: Policy, business_now: datetime, wall_now: datetime) -> int:
        """The number under which the policy is in force; publishes it only when it differs from the last one. Raises NotDelivered."""
        last = self._memory.accounts.get(account)
        if last and not last.done:
            self._send(account, last, wall_now)
        if last and last.policy == policy:
            return last.number
        new = Published(number=last.number + 1 if last else 1, policy=policy, occurred_at=business_now, done=False)
        self._remember(account, new)  # before it is sent: a number is never given to two policies
        self._send(account, new, wall_now)
        return new.number

    def _send(self, account: str, entry: Published, wall_now: datetime) -> None:
        id = policy_fact_id(account, entry.number)
        self._everywhere.write(
            stub_key(account, "policy"),
            lambda partition: PolicyPublished(
                id=f"{id}:{partition}",
                account=account,
                occurred_at=entry.occurred_at,
                received_at=wall_now,
                trace=id,
                number=entry.number,
                policy=entry.policy,
                who=self._who,
            ),
        )
        self._remember(account, msgspec.structs.replace(entry, done=True))

    def _remember(self, account: str, entry: Published) -> None:
        self._memory = msgspec.structs.replace(self._memory, accounts={**self._memory.accounts, account: entry})
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(self._memory)))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)


def policy_fact_id(account: str, number: int) -> str:
    """The id of a published policy, the partition's number to follow: derived from account and number."""
    return f"{account}:policy:{number}"


def set_switch(
    everywhere: WritesEverywhere,
    account: str,
    action: Literal["pause", "resume"],
    who: str,
    why: str,
    business_now: datetime,
    wall_now: datetime,
) -> None:
    """Pause or resume an account, or all with `*`: while paused, nothing is charged and nobody is written to (B45). Raises NotDelivered."""
    id = f"{account}:switch:{action}:{int(wall_now.timestamp() * 1000)}"
    everywhere.write(
        stub_key(account, "switch"),
        lambda partition: SwitchSet(
            id=f"{id}:{partition}",
            account=account,
            occurred_at=business_now,
            received_at=wall_now,
            trace=id,
            paused=action == "pause",
            who=who,
            why=why,
        ),
    )


def _remembered(path: Path, cluster: str) -> Memory:
    try:
        memory = msgspec.json.decode(path.read_bytes(), type=Memory)
    except FileNotFoundError:
        return Memory(cluster)
    except msgspec.DecodeError as error:
        raise ValueError(
            f"{path.name} cannot be read: {error}. It says which policies were published; restore it from a backup."
        ) from error
    return memory if memory.cluster == cluster else Memory(cluster)
