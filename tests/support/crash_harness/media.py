"""What is done to the world, medium by medium: how it is asked for, how often the world saw it, what may be told of it (decision 18)."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from dunlin.stack.ports import HOST
from recovery import ids
from recovery.contracts.effects import AlertRequested, Effect, SubscriptionEndRequested, WebhookRequested
from recovery.contracts.events import Event
from recovery.contracts.facts import InvoiceRead
from sinks.effects.preconditions import NOT_OPEN
from sinks.effects.webhooks.payload import webhook_id
from tests.support.alerts import event
from tests.support.effects_harness import MAIL_DOMAIN, World
from tests.support.services.fake_servers import TWILIO_ACCOUNT, TWILIO_TOKEN, FakeSlack, FakeTwilio
from tests.support.services.webhook_receiver import Receiver

NOT_WANTED = frozenset({*NOT_OPEN.values(), "cancelled", "paused", "disputed", "customer_deleted", "nothing_owed", "processing"})
"""Why the look at the invoice ends an effect that is not wanted any more."""
RESULTS = {"succeeded": "succeeded", "declined": "declined", "requires_action": "needs_action"}
"""What Dunlin must tell of an attempt that the sandbox made."""


class Told(msgspec.Struct, frozen=True):
    """An effect at the end: its outcome, and how often a kill found it between claim and settle."""

    medium: "Medium"
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

    def tenant(self, slow: Callable[[int], int], home: Path) -> dict[str, Any]:
        """What the account's entry in the tenants file says of it; files that it names go into `home`."""
        return {}

    def ask(self, world: World) -> list[Effect]:
        """The effects of one round."""
        raise NotImplementedError

    def look(self, world: World, tolds: list[Told]) -> None:
        """At the end: see what the world has."""
        raise NotImplementedError

    def seen(self, told: Told) -> int:
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

    def look(self, world: World, tolds: list[Told]) -> None:
        pass

    def seen(self, told: Told) -> int:
        return 1

    def breach(self, told: Told) -> str:
        return "" if isinstance(told.outcome, InvoiceRead) and not told.doubts else f"answered with {type(told.outcome).__name__}"


class Charges(Medium):
    """At most one attempt; the outcome is that of the attempt."""

    name, kind = "charge", "charge_requested"

    def ask(self, world: World) -> list[Effect]:
        return [world.charge(bill) for bill in world.take(2)]

    def look(self, world: World, tolds: list[Told]) -> None:
        self._attempts: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for one in world.truth()["attempts"]:
            if one["actor"] == "api":
                self._attempts[one["invoice"]].append(one)

    def seen(self, told: Told) -> int:
        return len(self._attempts[told.effect.invoice])

    def breach(self, told: Told) -> str:
        made = self._attempts[told.effect.invoice]
        if len(made) > 1:
            return f"{len(made)} attempts"
        if not made:  # paid or cancelled before the charge's turn, which comes weeks of business time later on a slow machine
            fine = told.outcome.result == "not_done" and (told.doubts or told.outcome.why in NOT_WANTED)
            return "" if fine else f"no attempt, {told.doubts} doubts, told {told.outcome.result} ({told.outcome.why})"
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

    def look(self, world: World, tolds: list[Told]) -> None:
        self._ended = Counter(one["subscription"] for one in world.truth()["cancellations"])

    def seen(self, told: Told) -> int:
        return self._ended[told.effect.subscription]

    def breach(self, told: Told) -> str:
        not_wanted = told.outcome.result == "not_done" and told.outcome.why in NOT_WANTED and not told.doubts
        if not_wanted or (self.seen(told) == 1 and told.outcome.result == "done"):
            return ""
        return f"ended {self.seen(told)} times, told {told.outcome.result} ({told.outcome.why})"


