"""Every code of the document has the class the document gives it (stripe.md 1.3 to 1.7)."""

from typing import Any

import pytest

from recovery.contracts import facts
from recovery.contracts.facts import Card, Decline
from recovery.decide.rules import decline_table as table
from recovery.decide.rules.classify import WITHOUT_CODE, classify
from recovery.policy import EndPolicy
from tests.support import builders as a
from tests.support.story import Story

SOFT = [
    "approve_with_id",
    "card_velocity_exceeded",
    "duplicate_transaction",
    "insufficient_funds",
    "issuer_not_available",
    "processing_error",
    "reenter_transaction",
    "try_again_later",
    "withdrawal_count_limit_exceeded",
]
AUTH = ["authentication_required", "authentication_not_handled", "mobile_device_authentication_required"]
FRAUD = ["fraudulent", "merchant_blacklist"]
CONDITIONAL = ["call_issuer", "generic_decline", "no_action_taken"]
HARD = [
    "card_not_supported",
    "currency_not_supported",
    "do_not_honor",
    "do_not_try_again",
    "expired_card",
    "incorrect_address",
    "incorrect_cvc",
    "incorrect_number",
    "incorrect_pin",
    "incorrect_zip",
    "invalid_account",
    "invalid_amount",
    "invalid_cvc",
    "invalid_expiry_month",
    "invalid_expiry_year",
    "invalid_number",
    "invalid_pin",
    "lost_card",
    "new_account_information_available",
    "not_permitted",
    "offline_pin_required",
    "online_or_offline_pin_required",
    "pickup_card",
    "pin_try_exceeded",
    "restricted_card",
    "revocation_of_all_authorizations",
    "revocation_of_authorization",
    "security_violation",
    "service_not_allowed",
    "stolen_card",
    "stop_payment_order",
    "testmode_decline",
    "transaction_not_allowed",
]
CLASSES = [*((c, "soft") for c in SOFT), *((c, "needs_auth") for c in AUTH), *((c, "fraud") for c in FRAUD)]
CLASSES += [(c, "hard") for c in [*HARD, *CONDITIONAL]]


def declined(code: str, **fields: str) -> Decline:
    return Decline(**{"code": "card_declined", "decline_code": code, "outcome_type": "issuer_declined", "method_type": "card"} | fields)


def test_the_document_has_fifty_codes_and_so_has_the_table() -> None:
    assert len(CLASSES) == 50
    assert set(table.CARD_CODES) == {code for code, _ in CLASSES}


@pytest.mark.parametrize(("code", "kind"), CLASSES)
def test_a_card_code_has_the_class_of_the_document(code: str, kind: str) -> None:
    verdict = classify(declined(code), a.VISA)
    assert (verdict.kind, verdict.retry_allowed) == (kind, kind == "soft")
    assert verdict.because


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("card_declined", "hard"),  # product decision 3: only where no decline code came
        ("expired_card", "hard"),
        ("incorrect_cvc", "hard"),
        ("incorrect_number", "hard"),
        ("incorrect_zip", "hard"),
        ("expired_payment_method", "hard"),
        ("processing_error", "soft"),
        ("card_decline_rate_limit_exceeded", "soft"),
        ("payment_method_provider_timeout", "soft"),
        ("payment_method_not_available", "soft"),
        ("payment_method_provider_decline", "hard"),
        ("payment_intent_payment_attempt_failed", "hard"),
        ("payment_intent_payment_attempt_expired", "hard"),
        ("payment_method_customer_decline", "hard"),
        ("payment_intent_authentication_failure", "needs_auth"),
        ("invoice_payment_intent_requires_action", "needs_auth"),
        ("payment_intent_mandate_invalid", "hard"),
        ("billing_invalid_mandate", "hard"),
        ("india_recurring_payment_mandate_canceled", "hard"),
        ("setup_intent_mandate_invalid", "hard"),
        ("amount_too_small", "hard"),
        ("charge_exceeds_transaction_limit", "hard"),
        ("charge_exceeds_source_limit", "soft"),
        ("lock_timeout", "soft"),
        ("rate_limit", "soft"),
        ("customer_max_payment_methods", "hard"),
        ("payment_method_unexpected_state", "hard"),
        ("resource_missing", "hard"),
        ("payment_method_unactivated", "hard"),
    ],
)
def test_an_error_code_counts_where_no_decline_code_came(code: str, kind: str) -> None:
    assert classify(Decline(code=code), a.VISA).kind == kind


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("partner_generic_decline", "hard"),
        ("invalid_customer_account", "hard"),
        ("payment_limit_exceeded", "hard"),
        ("invalid_billing_agreement", "hard"),
        ("partner_expired_card", "hard"),
        ("partner_processing_error", "soft"),
        ("partner_insufficient_funds", "soft"),
        ("partner_invalid_currency", "hard"),
        ("partner_invalid_amount", "hard"),
        ("invalid_business_account", "hard"),
        ("partner_high_risk_customer", "fraud"),
        ("compliance_violation", "hard"),
        ("payment_disputed", "hard"),
        ("invalid_authorization", "hard"),
        ("invalid_payment_information", "hard"),
        ("partner_payment_not_found", "hard"),
        ("expired_payment_information", "hard"),
        ("partner_duplicate_transaction", "soft"),
    ],
)
def test_a_local_method_has_its_own_codes(code: str, kind: str) -> None:
    assert classify(Decline(code="payment_method_provider_decline", decline_code=code, method_type="paypal"), None).kind == kind
    assert classify(Decline(code="payment_method_provider_decline", outcome_reason=code, method_type="paypal"), None).kind == kind


