"""Hostile inputs: Stripe's events and messages on our own topics, each spoilt in a way that a sender could choose or a bug could cause.

Every limit of the table is met at one below, at itself and at one above; the other kinds are wrong types, characters, order and times.
"""

import json
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, Literal, NamedTuple

from tests.support.hostile import places
from tests.support.hostile.places import moment
from tests.unit.producers import stripe_objects as stripe

Way = Literal["webhook", "facts", "effects.stripe", "effects.messages", "effects.webhooks", "recovery.events"]
OWN_TOPICS: tuple[Way, ...] = ("facts", "effects.stripe", "effects.messages", "effects.webhooks", "recovery.events")
HONEST = "acct_honest"
HOSTILE = ("acct_hostile_1", "acct_hostile_2", "acct_hostile_3")
CUSTOMERS = 3_000
"""Of each tenant; they come again, so that states grow and facts meet older ones."""


class Input(NamedTuple):
    """One message to the system: by the gateway (`webhook`, signed unless `signature` says otherwise) or straight onto a topic."""

    tenant: str
    way: Way
    body: bytes
    key: bytes = b""
    signature: Literal["right", "forged", "stale", "none"] = "right"


def _invoice(n: int, created: int) -> dict[str, Any]:
    return stripe.an_invoice(id=f"in_{n}", created=created - 60, next_payment_attempt=None)


EVENTS: dict[str, Callable[[int, int], dict[str, Any]]] = {
    "invoice.payment_failed": _invoice,
    "invoice.payment_action_required": _invoice,
    "invoice.paid": lambda n, at: _invoice(n, at) | {"status": "paid", "amount_paid": 4900, "amount_remaining": 0},
    "invoice.payment_succeeded": lambda n, at: _invoice(n, at) | {"status": "paid", "amount_paid": 4900, "amount_remaining": 0},
    "invoice.voided": lambda n, at: _invoice(n, at) | {"status": "void"},
    "invoice.marked_uncollectible": lambda n, at: _invoice(n, at) | {"status": "uncollectible"},
    "invoice.updated": _invoice,
    "charge.failed": lambda n, at: stripe.a_charge(id=f"ch_{n}", created=at),
    "charge.refunded": lambda n, at: stripe.a_charge(id=f"ch_{n}", status="succeeded", amount_refunded=4900, created=at),
    "payment_intent.payment_failed": lambda n, _: stripe.an_intent(id=f"pi_{n}"),
    "customer.updated": lambda n, _: {"id": f"cus_{n % CUSTOMERS}", "object": "customer", "email": "a@payer.example"},
    "customer.deleted": lambda n, _: {"id": f"cus_{n % CUSTOMERS}", "object": "customer", "deleted": True},
    "customer.subscription.updated": lambda n, _: stripe.a_subscription(),
    "customer.subscription.deleted": lambda n, _: stripe.a_subscription(status="canceled"),
    "payment_method.attached": lambda n, _: stripe.a_method(),
    "payment_method.automatically_updated": lambda n, _: stripe.a_method(),
    "charge.dispute.created": lambda n, _: stripe.a_dispute() | {"id": f"du_{n}"},
    "v1.invoice.payment_failed": lambda n, _: {"id": f"in_{n}"},
    "an.unknown.type": lambda n, _: {"id": f"x_{n}"},
}
_TYPES = (*("invoice.payment_failed",) * 6, *EVENTS)


def event(n: int, kind: str, created: int) -> dict[str, Any]:
    """A plausible event about the n-th invoice."""
    thing = EVENTS[kind](n, created)
    if "customer" in thing:
        thing["customer"] = f"cus_{n % CUSTOMERS}"
    return stripe.an_event(kind, thing, id=f"evt_{n}", created=created)


_WORDS = (
    "",
    " ",
    "\x00",
    "a\x1b[31mb",
    "x\r\nBcc: all@world.example",
    "=?utf-8?q?A=0D=0AContent-Type:_text/html=0D=0A=0D=0A<h1>?=",
    "\u202eoof",
    "\ud800",
    "\u2028",
    "<script>alert(1)</script>",
    "{0.__class__}",
    "[/red]",
    "'; DROP TABLE events; --",
    "../../etc/passwd",
    "%s%s%s%n",
    "=1+1",
    "𝕏" * 80,
    "a..b@x.example",
    "http://169.254.169.254/latest",
)
_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    [],
    {},
    [[]],
    0,
    -1,
    1.5,
    1e308,
    10**30,
    2**31,
    2**53 + 1,
    2**63,
    -(2**63) - 1,
    "1e999",
    float("nan"),
)


