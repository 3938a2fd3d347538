"""The meaning of each provider code, as data. Source of every row: Stripe's pages of September 2026 (https://docs.stripe.com/declines/codes)."""

from typing import NamedTuple

from recovery.vocabulary import DeclineKind


class DeclineRow(NamedTuple):
    """One code's meaning: its class, the least hours to wait and the most retries (0: no limit of its own)."""

    kind: DeclineKind
    wait_hours: int = 0
    cap: int = 0


SOFT, HARD, FRAUD, AUTH = DeclineRow("soft"), DeclineRow("hard"), DeclineRow("fraud"), DeclineRow("needs_auth")
SOFT_DAY = DeclineRow("soft", wait_hours=24)
UNKNOWN = DeclineRow("soft", wait_hours=72, cap=1)
"""An unknown code: soft, one retry, not before 72 h (B26)."""


def _rows(row: DeclineRow, codes: str) -> dict[str, DeclineRow]:
    return dict.fromkeys(codes.split(), row)


CONDITIONAL: frozenset[str] = frozenset({"generic_decline", "call_issuer", "no_action_taken"})
"""Codes that mean nothing alone: soft only where the network says that it is temporary."""

CARD_CODES: dict[str, DeclineRow] = {
    **_rows(SOFT, "approve_with_id insufficient_funds issuer_not_available processing_error reenter_transaction try_again_later"),
    **_rows(SOFT_DAY, "card_velocity_exceeded duplicate_transaction withdrawal_count_limit_exceeded"),
    **_rows(FRAUD, "fraudulent merchant_blacklist"),
    **_rows(AUTH, "authentication_required authentication_not_handled mobile_device_authentication_required"),
    **_rows(HARD, "card_not_supported currency_not_supported do_not_honor do_not_try_again expired_card incorrect_address incorrect_cvc"),
    **_rows(HARD, "incorrect_number incorrect_pin incorrect_zip invalid_account invalid_amount invalid_cvc invalid_expiry_month"),
    **_rows(HARD, "invalid_expiry_year invalid_number invalid_pin lost_card new_account_information_available not_permitted"),
    **_rows(HARD, "offline_pin_required online_or_offline_pin_required pickup_card pin_try_exceeded restricted_card"),
    **_rows(HARD, "revocation_of_all_authorizations revocation_of_authorization security_violation service_not_allowed stolen_card"),
    **_rows(HARD, "stop_payment_order testmode_decline transaction_not_allowed"),
    # the three conditional codes: without a sign of the network they are hard
    **_rows(HARD, "call_issuer generic_decline no_action_taken"),
}
"""All 50 card decline codes."""

LOCAL_CODES: dict[str, DeclineRow] = {
    **_rows(SOFT, "partner_processing_error partner_insufficient_funds"),
    **_rows(SOFT_DAY, "partner_duplicate_transaction"),
    **_rows(FRAUD, "partner_high_risk_customer"),
    **_rows(HARD, "partner_generic_decline invalid_customer_account payment_limit_exceeded invalid_billing_agreement partner_expired_card"),
    **_rows(HARD, "partner_invalid_currency partner_invalid_amount invalid_business_account compliance_violation payment_disputed"),
    **_rows(HARD, "invalid_authorization invalid_payment_information partner_payment_not_found expired_payment_information"),
}
"""Decline codes of local payment methods, where they differ from a card's."""

ERROR_CODES: dict[str, DeclineRow] = {
    **_rows(SOFT, "processing_error payment_method_provider_timeout payment_method_not_available"),
    **_rows(SOFT_DAY, "card_decline_rate_limit_exceeded charge_exceeds_source_limit"),
    **_rows(AUTH, "payment_intent_authentication_failure invoice_payment_intent_requires_action authentication_required"),
    **_rows(AUTH, "payment_intent_action_required"),
    **_rows(HARD, "card_declined expired_card incorrect_cvc incorrect_number incorrect_zip incorrect_address invalid_cvc"),
    **_rows(HARD, "invalid_expiry_month invalid_expiry_year invalid_number expired_payment_method payment_method_provider_decline"),
    **_rows(HARD, "payment_intent_payment_attempt_failed payment_intent_payment_attempt_expired payment_method_customer_decline"),
    **_rows(HARD, "payment_intent_mandate_invalid billing_invalid_mandate india_recurring_payment_mandate_canceled"),
    **_rows(HARD, "setup_intent_mandate_invalid amount_too_small amount_too_large charge_exceeds_transaction_limit"),
    **_rows(HARD, "invalid_charge_amount customer_max_payment_methods payment_method_unexpected_state resource_missing"),
    **_rows(HARD, "payment_method_unactivated"),
}
"""Error codes that count where no decline code came."""