@pytest.mark.parametrize(
    ("method", "code", "kind", "retry", "mail"),
    [
        ("us_bank_account", "insufficient_funds", "soft", False, True),  # not without the customer's consent
        ("us_bank_account", "bank_account_closed", "hard", False, True),
        ("us_bank_account", "bank_account_invalid_details", "hard", False, True),
        ("us_bank_account", "debit_not_authorized", "hard", False, True),
        ("us_bank_account", "recipient_deceased", "hard", False, False),
        ("us_bank_account", "bank_account_frozen", "hard", False, True),
        ("us_bank_account", "account_closed", "hard", False, True),
        ("us_bank_account", "bank_account_unusable", "hard", False, True),
        ("sepa_debit", "insufficient_funds", "soft", True, True),
        ("sepa_debit", "refer_to_customer", "hard", False, True),
        ("sepa_debit", "generic_could_not_process", "hard", False, True),
        ("sepa_debit", "debit_disputed", "hard", False, True),
        ("sepa_debit", "authorization_revoked", "hard", False, True),
        ("sepa_debit", "debit_authorization_not_match", "hard", False, True),
        ("sepa_debit", "recipient_deceased", "hard", False, False),
        ("sepa_debit", "branch_does_not_exist", "hard", False, True),
        ("sepa_debit", "incorrect_account_holder_name", "hard", False, True),
        ("sepa_debit", "invalid_account_number", "hard", False, True),
        ("bacs_debit", "insufficient_funds", "soft", True, True),
        ("bacs_debit", "generic_could_not_process", "soft", True, True),
        ("bacs_debit", "account_closed", "hard", False, True),
        ("bacs_debit", "bank_ownership_changed", "hard", False, True),
        ("bacs_debit", "debit_not_authorized", "hard", False, True),
        ("bacs_debit", "invalid_account_number", "hard", False, True),
    ],
)
def test_a_bank_debit_has_its_own_table(method: str, code: str, kind: str, retry: bool, mail: bool) -> None:
    """B27: a debit uses debit rules, also when it fails at once."""
    verdict = classify(Decline(code=code, method_type=method), None)
    assert (verdict.kind, verdict.retry_allowed, verdict.mail) == (kind, retry, mail)


@pytest.mark.parametrize(
    ("raw", "code", "kind"),
    [
        ("R01", "insufficient_funds", "soft"),
        ("R02", "bank_account_closed", "hard"),
        ("R04", "bank_account_invalid_details", "hard"),
        ("R10", "debit_not_authorized", "hard"),
        ("R15", "recipient_deceased", "hard"),
        ("R16", "bank_account_frozen", "hard"),
    ],
)
def test_a_raw_ach_return_code_is_understood(raw: str, code: str, kind: str) -> None:
    verdict = classify(Decline(code="payment_failed", network_decline_code=raw, method_type="us_bank_account"), None)
    assert (verdict.code, verdict.kind) == (code, kind)


def test_a_failed_sepa_debit_is_tried_once_more_at_most() -> None:
    assert classify(Decline(code="insufficient_funds", method_type="sepa_debit"), None).cap == 1


@pytest.mark.parametrize("code", ["card_velocity_exceeded", "duplicate_transaction", "withdrawal_count_limit_exceeded"])
def test_limits_are_given_a_day(code: str) -> None:
    assert classify(declined(code), a.VISA).wait_hours == 24


