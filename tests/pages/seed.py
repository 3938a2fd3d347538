"""Realistic events of a merchant for the pages: the same seed gives the same rows."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from recovery.adapters import clickhouse
from recovery.contracts.encoding import codec
from recovery.contracts.events import Event
from recovery.contracts.warehouse import EVENT_COLUMNS
from sinks.warehouse import rows
from sinks.warehouse.writer import SETTINGS

NOW_TEXT = "2026-05-20T14:05:00+00:00"
NOW = datetime.fromisoformat(NOW_TEXT)
"""Business time of the seeded world."""
_CODES = [("insufficient_funds", "soft", 42), ("generic_decline", "soft", 18), ("do_not_honor", "soft", 12), ("expired_card", "hard", 11)]
_CODES += [("lost_card", "hard", 4), ("fraudulent", "fraud", 5), ("authentication_required", "needs_auth", 8)]
_CAUSES = ["our_retry"] * 6 + ["stripe_retry"] * 2 + ["customer"] * 3 + ["account_updater", "external"]


class _Case:
    """Tells the story of one invoice."""

    def __init__(self, luck: random.Random, number: int, currency: str, opened: datetime) -> None:
        self.luck, self.opened, self.currency = luck, opened, currency
        self.invoice, self.customer = f"in_1Q{luck.getrandbits(48):012X}", f"cus_P{number % 97:03d}{luck.getrandbits(20):05X}"
        self.amount = luck.choice([900, 1900, 2900, 4900, 9900, 19900, 49900]) * (100 if currency == "jpy" else 1)
        self.code, self.kind = luck.choices([(c, k) for c, k, _ in _CODES], [w for *_, w in _CODES])[0]
        self.sequence = self.retries = self.mails = 0
        self.status = {"soft": "retrying", "hard": "action_required", "needs_auth": "action_required", "fraud": "blocked"}[self.kind]

    def tell(self, event_type, at, reason="", **fields) -> Event:
        self.sequence += 1
        return Event(
            **{
                "id": f"{self.invoice}-{self.sequence}",
                "event_type": event_type,
                "account": "acct_1Northwind",
                "customer": self.customer,
                "invoice": self.invoice,
                "subscription": f"sub_{self.invoice[4:]}",
                "sequence": self.sequence,
                "occurred_at": at,
                "received_at": at,
                "cause": f"acct_1Northwind:evt_{self.invoice}_{self.sequence}",
                "cause_type": "payment_failed",
                "policy_version": 3,
                "reason": reason or self.code,
                "status": self.status,
                "retry_count": self.retries,
                "dunning_step": self.mails,
                "amount_minor": self.amount,
                "currency": self.currency,
                "decline_kind": self.kind,
                "decline_code": self.code,
                **fields,
            }
        )

    def story(self) -> Iterator[Event]:
        at = self.opened
        yield self.tell("payment_failed", at)
        yield self.tell("decline_classified", at + timedelta(seconds=2))
        if self.kind == "fraud":
            yield self.tell("case_blocked", at + timedelta(seconds=2), "fraud_code")
            return
        yield self.tell("dunning_scheduled", at + timedelta(seconds=3), next_action="dunning", next_action_at=at + timedelta(hours=1))
        yield from self._mail(at + timedelta(hours=1))
        yield from self._rounds(at)

    def _rounds(self, at: datetime) -> Iterator[Event]:
        for hours in (24, 72, 144):
            due = at + timedelta(hours=hours)
            if at + timedelta(hours=hours - 20) > NOW:
                return
            retry = self.kind == "soft"
            step = "retry" if retry else "dunning"
            yield self.tell(f"{step}_scheduled", at + timedelta(hours=hours - 20), next_action=step, next_action_at=due)
            if due > NOW:
                return
            if self.luck.random() < 0.36:
                yield from self._recover(due, "our_retry" if retry and self.luck.random() < 0.7 else self.luck.choice(_CAUSES))
                return
            if retry and self.luck.random() < 0.15:
                yield self.tell("retry_skipped", due, self.luck.choice(["card_budget", "stripe_attempt_near"]), next_action="retry")
            elif retry:
                self.retries += 1
                yield self.tell("retry_attempted", due, result="declined")
            else:
                yield from self._mail(due)
        self.status = "dunning"
        last = at + timedelta(days=14)
        if last > NOW:
            yield self.tell("dunning_scheduled", at + timedelta(hours=150), next_action="dunning", next_action_at=last)
        else:
            self.status = "abandoned"
            yield self.tell("case_abandoned", last, "retries_exhausted")

    def _mail(self, at: datetime) -> Iterator[Event]:
        if at <= NOW and self.luck.random() < 0.9:
            self.mails += 1
            yield self.tell("dunning_sent", at, next_action="retry", next_action_at=at + timedelta(hours=23))
        elif at <= NOW:
            yield self.tell("dunning_skipped", at, "quiet_hours", next_action="dunning", next_action_at=at + timedelta(hours=9))

    def _recover(self, at: datetime, cause: str) -> Iterator[Event]:
        if cause == "our_retry":
            self.retries += 1
            yield self.tell("retry_attempted", at, result="succeeded")
        self.status = "recovered"
        yield self.tell("payment_recovered", at, cause, recovered_by=cause, recovered_minor=self.amount)
        if self.luck.random() < 0.03 and at + timedelta(days=2) < NOW:
            yield self.tell("recovery_reversed", at + timedelta(days=2), "refunded", recovered_minor=self.amount)


def events(cases: int = 600) -> list[Event]:
    """Events of so many failures in the last 45 days, mostly in euros, some in dollars and yen."""
    luck = random.Random(7)
    told = []
    for number in range(cases):
        opened = NOW - timedelta(minutes=luck.randrange(5, 45 * 24 * 60))
        told += list(_Case(luck, number, luck.choices(["eur", "usd", "jpy"], [80, 15, 5])[0], opened).story())
    return told


def fill(url: str, told: list[Event], token: str = "seed") -> None:
    """Write events to the warehouse as the sink does."""
    write(url, [rows.line(codec.encode(event), "recovery.events", 0, offset) for offset, event in enumerate(told)], token)


def write(url: str, lines: list[bytes], token: str) -> None:
    """Write rows as they are, also those that no program of ours would write any more."""
    client = clickhouse.client(url)
    client.raw_insert(
        "dunlin.events",
        column_names=list(EVENT_COLUMNS),
        insert_block=b"\n".join(lines),
        fmt=rows.FORMAT,
        settings={**SETTINGS, "insert_deduplication_token": token},
    )
    client.close()
