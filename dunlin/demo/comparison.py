"""The sandbox's truth against ClickHouse, difference by difference. B11 to B14 say what counts as a failure."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from dunlin.demo.month import PROMISED, Month, MonthCase, month
from recovery.ids import kind_of, without_tag

ALERT_KINDS = frozenset({"alert", "digest"})
"""Kinds of effects whose mails go to the merchant: one alert, or many in one mail."""
TRIAL_KINDS = frozenset({"test"})
"""Kinds of mails that an operator sends to test delivery; the stream does not know them."""
Truth = Mapping[str, Any]
"""The sandbox's `/_truth` document."""


class ComparedFigure(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison: what the sandbox knows, what the warehouse says, and the ids in which they differ."""

    name: str
    truth: int
    warehouse: int
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()

    @property
    def differences(self) -> int:
        """How many things one side knows and the other does not; amounts differ by their distance."""
        return len(self.missing) + len(self.extra) or abs(self.truth - self.warehouse)


class WarehouseSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What the warehouse says of one account, as sets of ids and sums of minor units."""

    failed: frozenset[str]
    attempted: frozenset[str]
    recovered: frozenset[str]
    failed_minor: dict[str, int]
    recovered_minor: dict[str, int]
    mails: frozenset[str]
    alerts: frozenset[str] = frozenset()
    webhooks: frozenset[str] = frozenset()
    causes: frozenset[str]
    rows: int
    distinct_rows: int
    p50_ms: float
    p99_ms: float
    parked: int
    cases: tuple[MonthCase, ...] = ()


class ComparisonReport(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a verification. `differences` and the counts of harm must all be zero."""

    lines: tuple[ComparedFigure, ...]
    duplicate_charges: int
    lost_facts: int
    charges_after_end: int
    repeated_mails: int
    mails_after_end: int
    repeated_rows: int
    parked: int
    failures: int
    recovered: int
    p50_ms: float
    p99_ms: float
    rates: tuple["Rate", ...]
    month: Month
    cases: tuple[MonthCase, ...]

    @property
    def differences(self) -> int:
        """The sum of all differences."""
        return sum(line.differences for line in self.lines)

    @property
    def by_count(self) -> float:
        """The share of failures that came back, over all currencies; by value there is one for each currency (`rates`)."""
        return _share(self.recovered, self.failures)

    @property
    def baseline_by_count(self) -> float:
        """The share of failures that are recovered without action, over all currencies."""
        failures = sum(rate.failures for rate in self.rates)
        return sum(rate.baseline_by_count * rate.failures for rate in self.rates) / failures if failures else 0.0

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong: no difference, no harm done, no row twice, no fact lost."""
        acted_late = self.charges_after_end + self.mails_after_end
        harm = (self.differences, self.duplicate_charges, self.lost_facts, acted_late, self.repeated_rows)
        return not any(harm)

    def figures(self) -> dict[str, Any]:
        """The report as one flat JSON object."""
        fields = {name: getattr(self, name) for name in self.__struct_fields__ if name not in {"lines", "rates", "month", "cases"}}
        compared = {line.name: {"truth": line.truth, "warehouse": line.warehouse, "differences": line.differences} for line in self.lines}
        rates = [msgspec.to_builtins(rate) for rate in self.rates]
        month = msgspec.to_builtins(self.month)
        fingerprint = month.pop("fingerprint")
        whole = {"differences": self.differences, **fields, "compared": compared, "rates": rates, "sound": self.sound}
        rate = {"by_count": self.by_count, "nobody_acting_by_count": self.baseline_by_count, "promised": PROMISED}
        return {**whole, "recovery": rate, "month": month, "fingerprint": fingerprint}


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """Recovered share of the failures of one currency, by count and by value, beside that of the same world without action."""

    currency: str
    failures: int
    recovered: int
    by_count: float
    by_value: float
    baseline_by_count: float
    baseline_by_value: float


def compare(truth: Truth, warehouse: WarehouseSnapshot, baseline: Mapping[str, Any]) -> ComparisonReport:
    """The report; pure. `baseline` is the sandbox's `/_truth/baseline`."""
    account = truth["account"]
    invoices = {invoice["id"]: invoice for invoice in truth["invoices"]}
    failed = {name: invoice for name, invoice in invoices.items() if opens_a_case(invoice)}
    recoveries = [recovery for recovery in truth["recoveries"] if recovery["invoice"] in failed]
    ours = [attempt for attempt in truth["attempts"] if attempt["actor"] == "api"]
    accepted = {f"{account}:{event['id']}" for event in truth["events"] if event["accepted"]}
    lost = accepted - warehouse.causes
    kinds = {mail["message_id"]: kind_of_mail(mail["message_id"]) for mail in truth["mails"]}
    lines = (
        _sets("failures", failed, warehouse.failed),
        *_money("failed", [(i["currency"], i["amount_due"]) for i in failed.values()], warehouse.failed_minor),
        _sets("our attempts", (attempt["idempotency_key"] for attempt in ours), warehouse.attempted),
        _sets("recoveries", (recovery["invoice"] for recovery in recoveries), warehouse.recovered),
        *_money("recovered", [(r["currency"], r["amount"]) for r in recoveries], warehouse.recovered_minor),
        _sets("mails", (without_tag(mail) for mail, kind in kinds.items() if kind not in ALERT_KINDS | TRIAL_KINDS), warehouse.mails),
        _sets("alert mails", (mail for mail, kind in kinds.items() if kind in ALERT_KINDS), warehouse.alerts),
        _sets("events delivered by webhook", (delivery["event"] for delivery in truth["webhooks"]), warehouse.webhooks),
        ComparedFigure(name="webhooks signed wrongly", truth=truth["forged_webhooks"], warehouse=0),
        _sets("webhooks accepted", accepted, warehouse.causes & accepted),
    )
    return ComparisonReport(
        lines=lines,
        duplicate_charges=duplicate_charges(truth["attempts"]),
        lost_facts=len(lost),
        charges_after_end=charges_after_end(truth),
        repeated_mails=sum(mail["copies"] - 1 for mail in truth["mails"]),
        mails_after_end=mails_after_end(truth),
        repeated_rows=warehouse.rows - warehouse.distinct_rows,
        parked=warehouse.parked,
        failures=len(failed),
        recovered=len(recoveries),
        p50_ms=warehouse.p50_ms,
        p99_ms=warehouse.p99_ms,
        rates=_rates(failed.values(), recoveries, baseline),
        month=month(warehouse.cases),
        cases=warehouse.cases,
    )


def opens_a_case(invoice: Mapping[str, Any]) -> bool:
    """Whether a failed invoice counts as a failure (B11 to B14 excluded).

    `auto_advance` does not matter: Stripe switches it off when the subscription ends, long after the failure.
    """
    return bool(
        invoice["first_failed_at"]
        and invoice["billing_reason"] != "subscription_create"
        and invoice["collection_method"] == "charge_automatically"
        and invoice["amount_due"] > 0
        and invoice["subscription"]
    )


def duplicate_charges(attempts: Iterable[Mapping[str, Any]]) -> int:
    """Successful charges beyond the first of an invoice, and attempts beyond the first under one of our keys."""
    attempts = list(attempts)
    paid = Counter(attempt["invoice"] for attempt in attempts if attempt["outcome"] == "succeeded")
    keys = Counter(attempt["idempotency_key"] for attempt in attempts if attempt["actor"] == "api")
    return sum(count - 1 for counts in (paid, keys) for count in counts.values() if count > 1)


def charges_after_end(truth: Truth) -> int:
    """Our attempts on an invoice whose subscription our last read before showed as cancelled, or which we did not read at all.

    A cancellation between that read and the charge is invisible to every client; Stripe offers no way to charge only if it did not happen.
    """
    ends = _ends(truth)
    ours = [attempt for attempt in truth["attempts"] if attempt["actor"] == "api"]
    return sum(attempt["opened_at"] is None or attempt["opened_at"] > ends.get(attempt["invoice"], math.inf) for attempt in ours)


def mails_after_end(truth: Truth) -> int:
    """Mails about an invoice that our last read before showed as paid or cancelled, or sent without a read.

    A transactional mail confirms the payment or the end, so it follows it (B48).
    """
    ends = _ends(truth)
    for invoice in truth["invoices"]:
        if invoice["paid_at"]:
            ends[invoice["id"]] = min(invoice["paid_at"], ends.get(invoice["id"], math.inf))
    about = [mail for mail in truth["mails"] if mail["invoice"] and kind_of_mail(mail["message_id"]) != "notice"]
    return sum(mail["opened_at"] is None or mail["opened_at"] > ends.get(mail["invoice"], math.inf) for mail in about)


def _ends(truth: Truth) -> dict[str, float]:
    """When the subscription of an invoice was cancelled, by invoice."""
    cancelled = {end["subscription"]: end["at"] for end in truth["cancellations"]}
    invoices = truth["invoices"]
    return {invoice["id"]: cancelled[invoice["subscription"]] for invoice in invoices if invoice["subscription"] in cancelled}


def kind_of_mail(message: str) -> str:
    """The kind of effect that a mail's Message-ID derives from; empty for one that is not ours."""
    effect = message.strip("<>").rpartition("@")[0]
    return kind_of(effect) if effect.count(".") >= 3 else ""


def _sets(name: str, truth: Iterable[str], warehouse: Iterable[str]) -> ComparedFigure:
    true, found = set(truth), set(warehouse)
    return ComparedFigure(
        name=name,
        truth=len(true),
        warehouse=len(found),
        missing=tuple(sorted(true - found)),
        extra=tuple(sorted(found - true)),
    )


def _money(name: str, amounts: Iterable[tuple[str, int]], warehouse: Mapping[str, int]) -> list[ComparedFigure]:
    true: Counter[str] = Counter()
    for currency, minor in amounts:
        true[currency] += minor
    return [
        ComparedFigure(name=f"{name} {currency}", truth=true[currency], warehouse=warehouse.get(currency, 0))
        for currency in sorted(set(true) | set(warehouse))
    ]


def _rates(failed: Iterable[Mapping[str, Any]], recoveries: list[Mapping[str, Any]], baseline: Mapping[str, Any]) -> tuple[Rate, ...]:
    count: Counter[str] = Counter()
    value: Counter[str] = Counter()
    for invoice in failed:
        count[invoice["currency"]] += 1
        value[invoice["currency"]] += invoice["amount_due"]
    back_n, back_minor = Counter(r["currency"] for r in recoveries), Counter[str]()
    for recovery in recoveries:
        back_minor[recovery["currency"]] += recovery["amount"]
    without_action = baseline["by_currency"]
    return tuple(
        Rate(
            currency=currency,
            failures=count[currency],
            recovered=back_n[currency],
            by_count=_share(back_n[currency], count[currency]),
            by_value=_share(back_minor[currency], value[currency]),
            baseline_by_count=_share_of(without_action.get(currency, {}), "recovered", "failures"),
            baseline_by_value=_share_of(without_action.get(currency, {}), "recovered_amount", "failed_amount"),
        )
        for currency in sorted(count)
    )


def _share_of(line: Mapping[str, int], part: str, whole: str) -> float:
    return _share(line.get(part, 0), line.get(whole, 0))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