NOT_A_DECLINE: frozenset[str] = frozenset({"lock_timeout", "rate_limit", "idempotency_key_in_use"})
"""Technical failures: they never reached a bank, and no attempt is counted (B25)."""

MERCHANT_ERRORS: frozenset[str] = frozenset(
    {
        *_rows(HARD, "amount_too_small amount_too_large charge_exceeds_transaction_limit charge_exceeds_source_limit"),
        *_rows(HARD, "invalid_charge_amount currency_not_supported customer_max_payment_methods"),
        *_rows(HARD, "payment_method_currency_mismatch payment_method_unsupported_type capability_not_active"),
        *_rows(HARD, "account_invalid action_blocked application_fees_not_allowed api_key_expired"),
        *_rows(HARD, "charge_invalid_parameter country_unsupported invoice_no_payment_method_types livemode_mismatch"),
        *_rows(HARD, "parameter_invalid_empty parameter_invalid_integer parameter_missing parameter_unknown"),
        *_rows(HARD, "payment_intent_incompatible_payment_method payment_intent_invalid_parameter"),
        *_rows(HARD, "payment_method_configuration_failures payment_method_invalid_parameter platform_account_required"),
        *_rows(HARD, "platform_api_key_expired product_inactive secret_key_required state_unsupported stripe_tax_inactive"),
        *_rows(HARD, "testmode_charges_only taxes_calculation_failed"),
    }
)
"""Error codes that only the merchant can mend: no other card of the customer's helps."""
MERCHANT_DECLINES: frozenset[str] = frozenset({"invalid_business_account", "partner_invalid_currency"})
"""The same where a local payment method's provider says it as a decline."""

_ACCOUNT_GONE = "account_closed no_account bank_account_restricted bank_account_unusable recipient_deceased debit_not_authorized"
_ACH: dict[str, DeclineRow] = {
    **_rows(SOFT, "insufficient_funds"),
    **_rows(HARD, _ACCOUNT_GONE),
    **_rows(HARD, "bank_account_closed bank_account_invalid_details bank_account_frozen"),
}
_SEPA: dict[str, DeclineRow] = {
    **_rows(DeclineRow("soft", cap=1), "insufficient_funds"),  # each failed debit costs the merchant a fee
    **_rows(HARD, _ACCOUNT_GONE),
    **_rows(HARD, "refer_to_customer generic_could_not_process debit_disputed authorization_revoked debit_authorization_not_match"),
    **_rows(HARD, "branch_does_not_exist incorrect_account_holder_name invalid_account_number"),
}
_BACS: dict[str, DeclineRow] = {
    **_rows(SOFT, "insufficient_funds generic_could_not_process"),
    **_rows(HARD, _ACCOUNT_GONE),
    **_rows(HARD, "bank_ownership_changed invalid_account_number"),
}
DEBIT_CODES: dict[str, dict[str, DeclineRow]] = {"us_bank_account": _ACH, "ach_debit": _ACH, "sepa_debit": _SEPA, "bacs_debit": _BACS}
"""Bank debits by payment method type, each with its own codes; `ach_debit` is ACH's older name."""

_OTHER_DEBIT = {code: HARD for codes in (_ACH, _SEPA, _BACS) for code, row in codes.items() if row.kind == "hard"}
ERROR_CODES |= {code: row for code, row in _OTHER_DEBIT.items() if code not in ERROR_CODES}
"""What one debit's code says of an account or a mandate, it says of every other debit's too: they are Stripe's own codes."""
ERROR_CODES |= _rows(HARD, "bank_account_declined bank_account_unverified payment_method_bank_account_blocked sepa_unsupported_account")
ERROR_CODES |= _rows(HARD, "account_number_invalid routing_number_invalid bank_account_bad_routing_numbers payment_method_restricted")