def test_an_unknown_code_is_soft_with_one_retry_after_three_days() -> None:
    """B26, product decision 14."""
    verdict = classify(declined("never_heard_of"), a.VISA)
    assert (verdict.kind, verdict.retry_allowed, verdict.cap, verdict.wait_hours) == ("soft", True, 1, 72)
    assert verdict.because == "unknown_code"
    assert classify(None, None) == WITHOUT_CODE


def test_nothing_tried_means_nothing_to_charge() -> None:
    verdict = classify(None, None, attempted=False)
    assert (verdict.kind, verdict.because) == ("hard", "no_payment_method")
    assert classify(Decline(intent_status="requires_payment_method"), None, attempted=False) == verdict
    assert classify(Decline(intent_status="requires_payment_method"), None) == WITHOUT_CODE
    assert classify(Decline(intent_status="requires_action"), None, attempted=False).kind == "needs_auth"


@pytest.mark.parametrize(
    ("fields", "kind", "because"),
    [
        ({"intent_status": "requires_action"}, "needs_auth", "authentication_required"),
        ({"outcome_reason": "authentication_required"}, "needs_auth", "authentication_required"),
        ({"outcome_type": "blocked", "outcome_reason": "low_probability_of_authorization"}, "hard", "low_probability_of_authorization"),
        ({"outcome_type": "blocked", "outcome_reason": "rule"}, "fraud", "blocked"),
        ({"outcome_type": "blocked", "outcome_reason": "highest_risk_level"}, "fraud", "blocked"),
        ({"network_status": "reversed_after_approval"}, "fraud", "blocked"),
        ({"outcome_reason": "highest_risk_level"}, "fraud", "fraud_code"),
        ({"outcome_type": "invalid"}, "hard", "integration_error"),
    ],
)
def test_the_outcome_is_looked_at_before_the_code(fields: dict[str, str], kind: str, because: str) -> None:
    """stripe.md 0.7: a generic decline may be a block."""
    verdict = classify(declined("insufficient_funds", **fields), a.VISA)
    assert (verdict.kind, verdict.because, verdict.retry_allowed) == (kind, because, False)


@pytest.mark.parametrize(
    ("card", "fields", "kind", "because"),
    [
        (a.VISA, {}, "hard", "no_sign_of_temporary"),
        (a.VISA, {"network_decline_code": "05"}, "hard", "no_sign_of_temporary"),
        (a.VISA, {"advice_code": "try_again_later"}, "soft", "soft_decline"),
        (a.VISA, {"advice_code": "do_not_try_again"}, "hard", "network_stop"),
        (a.VISA, {"advice_code": "confirm_card_data"}, "hard", "network_stop"),
        (a.VISA, {"network_decline_code": "51"}, "soft", "soft_decline"),
        (a.VISA, {"network_decline_code": "R1", "advice_code": "try_again_later"}, "hard", "network_stop"),
        (a.VISA, {"network_advice_code": "03"}, "hard", "no_sign_of_temporary"),  # a Mastercard code says nothing on a Visa card
        (a.MASTERCARD, {"network_advice_code": "03"}, "hard", "network_stop"),
        (a.MASTERCARD, {"network_advice_code": "25"}, "soft", "soft_decline"),
        (a.MASTERCARD, {"network_decline_code": "92"}, "soft", "soft_decline"),
        (a.VISA, {"network_decline_code": "92"}, "hard", "no_sign_of_temporary"),
    ],
)
@pytest.mark.parametrize("code", CONDITIONAL)
def test_a_generic_decline_is_tried_again_only_on_a_sign_of_the_network(
    code: str, card: Card, fields: dict[str, str], kind: str, because: str
) -> None:
    """stripe.md 1.4."""
    verdict = classify(declined(code, **fields), card)
    assert (verdict.kind, verdict.retry_allowed) == (kind, kind == "soft")
    assert verdict.because in {because, "temporary"}


@pytest.mark.parametrize(("advice", "hours"), [("24", 1), ("25", 24), ("26", 48), ("27", 96), ("28", 144), ("29", 192), ("30", 240)])
def test_mastercards_advice_is_a_lower_bound_on_the_wait(advice: str, hours: int) -> None:
    """Product decision 10."""
    assert classify(declined("insufficient_funds", network_advice_code=advice), a.MASTERCARD).wait_hours == hours
    assert classify(declined("insufficient_funds", network_advice_code=advice), a.VISA).wait_hours == 0


