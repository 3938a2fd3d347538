"""A consent to texts that a merchant has, or no longer has, as a fact with its proof (B53)."""

from datetime import datetime
from typing import Any

from recovery.contracts.facts import ConsentGiven, ConsentWithdrawn


def consent(account: str, customer: str, proof: str, zone: str, country: str, business: datetime, wall: datetime) -> ConsentGiven:
    """The customer agreed to texts. `proof` says where that is recorded; `zone` and `country` help to find their hours (B52).

    Raises:
        ValueError: there is no proof; a consent without a proof is invalid.
    """
    if not proof.strip():
        raise ValueError(
            "A consent needs its --proof: where it is recorded that the customer agreed, for instance 'checkout form, 2026-03-02'."
        )
    id = f"consent:{account}:{customer}:{int(wall.timestamp() * 1000)}"
    about: dict[str, Any] = {"id": id, "account": account, "customer": customer, "trace": id}
    return ConsentGiven(**about, occurred_at=business, received_at=wall, proof=proof.strip(), zone=zone, country=country)


def withdrawal(account: str, customer: str, why: str, business: datetime, wall: datetime) -> ConsentWithdrawn:
    """The customer took the consent to texts back."""
    id = f"consent:{account}:{customer}:{int(wall.timestamp() * 1000)}"
    about: dict[str, Any] = {"id": id, "account": account, "customer": customer, "trace": id}
    return ConsentWithdrawn(**about, occurred_at=business, received_at=wall, why=why.strip() or "by_hand")
