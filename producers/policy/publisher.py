"""Policies and switches as facts, once to every partition of `facts`: each decision sees them in order, and a replay sees the same.

Every version is kept in one file, so that the same policy is not published twice, numbers rise, and an older one can come back.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Literal

import msgspec

from control.policy_history import THE_FILE, ChangeAuthor, History, Published, Trial, back_to, from_file, published, tried
from control.policy_store import PolicyStore, StoredPolicies
from control.tenants import TenantDirectory
from producers.ticker import WritesEverywhere
from recovery.contracts.facts import PauseSet, PolicyPublished
from recovery.ids import stub_key
from recovery.policy import Policy

EVERY_ACCOUNT = "*"
"""The account of a switch that means all."""


class PolicyPublisher:
    """Publishes changes of an account's policy, and stores them. `cluster` is the Kafka behind `everywhere`.

    Raises:
        NotDelivered: the broker has not acknowledged all of it. The change is stored and published again, unchanged, before the next one.
        ValueError: a document cannot be published, or the file of versions cannot be read.
        UnknownAccount: the account is not in the tenants file.
    """

    def __init__(self, file: PolicyStore, cluster: str, everywhere: WritesEverywhere, tenants: TenantDirectory) -> None:
        self._file, self._cluster, self._everywhere, self._tenants = file, cluster, everywhere, tenants

    def follow_file(self, account: str, business: datetime, wall: datetime) -> Published:
        """Publish the tenants file's policy of the account if it was edited. Returns what is in force."""
        author = ChangeAuthor(who=THE_FILE, why="", business=business, wall=wall)
        document = self._tenants.tenant(account).policy
        return self._change(account, wall, lambda history: from_file(history, document, self._permitted(account), author))

    def publish(self, account: str, document: Policy | None, author: ChangeAuthor) -> Published:
        """Publish a document, or with None the draft that is being tried. Returns what is in force then."""

        def change(history: History) -> History:
            chosen = document or history.draft
            if chosen is None:
                raise ValueError(f"No draft of {account} is being tried; name the file to publish.")
            return published(history, chosen, self._permitted(account), author)

        return self._change(account, author.wall, change)

    def roll_back(self, account: str, number: int, author: ChangeAuthor) -> Published:
        """Publish the document of an older version again, as the next one. Raises LookupError when there is no such version."""
        return self._change(account, author.wall, lambda history: back_to(history, number, self._permitted(account), author))

    def try_out(self, account: str, document: Policy | None, author: ChangeAuthor) -> Published:
        """Try a document on paper beside the version in force, or none any more. Returns what is in force."""
        return self._change(account, author.wall, lambda history: tried(history, document, self._permitted(account), author))

    def _permitted(self, account: str) -> Callable[[Policy], Policy]:
        return lambda document: self._tenants.permitted(account, document)

    def _change(self, account: str, wall: datetime, change: Callable[[History], History]) -> Published:
        self._tenants.tenant(account)
        with self._file.alone():
            kept = self._file.read()
            kept = kept if kept.cluster == self._cluster else _all_unpublished(kept, self._cluster)
            history = self._publish_pending(kept, account, kept.histories.get(account, History()), wall)
            new = change(history)
            if new is not history:
                kept = _with(kept, account, new)
                self._file.write(kept)  # before it is sent: a number is never given to two policies
                new = self._publish_pending(kept, account, new, wall)
        assert new.last is not None  # noqa: S101 - a change leaves a version, or is refused
        return new.last

    def _publish_pending(self, kept: StoredPolicies, account: str, history: History, wall: datetime) -> History:
        if not history.unpublished:
            return history
        self._everywhere.write(stub_key(account, "policy"), _fact(account, history, wall))
        published = msgspec.structs.replace(history, unpublished="")
        self._file.write(_with(kept, account, published))
        return published


def _with(kept: StoredPolicies, account: str, history: History) -> StoredPolicies:
    return msgspec.structs.replace(kept, histories={**kept.histories, account: history})


def _all_unpublished(kept: StoredPolicies, cluster: str) -> StoredPolicies:
    """Publish to this Kafka what was published to another one, under its number."""
    histories = {account: msgspec.structs.replace(history, unpublished="version") for account, history in kept.histories.items()}
    return StoredPolicies(cluster=cluster, histories=histories)


def _fact(account: str, history: History, wall: datetime) -> Callable[[int], PolicyPublished]:
    last, trial = history.last, history.trial
    if last is None:
        raise ValueError(f"Nothing was published for {account}.")
    version: Published | Trial = last
    id = policy_fact_id(account, last.number)
    if history.unpublished == "draft" and trial is not None:
        id, version = f"{id}:draft:{trial.turn}", trial
    return lambda partition: PolicyPublished(
        id=f"{id}:{partition}",
        account=account,
        occurred_at=version.occurred_at,
        received_at=wall,
        trace=id,
        number=last.number,
        policy=last.policy,
        draft=history.draft,
        who=version.who,
        why=version.why,
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
    """Pause or resume an account, or all with `*`: while paused, nothing is charged and no message is sent (B45). Raises NotDelivered."""
    id = f"{account}:switch:{action}:{int(wall_now.timestamp() * 1000)}"
    everywhere.write(
        stub_key(account, "switch"),
        lambda partition: PauseSet(
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