class Mails(Medium):
    """Once, and after a doubt once more under the same Message-ID."""

    name, kind = "mail", "message_requested"

    def ask(self, world: World) -> list[Effect]:
        return [world.mail(bill) for bill in world.take(2)]

    def look(self, world: World, tolds: list[Told]) -> None:
        self._copies = copies_of_mails(world)

    def seen(self, told: Told) -> int:
        return self._copies[ids.message_id(told.effect.id, MAIL_DOMAIN)]

    def breach(self, told: Told) -> str:
        return once_more_at_most(told, self.seen(told), told.doubts)


def copies_of_mails(world: World) -> Counter[str]:
    """How often each Message-ID arrived at the mail catcher."""
    lines = (world.home / "sandbox" / "mails.jsonl").read_text().splitlines()
    return Counter(ids.without_tag(json.loads(line)["message_id"]) for line in lines)


def once_more_at_most(told: Told, seen: int, doubts: int) -> str:
    """The rule of what is repeated once after a doubt, and then unknown."""
    if seen > 1 + min(doubts, 1):
        return f"{seen} copies after {doubts} doubts"
    if told.outcome.result == "sent" and seen:
        return ""
    fine = told.outcome.result == "unknown" and (doubts > 1 or (doubts and told.outcome.why in NOT_WANTED))
    return "" if fine or _not_wanted(told, seen, doubts) else _in_words(told, seen, doubts)


def never_again(told: Told, seen: int, doubts: int) -> str:
    """The rule of what is not repeated: in doubt it is told `unknown`."""
    fine = told.outcome.result == "unknown" and seen <= 1 if doubts else (told.outcome.result, seen) == ("sent", 1)
    return "" if fine or _not_wanted(told, seen, doubts) else _in_words(told, seen, doubts)


def _not_wanted(told: Told, seen: int, doubts: int) -> bool:
    """The look found that it was not to be done: business time goes on, and payers pay."""
    return told.outcome.result == "skipped" and told.outcome.why in NOT_WANTED and not seen and not doubts


def _in_words(told: Told, seen: int, doubts: int) -> str:
    return f"{seen} arrived after {doubts} doubts, told {told.outcome.result} ({told.outcome.why})"


class Texts(Medium):
    """Once and never again; in doubt unknown."""

    name, kind = "sms", "message_requested.sms"

    def __init__(self) -> None:
        self._twilio = FakeTwilio()
        self._links: dict[str, str] = {}

    def settings(self, slow: Callable[[int], int]) -> dict[str, str]:
        base = f"http://{HOST}:{slow(port_of(self._twilio.base))}"
        account = {"TWILIO_ACCOUNT_SID": TWILIO_ACCOUNT, "TWILIO_AUTH_TOKEN": TWILIO_TOKEN, "TWILIO_PHONE_NUMBER": "+15005550006"}
        return {**account, "DUNLIN_TWILIO_API_BASE": base}

    def ask(self, world: World) -> list[Effect]:
        bill = world.reachable("phone")
        effect = msgspec.structs.replace(world.mail(bill), medium="sms", template="payment_failed_1")
        self._links[effect.id] = world.stripe(f"/v1/invoices/{bill['id']}")["hosted_invoice_url"]
        return [effect]

    def look(self, world: World, tolds: list[Told]) -> None:
        self._bodies = [sms.body for sms in self._twilio.messages]

    def seen(self, told: Told) -> int:
        return sum(self._links[told.effect.id] in body for body in self._bodies)

    def breach(self, told: Told) -> str:
        return never_again(told, self.seen(told), told.doubts)

    def close(self) -> None:
        self._twilio.close()


class Alerts(Medium):
    """What the merchant is told about an event. A burst goes as one message, whose doubts are those of all that it tells."""

    medium: Literal["email", "slack"]

    def look(self, world: World, tolds: list[Told]) -> None:
        self._copies = self._arrived(world)
        self._doubts: Counter[str] = Counter()
        for told in tolds:
            self._doubts[told.outcome.message] += told.doubts

    def _arrived(self, world: World) -> Counter[str]:
        """How often each message arrived, by its id."""
        raise NotImplementedError

    def seen(self, told: Told) -> int:
        return self._copies[told.outcome.message]

    def doubts(self, told: Told) -> int:
        """How often its message was in doubt."""
        return self._doubts[told.outcome.message]

    def ask(self, world: World) -> list[Effect]:
        (bill,) = world.take(1)
        head = world.head(bill, self.name, 1)
        return [AlertRequested(**head, only_if="always", medium=self.medium, event=event_about(head))]


