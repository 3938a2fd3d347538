"""Classifies a decline: raw codes in, verdict out. The first match of the ordered evidence wins (B19)."""

from collections.abc import Mapping
from typing import cast

import msgspec

from recovery.contracts.customer import Verdict
from recovery.contracts.facts import Card, Decline
from recovery.decide.rules import decline_table as table
from recovery.vocabulary import DeclineKind

NO_METHOD = Verdict("hard", "no_payment_method", "no_payment_method")
"""Nothing was tried because there is nothing to charge."""

WITHOUT_CODE = Verdict("soft", "", "unknown_code", retry_allowed=True, wait_hours=table.UNKNOWN.wait_hours, cap=table.UNKNOWN.cap)
"""A failure about which nothing could be learnt: as an unknown code (B26)."""

AUTHENTICATION = Verdict("needs_auth", "authentication_required", "authentication_required")
"""The bank wants the customer to authenticate; reported by an event rather than by a code (B17)."""

_NOTHING: Mapping[str, str] = {}


def classify(
    decline: Decline | None,
    card: Card | None,
    overrides: Mapping[str, str] = _NOTHING,
    *,
    attempted: bool = True,
    ach_consent: bool = False,
) -> Verdict:
    """The meaning of the latest decline. `attempted` False: Stripe lists no attempt at all. `overrides`: a tenant's own class per code.

    `ach_consent`: the merchant's customers have agreed that a returned debit is tried again.
    """
    if decline is None or not _has_code(decline):
        if decline is not None and decline.intent_status == "requires_action":
            return AUTHENTICATION
        return WITHOUT_CODE if attempted else NO_METHOD
    code = code_of(decline)
    verdict = _by_outcome(decline, code) or _by_code(decline, card, code, overrides)
    if ach_consent and verdict.because == "consent_needed":
        return msgspec.structs.replace(verdict, retry_allowed=True, because="soft_decline")
    return verdict


def merchants_own(verdict: Verdict | None) -> bool:
    """Whether the cause is the merchant's, so that neither a mail nor an end of the subscription is the customer's due."""
    return verdict is not None and verdict.because in {"merchant_error", "integration_error"}


def _has_code(decline: Decline) -> bool:
    """An intent without error and charge has a status only."""
    return bool(decline.code or decline.decline_code or decline.outcome_type or decline.outcome_reason or decline.network_decline_code)


def code_of(decline: Decline) -> str:
    """The one code that names the decline: the decline code before the outcome's reason before the error code (B19)."""
    if decline.method_type in table.ACH and decline.network_decline_code in table.ACH_RAW:
        return table.ACH_RAW[decline.network_decline_code]
    return decline.decline_code or decline.outcome_reason or decline.code


def stopped_by_network(decline: Decline, brand: str) -> bool:
    """Whether issuer or network forbid another attempt on this card as it is. Advice is read per brand only."""
    return (
        decline.advice_code in table.STOP_ADVICE
        or (brand == "mastercard" and decline.network_advice_code in table.STOP_MAC)
        or decline.network_decline_code in table.STOP_NETWORK.get(brand, ())
    )


def _by_outcome(decline: Decline, code: str) -> Verdict | None:
    words = {decline.code, decline.decline_code, decline.outcome_reason}
    if decline.intent_status == "requires_action" or words & table.AUTH_CODES:
        return Verdict("needs_auth", code or "authentication_required", "authentication_required")
    if decline.outcome_reason in table.DECLINED_BEFORE or decline.outcome_reason.startswith("previously_declined"):
        return Verdict("hard", decline.outcome_reason, "low_probability_of_authorization")
    if decline.outcome_type == "blocked" or decline.network_status == "reversed_after_approval":
        return Verdict("fraud", code, "blocked", generic=True)
    if words & table.FRAUD_CODES:
        return Verdict("fraud", code, "fraud_code", generic=True)
    if decline.outcome_type == "invalid":
        return Verdict("hard", code, "integration_error", mail=False)
    return None


def _by_code(decline: Decline, card: Card | None, code: str, overrides: Mapping[str, str]) -> Verdict:
    row, because = _row(decline, code), ""
    brand = card.brand if card else ""
    if row is None and code in table.MERCHANT_ERRORS:
        row = table.HARD
    elif row is None:
        row, because = table.UNKNOWN, "unknown_code"
    if code in table.CONDITIONAL:
        row, because = _conditional(decline, brand)
    if code in overrides:  # problems(policy) lets only the four classes through
        row, because = table.DeclineRow(cast(DeclineKind, overrides[code]), row.wait_hours, row.cap), "override"
    return _verdict(decline, card, code, row, because)


def _row(decline: Decline, code: str) -> table.DeclineRow | None:
    debit = table.DEBIT_CODES.get(decline.method_type)
    if debit is not None:
        known = debit.get(code) or table.ERROR_CODES.get(code)
        return table.HARD if known is None and _returned(decline) else known
    if code in table.NOT_A_DECLINE:
        return table.SOFT
    return table.CARD_CODES.get(code) or table.LOCAL_CODES.get(code) or table.ERROR_CODES.get(code)


def _returned(decline: Decline) -> bool:
    """Whether the bank sent the debit back with a code that our table lacks: hard, as all but two of them are."""
    code = decline.network_decline_code
    return decline.method_type in table.ACH and len(code) == 3 and code[0] == "R" and code[1:].isdigit()


def _conditional(decline: Decline, brand: str) -> tuple[table.DeclineRow, str]:
    if stopped_by_network(decline, brand):
        return table.HARD, "network_stop"
    if (
        decline.advice_code == "try_again_later"
        or (brand == "mastercard" and decline.network_advice_code in table.TEMPORARY_MAC_HOURS)
        or decline.network_decline_code in table.TEMPORARY_NETWORK.get(brand, ())
    ):
        return table.SOFT, "temporary"
    return table.HARD, "no_sign_of_temporary"


def _verdict(decline: Decline, card: Card | None, code: str, row: table.DeclineRow, because: str) -> Verdict:
    brand = card.brand if card else ""
    wait, allowed, most = row.wait_hours, row.kind == "soft", table.DEBIT_CAPS.get(decline.method_type, 0)
    cap = min(row.cap or most, most or row.cap)
    if brand == "mastercard":
        wait = max(wait, table.TEMPORARY_MAC_HOURS.get(decline.network_advice_code, 0))
    if allowed:
        block = _retry_block(decline, card, code, brand)
        allowed, because = not block, block or because
    merchants = code in table.MERCHANT_DECLINES or (code in table.MERCHANT_ERRORS and not decline.decline_code)
    because = "merchant_error" if merchants else because or f"{row.kind}_decline"
    mail = not merchants and code not in table.NO_MAIL
    return Verdict(row.kind, code, because, allowed, wait, cap, mail, row.kind == "fraud" or code in table.CONFIDENTIAL)


def _retry_block(decline: Decline, card: Card | None, code: str, brand: str) -> str:
    if code in table.NEVER:
        return "never_without_new_method"
    if stopped_by_network(decline, brand):
        return "network_stop"
    if card is not None and card.country == "IN" and decline.method_type in {"", "card"}:
        return "india_card"
    if decline.method_type in table.CONSENT_NEEDED:
        return "consent_needed"
    return ""