DEBIT_CAPS: dict[str, int] = {
    "sepa_debit": 1,
    "us_bank_account": 2,
    "ach_debit": 2,
    **dict.fromkeys(("au_becs_debit", "acss_debit", "nz_bank_account"), 1),
}
"""The most retries of a debit, whatever the code: each failed one costs the merchant a fee, and Stripe itself stops after two for ACH. Bacs
has its scheme's own advice."""
DEBIT_FEES: dict[str, tuple[int, str]] = {"sepa_debit": (350, "eur")}
"""What a failed debit costs the merchant, in minor units (a page of March 2025)."""

ACH: frozenset[str] = frozenset({"us_bank_account", "ach_debit"})
CONSENT_NEEDED: frozenset[str] = ACH
"""Debits that may be tried again only where the customer has agreed to it: the merchant says so in the policy."""

ACH_RAW: dict[str, str] = {
    **dict.fromkeys(("R01", "R09"), "insufficient_funds"),
    "R02": "bank_account_closed",
    **dict.fromkeys(("R03", "R04"), "bank_account_invalid_details"),
    **dict.fromkeys(("R05", "R07", "R08", "R10", "R11", "R29", "R31"), "debit_not_authorized"),
    "R15": "recipient_deceased",
    "R16": "bank_account_frozen",
}
"""NACHA return codes to Stripe's words."""

AUTH_CODES: frozenset[str] = frozenset(
    {
        "authentication_required",
        "authentication_not_handled",
        "mobile_device_authentication_required",
        "invoice_payment_intent_requires_action",
        "payment_intent_action_required",
        "payment_intent_authentication_failure",
    }
)
"""Where the bank wants the customer."""

FRAUD_CODES: frozenset[str] = frozenset({"fraudulent", "merchant_blacklist", "highest_risk_level", "partner_high_risk_customer"})
"""Fraud, whatever else is said."""

NEVER: frozenset[str] = frozenset(
    {
        "incorrect_number",
        "lost_card",
        "pickup_card",
        "stolen_card",
        "revocation_of_authorization",
        "revocation_of_all_authorizations",
        "stop_payment_order",
        "transaction_not_allowed",
        *_ACCOUNT_GONE.split(),
        "bank_account_closed",
        "authorization_revoked",
    }
)
"""Never tried again without a new method, whatever a tenant's override says (B20)."""

NO_MAIL: frozenset[str] = frozenset(
    {"revocation_of_authorization", "revocation_of_all_authorizations", "stop_payment_order", "recipient_deceased"}
)
"""No message is sent: the customer revoked the payment at the bank (B20), or has died."""

CONFIDENTIAL: frozenset[str] = frozenset({"fraudulent", "merchant_blacklist", "lost_card", "stolen_card", "pickup_card", "restricted_card"})
"""The customer must not learn the reason (https://docs.stripe.com/declines/codes; the last two may mean lost or stolen)."""

DECLINED_BEFORE: frozenset[str] = frozenset({"previously_declined_do_not_retry", "low_probability_of_authorization"})
"""Why Stripe itself keeps an attempt back that the bank would refuse, by its earlier declines: no fraud, and no word of the bank (B23)."""

STOP_ADVICE: frozenset[str] = frozenset({"do_not_try_again", "confirm_card_data"})
STOP_MAC: frozenset[str] = frozenset({"01", "03", "21", "40", "41"})
VISA_NEVER: frozenset[str] = frozenset(["04", "07", "12", "14", "15", "41", "43", "46", "57", "R0", "R1", "R3"])
"""Visa's category 1: the issuer will never approve, every further attempt is fined."""
VISA_DATA: frozenset[str] = frozenset(["54", "55", "82", "6P", "N7"])
"""Visa's category 3: only after a correction."""
STOP_NETWORK: dict[str, frozenset[str]] = {
    "visa": VISA_NEVER | VISA_DATA,
    "mastercard": frozenset(["04", "07", "14", "15", "33", "41", "43", "54", "57", "62", "63"]),
}
"""Signs that take a retry away, by brand."""

TEMPORARY_MAC_HOURS: dict[str, int] = {"02": 0, "24": 1, "25": 24, "26": 48, "27": 96, "28": 144, "29": 192, "30": 240}
"""Mastercard's advice to try later, with the least wait in hours."""

TEMPORARY_NETWORK: dict[str, frozenset[str]] = {
    "visa": frozenset(["19", "51", "61", "65", "91", "96"]),
    "mastercard": frozenset(["51", "61", "65", "91", "92", "96"]),
}
"""Network codes that say temporary, by brand."""