def test_a_stop_of_the_network_takes_the_retry_and_leaves_the_class() -> None:
    verdict = classify(declined("insufficient_funds", advice_code="do_not_try_again"), a.VISA)
    assert (verdict.kind, verdict.retry_allowed, verdict.because) == ("soft", False, "network_stop")


def test_a_card_of_india_is_not_tried_again() -> None:
    """B27."""
    verdict = classify(declined("insufficient_funds"), Card(fingerprint="f", brand="visa", country="IN"))
    assert (verdict.kind, verdict.retry_allowed, verdict.because) == ("soft", False, "india_card")


def test_who_revoked_is_not_written_to() -> None:
    """B20."""
    for code in ("revocation_of_authorization", "revocation_of_all_authorizations", "stop_payment_order"):
        assert not classify(declined(code), a.VISA).mail
    assert classify(declined("expired_card"), a.VISA).mail


def test_a_tenant_may_override_a_row_but_not_wake_the_dead() -> None:
    """Product decision 4; B20 stays."""
    overrides = {"do_not_honor": "soft", "stolen_card": "soft", "insufficient_funds": "hard"}
    assert classify(declined("do_not_honor"), a.VISA, overrides).retry_allowed
    assert not classify(declined("stolen_card"), a.VISA, overrides).retry_allowed
    assert classify(declined("insufficient_funds"), a.VISA, overrides).kind == "hard"


def test_the_customer_is_not_told_of_theft_or_suspicion() -> None:
    """B51, stripe.md 1.3."""
    assert all(classify(declined(code), a.VISA).generic for code in ("fraudulent", "lost_card", "stolen_card", "merchant_blacklist"))
    assert not classify(declined("insufficient_funds"), a.VISA).generic


@pytest.mark.parametrize(
    "method", ["au_becs_debit", "acss_debit", "nz_bank_account", "sepa_debit", "bacs_debit", "us_bank_account", "ach_debit", ""]
)
@pytest.mark.parametrize(
    "code",
    ["account_closed", "no_account", "debit_not_authorized", "bank_account_closed", "bank_account_unusable", "recipient_deceased"],
)
def test_a_closed_account_or_a_refused_mandate_is_hard_for_every_debit(code: str, method: str) -> None:
    """The codes are Stripe's own and not one scheme's; a tenant's override does not bring such a debit back (B20)."""
    verdict = classify(Decline(code=code, method_type=method), None)
    assert (verdict.kind, verdict.retry_allowed) == ("hard", False)
    assert not classify(Decline(code=code, method_type=method), None, {code: "soft"}).retry_allowed


@pytest.mark.parametrize("method", ["au_becs_debit", "acss_debit", "nz_bank_account", "sepa_debit"])
def test_a_debit_whose_failure_costs_the_merchant_a_fee_is_tried_once_more_at_most(method: str) -> None:
    assert classify(Decline(code="insufficient_funds", method_type=method), None).cap == 1


def test_the_older_name_of_ach_has_its_rules() -> None:
    """stripe.md 1.7: raw codes, the consent, and two retries."""
    verdict = classify(Decline(network_decline_code="R01", code="card_declined", method_type="ach_debit"), None)
    assert (verdict.code, verdict.retry_allowed, verdict.because, verdict.cap) == ("insufficient_funds", False, "consent_needed", 2)


@pytest.mark.parametrize(
    "reason", ["previously_declined_do_not_retry", "previously_declined_by_tomorrows_name", "low_probability_of_authorization"]
)
@pytest.mark.parametrize("type", ["blocked", ""])
def test_what_stripe_keeps_back_for_earlier_declines_is_no_fraud(reason: str, type: str) -> None:
    """B23: it did not reach the bank, so it says nothing bad about the card either."""
    decline = Decline(
        code="card_declined",
        decline_code="generic_decline",
        outcome_type=type,
        outcome_reason=reason,
        network_status="not_sent_to_network",
        method_type="card",
    )
    verdict = classify(decline, a.VISA)
    assert (verdict.kind, verdict.retry_allowed, verdict.mail, verdict.code) == ("hard", False, True, reason)


@pytest.mark.parametrize("code", sorted(table.MERCHANT_ERRORS))
def test_an_error_that_only_the_merchant_can_mend_is_not_written_to_the_customer(code: str) -> None:
    """stripe.md 1.5."""
    verdict = classify(Decline(code=code), None)
    assert (verdict.mail, verdict.because) == (False, "merchant_error")