class AlertMails(Alerts):
    """Once, and after a doubt once more under the same Message-ID."""

    name, kind, medium = "alert", "alert_requested.email", "email"

    def tenant(self, slow: Callable[[int], int], home: Path) -> dict[str, Any]:
        return {"alert_email": "owner@northwind.example"}

    def _arrived(self, world: World) -> Counter[str]:
        return copies_of_mails(world)

    def breach(self, told: Told) -> str:
        return once_more_at_most(told, self.seen(told), self.doubts(told))


class SlackAlerts(Alerts):
    """Once and never again; in doubt unknown."""

    name, kind, medium = "slack", "alert_requested.slack", "slack"

    def __init__(self) -> None:
        self._slack = FakeSlack()

    def settings(self, slow: Callable[[int], int]) -> dict[str, str]:
        return {"DUNLIN_SLACK_ALLOW_ANY_HOST": "yes"}

    def tenant(self, slow: Callable[[int], int], home: Path) -> dict[str, Any]:
        port = port_of(self._slack.base)
        return {"slack_webhook_file": private(home / "slack", self._slack.address.replace(f":{port}/", f":{slow(port)}/"))}

    def _arrived(self, world: World) -> Counter[str]:
        return self._slack.by_effect()

    def breach(self, told: Told) -> str:
        return never_again(told, self.seen(told), self.doubts(told))

    def close(self) -> None:
        self._slack.close()


class Webhooks(Medium):
    """Delivered, once more for each doubt at most, always signed and under the same webhook-id."""

    name, kind = "webhook", "webhook_requested"

    def __init__(self) -> None:
        self._receiver = Receiver().__enter__()

    def settings(self, slow: Callable[[int], int]) -> dict[str, str]:
        return {"DUNLIN_WEBHOOK_ALLOW_PRIVATE_ADDRESSES": "yes"}

    def tenant(self, slow: Callable[[int], int], home: Path) -> dict[str, Any]:
        url = f"http://{HOST}:{slow(self._receiver.port)}{self._receiver.path}"
        return {"endpoints": {"shop": {"url": url, "secrets_file": private(home / "shop.secrets", self._receiver.secret)}}}

    def ask(self, world: World) -> list[Effect]:
        (bill,) = world.take(1)
        head = world.head(bill, "webhook-shop", 1)
        return [WebhookRequested(**head, only_if="always", endpoint="shop", event=event_about(head))]

    def look(self, world: World, tolds: list[Told]) -> None:
        self._came = self._receiver.seen

    def seen(self, told: Told) -> int:
        return self._came[webhook_id(told.effect.id)]

    def breach(self, told: Told) -> str:
        if self._receiver.forged:
            return f"badly signed: {self._receiver.forged[0]}"
        seen = self.seen(told)
        fine = told.outcome.result == "delivered" and 1 <= seen <= 1 + told.doubts
        return "" if fine else f"{seen} came after {told.doubts} doubts, told {told.outcome.result} ({told.outcome.why})"

    def close(self) -> None:
        self._receiver.__exit__()


def event_about(head: dict[str, Any]) -> Event:
    """An event that the merchant is told of."""
    return event("payment_failed", **{name: head[name] for name in ("id", "account", "customer", "invoice", "occurred_at", "received_at")})


def port_of(address: str) -> int:
    """The port in an address."""
    return int(urlsplit(address).port or 0)


def private(file: Path, text: str) -> str:
    """Write a secret as the tenants file wants it; answers the file's name."""
    file.touch(mode=0o600)
    file.write_text(text)
    return file.name


def table() -> list[Medium]:
    """All media."""
    return [Reads(), Charges(), EndActions(), Mails(), Texts(), AlertMails(), SlackAlerts(), Webhooks()]
