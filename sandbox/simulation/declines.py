"""How a real cause shows itself: the noisy codes of issuers, Stripe's advice and the networks' numbers.

Shares follow the published mixes (insufficient funds shows as something vaguer about a third of the time);
combinations of code and advice are those Stripe documents under https://docs.stripe.com/declines/codes.
"""

from dataclasses import replace

from sandbox.simulation.records import Decline
from sandbox.simulation.seeded_random import Luck

_SHOWN: dict[str, list[tuple[str, float]]] = {
    "insufficient_funds": [("insufficient_funds", 0.65), ("do_not_honor", 0.20), ("generic_later", 0.09), ("generic", 0.06)],
    "outage": [("processing_error", 0.60), ("issuer_not_available", 0.22), ("reenter_transaction", 0.08), ("generic_later", 0.10)],
    "issuer_risk": [
        ("do_not_honor", 0.30),
        ("generic_later", 0.25),
        ("generic", 0.15),
        ("card_velocity_exceeded", 0.15),
        ("transaction_not_allowed", 0.10),
        ("call_issuer", 0.05),
    ],
    "lost": [("lost", 0.80), ("do_not_honor", 0.14), ("generic", 0.06)],
    "expired": [("expired_card", 0.94), ("do_not_honor", 0.06)],
    "revoked": [("revocation_of_authorization", 1.0)],
    "fraud": [("highest_risk_level", 0.5), ("fraudulent", 0.3), ("merchant_blacklist", 0.2)],
}

_VISA = {
    "insufficient_funds": "51", "do_not_honor": "05", "generic_decline": "05", "expired_card": "54", "lost_card": "41",
    "stolen_card": "43", "pickup_card": "04", "processing_error": "96", "issuer_not_available": "91",
    "reenter_transaction": "19", "card_velocity_exceeded": "65", "transaction_not_allowed": "57", "call_issuer": "01",
    "revocation_of_authorization": "R1", "fraudulent": "59", "authentication_required": "1A",
}  # fmt: skip
_MASTERCARD = {**_VISA, "pickup_card": "04", "revocation_of_authorization": "05", "fraudulent": "05"}
_ADVICE = {
    "insufficient_funds": "try_again_later",
    "processing_error": "try_again_later",
    "issuer_not_available": "try_again_later",
    "reenter_transaction": "try_again_later",
    "expired_card": "confirm_card_data",
    "lost_card": "do_not_try_again",
    "stolen_card": "do_not_try_again",
    "pickup_card": "do_not_try_again",
    "revocation_of_authorization": "do_not_try_again",
}
_MAC_NSF: list[tuple[str | None, float]] = [
    (None, 0.35), ("02", 0.30), ("24", 0.05), ("25", 0.12), ("26", 0.08), ("27", 0.05), ("28", 0.02), ("29", 0.02), ("30", 0.01),
]  # fmt: skip
_MAC = {
    "expired_card": "01",
    "lost_card": "03",
    "stolen_card": "03",
    "pickup_card": "03",
    "revocation_of_authorization": "21",
}
_OWN_ERROR_CODE = frozenset({"expired_card", "processing_error", "authentication_required", "incorrect_cvc"})


def decline(luck: Luck, cause: str, brand: str, lost_code: str, *parts: object) -> Decline:
    """The refusal an issuer of this brand sends for this cause; the same parts give the same answer."""
    shown = luck.pick(_SHOWN[cause], "shown", cause, *parts)
    if cause == "fraud":
        return _blocked(shown)
    later = shown == "generic_later"
    code = {"generic_later": "generic_decline", "generic": "generic_decline", "lost": lost_code}.get(shown, shown)
    return replace(_network(luck, code, brand, later, *parts), cause=cause)


def named(code: str, brand: str, cause: str) -> Decline:
    """The refusal with this decline code, as test cards give it."""
    return replace(_network(Luck(0), code, brand, code == "generic_decline", code), cause=cause)


def needs_customer(kind: str) -> Decline:
    """The bank wants its customer present: "required" declines, "action" leaves the payment waiting for 3-D Secure."""
    return Decline(
        cause="authentication",
        code="authentication_required",
        decline_code="authentication_required",
        reason="authentication_required",
        requires_action=kind == "action",
    )


def _network(luck: Luck, code: str, brand: str, later: bool, *parts: object) -> Decline:
    table = {"visa": _VISA, "mastercard": _MASTERCARD}.get(brand, {})
    advice = "try_again_later" if later else _ADVICE.get(code)
    if code == "insufficient_funds" and not luck.chance(0.6, "advice", *parts):
        advice = None
    return Decline(
        cause="",
        code=code if code in _OWN_ERROR_CODE else "card_declined",
        decline_code=code,
        reason=code,
        advice_code=advice,
        network_advice_code=_mac(luck, code, later, *parts) if brand == "mastercard" else None,
        network_decline_code=table.get(code),
    )


def _mac(luck: Luck, code: str, later: bool, *parts: object) -> str | None:
    if later:
        return "02"
    if code == "insufficient_funds":
        return luck.pick(_MAC_NSF, "mac", *parts)
    return _MAC.get(code)


def _blocked(reason: str) -> Decline:
    issuer = reason == "fraudulent"
    return Decline(
        cause="fraud",
        code="card_declined",
        decline_code=reason if reason != "highest_risk_level" else "fraudulent",
        reason=reason,
        outcome_type="issuer_declined" if issuer else "blocked",
        network_status="declined_by_network" if issuer else "not_sent_to_network",
        risk_level="highest" if reason == "highest_risk_level" else "normal",
        advice_code="do_not_try_again",
    )
