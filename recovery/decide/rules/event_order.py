"""Decides which of two reports of Stripe is newer (B3). Stripe's own times decide; they have whole seconds, ours do not."""

from datetime import datetime


def older(at: datetime, known: datetime | None) -> bool:
    """Whether what Stripe created at `at` is certainly older than what is known since `known`: the same second leaves it open."""
    return known is not None and at < known.replace(microsecond=0)


def unclear(at: datetime, known: datetime | None) -> bool:
    """Whether both fall into one second, so that only another read shows which came last."""
    return known is not None and at.replace(microsecond=0) == known.replace(microsecond=0)