def test_an_issuer_that_does_not_support_the_currency_is_another_cards_matter() -> None:
    """As a decline code it is the card's; as an error code it is the merchant's."""
    assert classify(Decline(code="card_declined", decline_code="currency_not_supported"), a.VISA).mail
    assert not classify(Decline(decline_code="partner_invalid_currency"), None).mail


def advised(code: str) -> Decline:
    return Decline(
        code="card_declined",
        decline_code="insufficient_funds",
        network_advice_code=code,
        outcome_type="issuer_declined",
        method_type="card",
    )


@pytest.mark.parametrize(
    ("card", "code", "barred"),
    [(a.MASTERCARD, "03", True), (a.MASTERCARD, "21", True), (a.MASTERCARD, "02", False), (a.VISA, "03", False)],
    ids=["never", "consent withdrawn", "later", "another brand"],
)
def test_only_mastercards_own_stop_signals_bar_a_mastercard(card, code, barred):
    """B20, B22, product decision 10."""
    story = Story().opened(advised(code), card=card)
    assert (card.fingerprint in story.customer.barred) is barred


@pytest.mark.parametrize(("attempts", "kind", "code"), [((a.an_attempt(),), "soft", ""), ((), "hard", "no_payment_method")])
def test_a_failure_without_words_depends_on_whether_anything_was_tried(attempts: tuple[Any, ...], kind: str, code: str) -> None:
    """B25, stripe.md 1.2 step 1."""
    story = Story().opened(None, attempts=attempts)
    assert (story.last("decline_classified").decline_kind, story.last("decline_classified").decline_code) == (kind, code)


@pytest.mark.parametrize(
    ("card", "advice", "kind"),
    [(a.MASTERCARD, "24", "soft"), (a.MASTERCARD, "", "hard"), (a.VISA, "24", "hard"), (None, "24", "hard")],
)
def test_mastercards_advice_makes_a_vague_decline_temporary_and_nobody_elses(card: facts.Card | None, advice: str, kind: str) -> None:
    """B22, stripe.md 1.4."""
    assert classify(Decline(decline_code="generic_decline", network_advice_code=advice), card).kind == kind


def test_a_payment_that_radar_thinks_hopeless_is_told_as_such() -> None:
    """B24, stripe.md 1.3."""
    verdict = classify(Decline(outcome_type="blocked", outcome_reason="low_probability_of_authorization"), a.VISA)
    assert (verdict.kind, verdict.code, verdict.because) == ("hard", *["low_probability_of_authorization"] * 2)


@pytest.mark.parametrize(
    ("method", "raw", "kind"),
    [
        ("us_bank_account", "R99", "hard"),
        ("us_bank_account", "R9", "soft"),
        ("us_bank_account", "R999", "soft"),
        ("us_bank_account", "X99", "soft"),
        ("us_bank_account", "R9A", "soft"),
        ("sepa_debit", "R99", "soft"),
        ("bacs_debit", "R99", "soft"),
    ],
)
def test_a_return_code_that_nobody_lists_is_hard_for_ach_alone(method: str, raw: str, kind: str) -> None:
    """B26, B27, stripe.md 1.7: elsewhere such a word is an unknown code."""
    verdict = classify(Decline(code="never_heard_of", network_decline_code=raw, method_type=method), None)
    assert verdict.kind == kind


def test_a_merchants_own_class_of_a_code_decides() -> None:
    """B19: `decline_overrides` of the policy reach the verdict of a look."""
    story = Story(a.an_account(a.a_policy(decline_overrides={"insufficient_funds": "hard"}))).opened()
    assert story.last("decline_classified").decline_kind == "hard"