class Draw:
    """Draws inputs from a seed. `samples` are messages that the system itself wrote, by topic, to be spoilt and sent again."""

    def __init__(self, seed: int) -> None:
        self.luck = Random(f"hostile:{seed}")
        self.samples: dict[str, list[bytes]] = {}
        self.met: Counter[tuple[str, int]] = Counter()
        self._count = 0

    def sample(self, topic: str, value: bytes) -> None:
        """Keep a message of ours, in the place of an older one once there are many."""
        kept = self.samples.setdefault(topic, [])
        if len(kept) < 400:
            kept.append(value)
        else:
            kept[self.luck.randrange(400)] = value

    def honest(self, now: int) -> Input:
        """What Stripe sends for a merchant whose payers' cards fail now and then."""
        self._count += 1
        kind = "invoice.payment_failed" if self._count % 3 else "invoice.paid"
        return Input(HONEST, "webhook", json.dumps(event(self._count, kind, now - 5)).encode())

    def hostile(self, now: int) -> Input:
        """One input of a hostile tenant."""
        self._count += 1
        tenant, luck = self.luck.choice(HOSTILE), self.luck
        roll = luck.random()
        if roll < 0.15:
            return self._at_a_limit(tenant, now)
        if roll < 0.30 and self.samples:
            return self._on_a_topic(tenant)
        if roll < 0.36:
            return Input(tenant, "webhook", self._no_event(now), signature=luck.choice(("right", "forged", "stale", "none")))
        body = event(
            self._count if luck.random() < 0.7 else luck.randrange(1, self._count + 1),
            luck.choice(_TYPES),
            now - luck.choice((0, 5, 3_600, 86_400 * 40)),
        )
        for _ in range(luck.choice((0, 1, 1, 2, 4))):
            self._spoil(body)
        return Input(tenant, "webhook", json.dumps(body).encode())

    def at_every_limit(self, now: int) -> list[Input]:
        """Each limit at one below, at itself and at one above."""
        return [self._placed(name, delta, self.luck.choice(HOSTILE), now) for name in places.PLACES for delta in (-1, 0, 1)]

    def _at_a_limit(self, tenant: str, now: int) -> Input:
        names = self.luck.choices((places.SMALL, places.LARGE, places.CROWDED), (0.95, 0.001, 0.05))[0]
        name = self.luck.choice(names)
        return self._placed(name, self.luck.choice((-1, 0, 1)), tenant, now)

    def _placed(self, name: str, delta: int, tenant: str, now: int) -> Input:
        self._count += 1
        self.met[name, delta] += 1
        return places.PLACES[name](self, tenant, now, delta)

    def about(self, tenant: str, now: int, kind: str = "invoice.payment_failed", **changes: Any) -> Input:
        """A plausible event with these fields of its object changed; `created`, `id` and `type` are those of the event.

        The object's own id is `id of the object`.
        """
        body = event(self._count, kind, now - 5)
        body |= {name: changes.pop(name) for name in ("created", "id", "type") if name in changes}
        body["data"]["object"] |= {"id" if name == "id of the object" else name: value for name, value in changes.items()}
        return Input(tenant, "webhook", json.dumps(body).encode())

    def fact(self, tenant: str, now: int, **fields: Any) -> Input:
        """A message on `facts` as a program of ours would write it, with these fields."""
        header = {
            "type": "webhook_ignored",
            "version": 1,
            "id": f"h{self._count}",
            "account": tenant,
            "customer": f"cus_{self._count % CUSTOMERS}",
        }
        times = {"occurred_at": moment(now), "received_at": moment(now)}
        key = fields.pop("key", f"{tenant}/{header['customer']}".encode())
        return Input(tenant, "facts", json.dumps(header | times | {"event_type": "x", "why": "y"} | fields).encode(), key)

    def _on_a_topic(self, tenant: str) -> Input:
        """A message of ours, cut, turned over or with other fields, on the topic that it belongs to or on another one."""
        luck = self.luck
        topic = luck.choice(tuple(self.samples))
        value = luck.choice(self.samples[topic])
        way = topic if luck.random() < 0.9 else luck.choice(OWN_TOPICS)
        roll = luck.random()
        if roll < 0.2:
            value = value[: luck.randrange(len(value) + 1)]
        elif roll < 0.4:
            at = luck.randrange(max(1, len(value)))
            value = value[:at] + bytes([luck.randrange(256)]) + value[at + 1 :]
        elif roll < 0.9:
            try:
                whole = json.loads(value)
            except ValueError:
                whole = {}
            for _ in range(luck.choice((1, 1, 2, 3))):
                self._spoil(whole)
            if isinstance(whole, dict):
                whole["account"] = tenant
            value = json.dumps(whole).encode()
        key = f"{tenant}/cus_{luck.randrange(CUSTOMERS)}".encode() if luck.random() < 0.95 else luck.randbytes(luck.randrange(40))
        return Input(tenant, way, value, key)

    def _spoil(self, whole: Any) -> None:
        """Change one place of a JSON document: another value, a removed or an added field."""
        luck, at = self.luck, whole
        while isinstance(at, dict) and at:
            name = luck.choice(tuple(at))
            below = at[name]
            if isinstance(below, dict) and below and luck.random() < 0.8:
                at = below
                continue
            roll = luck.random()
            if roll < 0.1:
                del at[name]
            elif roll < 0.15:
                at[luck.choice(_WORDS)] = below
            else:
                at[name] = luck.choice(_WORDS) if luck.random() < 0.5 else luck.choice(_VALUES)
            return

    def _no_event(self, now: int) -> bytes:
        luck = self.luck
        shapeless = {"id": luck.choice(_WORDS), "type": luck.choice(_WORDS), "created": luck.choice(_VALUES), "data": luck.choice(_VALUES)}
        return luck.choice((
            b"",
            b"null",
            b"[]",
            b"{",
            b'"evt"',
            b"\xff\xfe\x00",
            b"[" * luck.choice((10, 1_000, 100_000)),
            b'{"a":' * luck.choice((10, 5_000)),
            luck.randbytes(luck.randrange(300)),
            json.dumps(shapeless).encode(),
            json.dumps(event(self._count, "invoice.payment_failed", now)).encode()[: luck.randrange(400)],
        ))  # fmt: skip
