"""What is done to the world, medium by medium: how it is asked for, how often the world saw it, what may be told of it (decision 18)."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import msgspec

from recovery import ids
from recovery.contracts.effects import Effect, SubscriptionEndRequested
from recovery.contracts.facts import InvoiceRead
from tests.support.effects_world import MAIL_DOMAIN, World

RESULTS = {"succeeded": "succeeded", "declined": "declined", "requires_action": "needs_action"}
"""What Dunlin must tell of an attempt that the sandbox made."""


class Told(msgspec.Struct, frozen=True):
    """An effect at the end: its outcome, and how often a kill found it between claim and settle."""

    effect: Any
    outcome: Any
    doubts: int


class Medium:
    """A row of the table. `kind` is the ledger's name of the work; empty for what is never claimed."""

    name: str
    kind: str

    def settings(self, slow: Callable[[int], int]) -> dict[str, str]:
        """What the sink's environment needs for it; `slow(port)` is the port of a slow line to a port."""
        return {}

    def ask(self, world: World) -> list[Effect]:
        """The effects of one round."""
        raise NotImplementedError

    def look(self, world: World) -> None:
        """At the end: see what the world has."""
        raise NotImplementedError

    def seen(self, effect: Any) -> int:
        """How often the world has the effect."""
        raise NotImplementedError

    def breach(self, told: Told) -> str:
        """What is wrong with an outcome; empty when nothing is."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of servers."""


class Reads(Medium):
    """A read changes nothing and is never in doubt; it must be answered."""

    name, kind = "read", ""

    def ask(self, world: World) -> list[Effect]:
        return [world.read(bill) for bill in world.take(1)]

    def look(self, world: World) -> None:
        pass

    def seen(self, effect: Any) -> int:
        return 1

    def breach(self, told: Told) -> str:
        return "" if isinstance(told.outcome, InvoiceRead) and not told.doubts else f"answered with {type(told.outcome).__name__}"


class Charges(Medium):
    """At most one attempt; the outcome is that of the attempt."""

    name, kind = "charge", "charge_requested"

    def ask(self, world: World) -> list[Effect]:
        return [world.charge(bill) for bill in world.take(2)]

    def look(self, world: World) -> None:
        self._attempts: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for one in world.truth()["attempts"]:
            if one["actor"] == "api":
                self._attempts[one["invoice"]].append(one)

    def seen(self, effect: Any) -> int:
        return len(self._attempts[effect.invoice])

    def breach(self, told: Told) -> str:
        made = self._attempts[told.effect.invoice]
        if len(made) > 1:
            return f"{len(made)} attempts"
        if not made:
            return (
                "" if told.outcome.result == "not_done" and told.doubts else f"no attempt, {told.doubts} doubts, told {told.outcome.result}"
            )
        if made[0]["idempotency_key"] != ids.idempotency_key(told.effect.id):
            return f"attempted under {made[0]['idempotency_key']}"
        asked = made[0]["decline_code"] == "authentication_required"
        wanted = "needs_action" if asked else RESULTS[made[0]["outcome"]]
        return "" if told.outcome.result == wanted else f"attempt {made[0]['outcome']}, told {told.outcome.result}"


class EndActions(Medium):
    """The subscription ends once, and that is told."""

    name, kind = "end", "subscription_end_requested"

    def ask(self, world: World) -> list[Effect]:
        (bill,) = world.take(1)
        head = world.head(bill, "end", 1)
        return [SubscriptionEndRequested(**head, action="cancel", subscription=bill["subscription"])]

    def look(self, world: World) -> None:
        self._ended = Counter(one["subscription"] for one in world.truth()["cancellations"])

    def seen(self, effect: Any) -> int:
        return self._ended[effect.subscription]

    def breach(self, told: Told) -> str:
        if self.seen(told.effect) == 1 and told.outcome.result == "done":
            return ""
        return f"ended {self.seen(told.effect)} times, told {told.outcome.result} ({told.outcome.why})"


class Mails(Medium):
    """Once, and after a doubt once more under the same Message-ID."""

    name, kind = "mail", "message_requested"

    def ask(self, world: World) -> list[Effect]:
        return [world.mail(bill) for bill in world.take(2)]

    def look(self, world: World) -> None:
        self._copies = copies_of_mails(world)

    def seen(self, effect: Any) -> int:
        return self._copies[ids.message_id(effect.id, MAIL_DOMAIN)]

    def breach(self, told: Told) -> str:
        return once_more_at_most(told, self.seen(told.effect))


def copies_of_mails(world: World) -> Counter[str]:
    """How often each Message-ID arrived at the mail catcher."""
    lines = (world.home / "sandbox" / "mails.jsonl").read_text().splitlines()
    return Counter(json.loads(line)["message_id"] for line in lines)


def once_more_at_most(told: Told, seen: int) -> str:
    """The rule of what is repeated once after a doubt."""
    if seen > 1 + min(told.doubts, 1):
        return f"{seen} copies after {told.doubts} doubts"
    if told.outcome.result == "sent":
        return "" if seen else "told sent, never arrived"
    fine = told.outcome.result == "unknown" and told.doubts > 1
    return "" if fine else f"told {told.outcome.result} ({told.outcome.why}) after {told.doubts} doubts, {seen} arrived"


def never_again(told: Told, seen: int) -> str:
    """The rule of what is not repeated: in doubt it is told `unknown`."""
    if seen > 1:
        return f"{seen} copies"
    if told.doubts:
        return "" if told.outcome.result == "unknown" else f"in doubt, told {told.outcome.result} ({told.outcome.why})"
    return "" if (told.outcome.result, seen) == ("sent", 1) else f"{seen} arrived, told {told.outcome.result} ({told.outcome.why})"


def table() -> list[Medium]:
    """All media."""
    return [Reads(), Charges(), EndActions(), Mails()]
