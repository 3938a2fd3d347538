"""Faults that a test orders: what the next calls and mails shall suffer."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

PAY_FAULTS = ("cut_before", "cut_after", "error_after", "rate_limit", "delay")
SMTP_FAULTS = ("refuse", "slow", "drop_after_data")


@dataclass(frozen=True, slots=True)
class PayFault:
    """One disturbed pay call: its kind and how many seconds of wall time it takes longer."""

    kind: str
    seconds: float


@dataclass(slots=True)
class Bucket:
    """A token bucket on wall time: `per_second` calls on average, `burst` at once."""

    per_second: float
    burst: float
    tokens: float
    filled_at: float

    def take(self, wall: float) -> bool:
        """Whether one more call is allowed now."""
        self.tokens = min(self.burst, self.tokens + (wall - self.filled_at) * self.per_second)
        self.filled_at = wall
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@dataclass(slots=True)
class Faults:
    """The orders still to be carried out."""

    pay: deque[PayFault] = field(default_factory=deque)
    smtp: deque[str] = field(default_factory=deque)
    bucket: Bucket | None = None

    def order(self, wanted: dict[str, Any], wall: float) -> dict[str, Any]:
        """Take an order as `POST /_faults` gets it and answer what is pending; ValueError for an unknown one."""
        count = int(wanted.get("count", 1))
        if wanted.get("clear"):
            self.pay.clear()
            self.smtp.clear()
            self.bucket = None
        if "pay" in wanted:
            kind = _known(wanted["pay"], PAY_FAULTS)
            self.pay.extend(PayFault(kind, float(wanted.get("seconds", 0.0))) for _ in range(count))
        if "smtp" in wanted:
            self.smtp.extend([_known(wanted["smtp"], SMTP_FAULTS)] * count)
        if "rate_limit" in wanted:
            limit = wanted["rate_limit"]
            burst = float(limit.get("burst", limit["per_second"])) if limit else 0.0
            self.bucket = Bucket(float(limit["per_second"]), burst, burst, wall) if limit else None
        return {
            "pay": [fault.kind for fault in self.pay],
            "smtp": list(self.smtp),
            "rate_limit": self.bucket is not None,
        }

    def next_pay(self) -> PayFault | None:
        """The fault for this pay call, if one is ordered."""
        return self.pay.popleft() if self.pay else None

    def next_smtp(self) -> str | None:
        """The fault for this mail, if one is ordered."""
        return self.smtp.popleft() if self.smtp else None


def _known(kind: str, kinds: tuple[str, ...]) -> str:
    if kind not in kinds:
        raise ValueError(f"Unknown fault '{kind}'; known are: {', '.join(kinds)}.")
    return kind
