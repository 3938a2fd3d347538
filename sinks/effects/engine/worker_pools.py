"""Which workers perform an effect, and which effects are performed one after the other: a table of the kinds of work. Pure.

Each lane has workers of its own, so that a slow mail server delays no charge and a receiver that hangs delays no mail. Effects on one
customer are performed one after the other, in whatever lane. Notifications of merchants never wait for a customer's charges, nor the
reverse; at most `SIDE_BY_SIDE` of them are in progress per endpoint or channel, so that one that hangs leaves workers to others, and those
about one customer keep their order.
"""

import zlib
from typing import Literal

import msgspec

from recovery.contracts.effects import Effect

Lane = Literal["stripe", "mail", "sms", "alerts", "webhooks"]
WORKERS: dict[Lane, int] = {"stripe": 32, "mail": 16, "sms": 8, "alerts": 16, "webhooks": 32}
"""Threads per lane, made when they are first needed. One account gets half of them (waiting.py): sixteen are enough for 30 effects a
second when Stripe takes half a second."""
SIDE_BY_SIDE = 4
"""How many alerts by one medium, and how many deliveries to one endpoint, of one account are in work at once."""
Line = tuple[str, str]
"""An account, and a customer of it or a name that begins with `~`: effects of one line are performed one after the other."""


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """How a kind of work is scheduled.

    `uses_stripe`: it waits while its account is at Stripe's rate limit. `to_merchant`: it notifies the merchant. `stopped_by_switch`: it is
    not done while its account is paused (B45), like everything that moves money or sends messages to customers. `handles_expiry`: its
    performer itself settles one past its deadline, because it knows how often it was tried.
    """

    lane: Lane
    uses_stripe: bool = True
    to_merchant: bool = False
    stopped_by_switch: bool = True
    handles_expiry: bool = False


READ = "read_requested"
WORK: dict[str, Work] = {
    READ: Work(lane="stripe", stopped_by_switch=False),
    "charge_requested": Work(lane="stripe"),
    "subscription_end_requested": Work(lane="stripe"),
    "message_requested": Work(lane="mail"),
    "message_requested.sms": Work(lane="sms"),
    "alert_requested.email": Work(lane="alerts", uses_stripe=False, to_merchant=True, stopped_by_switch=False),
    "alert_requested.slack": Work(lane="alerts", uses_stripe=False, to_merchant=True, stopped_by_switch=False),
    "webhook_requested": Work(lane="webhooks", uses_stripe=False, to_merchant=True, stopped_by_switch=False, handles_expiry=True),
}
"""By the effect's type, with its medium behind it where media differ. These are the names of performers."""
UNKNOWN = Work(lane="stripe")


def kind_of_work(effect: Effect) -> str:
    """The row of WORK for an effect; for one that has none, its type."""
    tag = str(effect.__struct_config__.tag)
    medium = f"{tag}.{getattr(effect, 'medium', '')}"
    return medium if medium in WORK else tag


def work(kind: str) -> Work:
    """How a kind of work is treated. One that is not in the table has no performer, which the lane `stripe` will find out."""
    return WORK.get(kind, UNKNOWN)


def line_of(effect: str, account: str, customer: str, kind: str) -> Line:
    """The key of the effects that are performed one after the other with this one. The id of a notification names its endpoint or
    channel."""
    if not work(kind).to_merchant:
        return (account, customer)
    target = effect.rpartition(".")[0].rpartition(".")[2]
    return (account, f"~{target}/{zlib.crc32(customer.encode()) % SIDE_BY_SIDE}")
