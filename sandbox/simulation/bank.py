"""The banks: whether a card pays at a moment, and the real reason when it does not."""

from math import exp, sqrt

from sandbox.simulation import declines
from sandbox.simulation.customers import ISSUERS
from sandbox.simulation.records import Card, Customer, Decline, Invoice
from sandbox.simulation.seeded_random import Luck

DAY = 86_400.0
_RHO = 0.8
_NOISE_SD = 0.6
_OUTAGE_SHARE = 0.009
_OUTAGE_MEAN_H = 15.0


class Bank:
    """Answers authorizations from time and hashed luck only: a retry at the same moment gets the same answer."""

    def __init__(self, luck: Luck, start: float) -> None:
        self._luck = luck
        self._start = start
        self._outages = [self._windows(issuer) for issuer in range(ISSUERS)]

    def authorize(self, customer: Customer, card: Card, invoice: Invoice, at: float) -> Decline | None:
        """None when the money is taken, else the refusal. Which attempt it is follows from the invoice's charges."""
        index = len(invoice.charges)
        if card.outcome == "good":
            return None
        if card.outcome == "authentication_required":
            return declines.needs_customer("required")
        if card.outcome is not None:
            return declines.named(card.outcome, card.brand, "test card")
        if card.needs_action is not None:
            return declines.needs_customer(card.needs_action)
        cause = self._cause(customer, card, invoice, at, index)
        if cause is None:
            return None
        # the code an issuer shows for one cause is stable within an invoice most of the time
        variety = index if self._luck.chance(0.25, invoice.id, "varies", index) else 0
        return declines.decline(self._luck, cause, card.brand, card.lost_code, invoice.id, variety)

    def liquid(self, customer: Customer, at: float) -> bool:
        """Whether the customer's account covers a payment now."""
        return self.liquidity(customer, at) >= 0

    def liquidity(self, customer: Customer, at: float) -> float:
        """Log-liquidity: a base, a bump after each pay day that wears off, a slow noise and the time of day."""
        day = (at - self._start) / DAY
        since_pay = self._since_pay(customer, day)
        hour = at % DAY / 3600.0
        intraday = 0.25 if hour < 3 else -0.15 if hour >= 18 else 0.0
        noise = self._noise(customer, int(day + 400)) if customer.base < 1.5 else 0.0
        return customer.base + customer.amp * exp(-since_pay / customer.tau) + noise + intraday

    def _cause(self, customer: Customer, card: Card, invoice: Invoice, at: float, index: int) -> str | None:
        if card.lost_at <= at:
            return "lost"
        if card.expires_at <= at:
            return "expired"
        if self._luck.chance(0.0012, card.id, "revoked"):
            return "revoked"
        if any(begin <= at < end for begin, end in self._outages[customer.issuer]):
            return "outage"
        if self._blocked(customer, invoice, index):
            return "fraud"
        if self._risky(customer, invoice, at, index):
            return "issuer_risk"
        return None if self.liquid(customer, at) else "insufficient_funds"

    def _blocked(self, customer: Customer, invoice: Invoice, index: int) -> bool:
        if self._last_cause(invoice) == "fraud":
            return self._luck.chance(0.8, invoice.id, "blocked again", index)
        return index == 0 and self._luck.chance(0.002, customer.id, invoice.id, "fraud")

    def _risky(self, customer: Customer, invoice: Invoice, at: float, index: int) -> bool:
        if self._last_cause(invoice) == "issuer_risk":
            low, high = customer.usual_hours
            likes = 0.45 if low <= at % DAY / 3600.0 < high else 0.16
            if at - invoice.charges[-1].at < 6 * 3600:  # the issuer cools down after each decline
                likes *= 0.3
            return not self._luck.chance(likes, invoice.id, "risk again", index)
        return index == 0 and self._luck.chance(0.013, customer.id, invoice.id, "risk")

    @staticmethod
    def _last_cause(invoice: Invoice) -> str | None:
        return invoice.charges[-1].real_cause if invoice.charges else None

    def _since_pay(self, customer: Customer, day: float) -> float:
        number = int((day + 400 - customer.pay_phase) // customer.cycle_days)
        since = (day + 400 - customer.pay_phase) % customer.cycle_days
        for _ in range(3):
            if not self._luck.chance(0.03, customer.id, "missed pay", number):
                return since
            since, number = since + customer.cycle_days, number - 1
        return since

    def _noise(self, customer: Customer, day: int) -> float:
        scale = _NOISE_SD * sqrt(1 - _RHO * _RHO)
        return scale * sum(_RHO**back * self._luck.normal(customer.id, "noise", day - back) for back in range(14))

    def _windows(self, issuer: int) -> list[tuple[float, float]]:
        gap_h = _OUTAGE_MEAN_H * (1 / _OUTAGE_SHARE - 1)
        windows: list[tuple[float, float]] = []
        at, number = self._start - 60 * DAY, 0
        while at < self._start + 400 * DAY:
            at += self._luck.exponential(gap_h, issuer, "calm", number) * 3600
            end = at + self._luck.exponential(_OUTAGE_MEAN_H, issuer, "outage", number) * 3600
            windows.append((at, end))
            at, number = end, number + 1
        return windows