@pytest.mark.parametrize(
    ("words", "kind", "code", "because"),
    [
        ({"code": "expired_card"}, "hard", "expired_card", "hard_decline"),
        ({"decline_code": "expired_card"}, "hard", "expired_card", "hard_decline"),
        ({"outcome_reason": "expired_card"}, "hard", "expired_card", "hard_decline"),
        ({"outcome_type": "blocked"}, "fraud", "", "blocked"),
        ({"outcome_type": "invalid"}, "hard", "", "integration_error"),
        ({"network_decline_code": "R01", "method_type": "us_bank_account"}, "soft", "insufficient_funds", "consent_needed"),
        ({"network_decline_code": "RX9", "method_type": "us_bank_account"}, "soft", "", "consent_needed"),
        ({"intent_status": "requires_action"}, "needs_auth", "authentication_required", "authentication_required"),
        ({"intent_status": "requires_action", "outcome_type": "x"}, "needs_auth", "authentication_required", "authentication_required"),
        ({"outcome_type": "blocked", "outcome_reason": "highest_risk_level"}, "fraud", "highest_risk_level", "blocked"),
        ({"decline_code": "fraudulent"}, "fraud", "fraudulent", "fraud_code"),
        ({"decline_code": "stolen_card"}, "hard", "stolen_card", "hard_decline"),
        ({"decline_code": "insufficient_funds", "advice_code": "do_not_try_again"}, "soft", "insufficient_funds", "network_stop"),
        ({"decline_code": "never_heard_of"}, "soft", "never_heard_of", "unknown_code"),
        ({"decline_code": "generic_decline", "advice_code": "try_again_later"}, "soft", "generic_decline", "temporary"),
        ({"decline_code": "generic_decline", "advice_code": "do_not_try_again"}, "hard", "generic_decline", "network_stop"),
        ({"decline_code": "generic_decline"}, "hard", "generic_decline", "no_sign_of_temporary"),
        ({"network_status": "approved_by_network"}, "hard", "no_payment_method", "no_payment_method"),
    ],
)
def test_each_word_of_a_decline_says_something(words: dict[str, str], kind: str, code: str, because: str) -> None:
    """B17 to B27, stripe.md 1.2: first match wins; where Stripe lists no attempt and no word says anything, there was no method."""
    verdict = classify(Decline(**words), a.VISA, attempted=False)
    assert (verdict.kind, verdict.code, verdict.because) == (kind, code, because)


@pytest.mark.parametrize(("code", "hours"), [("card_velocity_exceeded", 24), ("insufficient_funds", 0)])
def test_a_merchants_own_class_keeps_the_codes_wait(code: str, hours: int) -> None:
    """B19."""
    verdict = classify(Decline(decline_code=code), a.MASTERCARD, {code: "soft"})
    assert (verdict.because, verdict.wait_hours, verdict.cap) == ("override", hours, 0)


def test_no_merchants_own_class_makes_a_lost_card_good() -> None:
    """B20."""
    verdict = classify(Decline(decline_code="lost_card"), a.VISA, {"lost_card": "soft"})
    assert (verdict.kind, verdict.retry_allowed, verdict.because) == ("soft", False, "never_without_new_method")


@pytest.mark.parametrize(("advice", "hours"), [("24", 1), ("30", 240), ("02", 0), ("", 0)])
@pytest.mark.parametrize("card", [a.MASTERCARD, a.VISA, None], ids=["mastercard", "visa", "unknown"])
def test_only_mastercards_advice_sets_a_wait(card: facts.Card | None, advice: str, hours: int) -> None:
    """B22, stripe.md 1.4."""
    verdict = classify(Decline(decline_code="insufficient_funds", network_advice_code=advice), card)
    assert verdict.wait_hours == (hours if card == a.MASTERCARD else 0)


def test_suspected_fraud_is_stronger_than_a_bank_that_wants_the_customer() -> None:
    """B17, B24."""
    story = Story()
    story.tell(a.a_failure())
    story.tell(a.a_fact_of(facts.PaymentActionRequired, 0.1, state=a.a_state()))
    story.tell(a.a_reading(story.reads()[-1].id, a.at(hours=0.2), a.FRAUD))
    assert (story.case().status, story.last("decline_classified").decline_kind) == ("blocked", "fraud")


@pytest.mark.parametrize("decline", [Decline(code="amount_too_small"), Decline(code="card_declined", outcome_type="invalid")])
def test_the_merchant_is_told_and_the_customer_keeps_the_subscription(decline: Decline) -> None:
    story = Story(a.an_account(a.a_policy(end=EndPolicy(action="cancel")))).opened(decline)
    told = story.last("case_abandoned")
    assert told.reason in {"merchant_error", "integration_error"}
    assert told.decline_code == decline.code
    story.days(60)
    assert not story.mails() + story.charges()
    assert not [effect for effect in story.effects if type(effect).__name__ == "SubscriptionEndRequested"]


def test_a_limit_of_the_merchants_is_tried_again_and_then_told_to_the_merchant_alone() -> None:
    story = Story().opened(Decline(code="charge_exceeds_source_limit"))
    for _ in range(4):
        story.days(4)
        if story.case().active and story.charges():
            story.charge_answered(decline=Decline(code="charge_exceeds_source_limit"))
    assert (len(story.charges()), len(story.mails())) == (3, 0)
    assert story.last("case_abandoned").reason == "merchant_error"
