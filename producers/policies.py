"""Policies and switches as facts, once to every partition of `facts`: each decision sees them in order, and a replay sees the same.

Every version is kept in one file, so that the same policy is not published twice, numbers rise, and an older one can come back.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Literal

import msgspec

from control.lookup import Tenants
from control.policies import THE_FILE, Hand, History, Published, Trial, back_to, from_file, published, tried
from control.policy_file import Kept, PolicyFile
from producers.ticker import WritesEverywhere
from recovery.contracts.facts import PolicyPublished, SwitchSet
from recovery.ids import stub_key
from recovery.policy import Policy

EVERY_ACCOUNT = "*"
"""The account of a switch that means all."""


class PolicyBook:
    """Publishes what changes an account's policy, and keeps it. `cluster` is the Kafka behind `everywhere`.

    Raises:
        NotDelivered: the broker has not all of it. The change is kept and told again, as it was, before the next one.
        ValueError: a document cannot be published, or the file of versions cannot be read.
        UnknownAccount: the account is not in the tenants file.

    """

    def __init__(self, file: PolicyFile, cluster: str, everywhere: WritesEverywhere, tenants: Tenants) -> None:
        self._file, self._cluster, self._everywhere, self._tenants = file, cluster, everywhere, tenants

    def follow_file(self, account: str, business: datetime, wall: datetime) -> Published:
        """Publish the tenants file's policy of the account if it was edited; answers what is in force."""
        hand = Hand(who=THE_FILE, why="", business=business, wall=wall)
        document = self._tenants.tenant(account).policy
        return self._change(account, wall, lambda history: from_file(history, document, self._permitted(account), hand))

    def publish(self, account: str, document: Policy | None, hand: Hand) -> Published:
        """Publish a document, or with None the draft that is being tried; answers what is in force then."""

        def change(history: History) -> History:
            chosen = document or history.draft
            if chosen is None:
                raise ValueError(f"No draft of {account} is being tried; name the file to publish.")
            return published(history, chosen, self._permitted(account), hand)

        return self._change(account, hand.wall, change)

    def roll_back(self, account: str, number: int, hand: Hand) -> Published:
        """Publish the document of an older version again, as the next one. Raises LookupError when there is no such version."""
        return self._change(account, hand.wall, lambda history: back_to(history, number, self._permitted(account), hand))

    def try_out(self, account: str, document: Policy | None, hand: Hand) -> Published:
        """Try a document on paper beside the version in force, or none any more; answers what is in force."""
        return self._change(account, hand.wall, lambda history: tried(history, document, self._permitted(account), hand))

    def _permitted(self, account: str) -> Callable[[Policy], Policy]:
        return lambda document: self._tenants.permitted(account, document)

    def _change(self, account: str, wall: datetime, change: Callable[[History], History]) -> Published:
        self._tenants.tenant(account)
        with self._file.alone():
            kept = self._file.read()
            kept = kept if kept.cluster == self._cluster else _told_nothing(kept, self._cluster)
            history = self._told(kept, account, kept.histories.get(account, History()), wall)
            new = change(history)
            if new is not history:
                kept = _with(kept, account, new)
                self._file.write(kept)  # before it is sent: a number is never given to two policies
                new = self._told(kept, account, new, wall)
        assert new.last is not None  # noqa: S101 - a change leaves a version, or is refused
        return new.last

    def _told(self, kept: Kept, account: str, history: History, wall: datetime) -> History:
        if not history.untold:
            return history
        self._everywhere.write(stub_key(account, "policy"), _fact(account, history, wall))
        told = msgspec.structs.replace(history, untold="")
        self._file.write(_with(kept, account, told))
        return told


def _with(kept: Kept, account: str, history: History) -> Kept:
    return msgspec.structs.replace(kept, histories={**kept.histories, account: history})


def _told_nothing(kept: Kept, cluster: str) -> Kept:
    """What was told to another Kafka is yet to be told to this one, under its number."""
    histories = {account: msgspec.structs.replace(history, untold="version") for account, history in kept.histories.items()}
    return Kept(cluster=cluster, histories=histories)


def _fact(account: str, history: History, wall: datetime) -> Callable[[int], PolicyPublished]:
    last, trial = history.last, history.trial
    if last is None:
        raise ValueError(f"Nothing was published for {account}.")
    said: Published | Trial = last
    id = policy_fact_id(account, last.number)
    if history.untold == "draft" and trial is not None:
        id, said = f"{id}:draft:{trial.turn}", trial
    return lambda partition: PolicyPublished(
        id=f"{id}:{partition}",
        account=account,
        occurred_at=said.occurred_at,
        received_at=wall,
        trace=id,
        number=last.number,
        policy=last.policy,
        draft=history.draft,
        who=said.who,
        why=said.why,
    )


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
