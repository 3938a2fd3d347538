"""What events, reasons and statuses are called on pages. An unknown word is shown as it is, without underscores."""

STATUSES: dict[str, str] = {
    "retrying": "Retrying",
    "dunning": "Writing to customer",
    "action_required": "Customer must act",
    "blocked": "Blocked",
    "recovered": "Recovered",
    "abandoned": "Given up",
    "closed": "Closed",
}
KINDS: dict[str, str] = {"soft": "Soft", "hard": "Hard", "fraud": "Fraud", "needs_auth": "Needs authentication", "": "Not yet classified"}
EVENTS: dict[str, str] = {
    "payment_failed": "Payment failed",
    "retry_attempted": "Retry attempted",
    "dunning_scheduled": "Mail scheduled",
    "dunning_sent": "Mail sent",
    "payment_recovered": "Payment recovered",
    "failure_repeated": "Failed again",
    "failure_ignored": "Failure without a case",
    "decline_classified": "Decline classified",
    "read_requested": "Asked Stripe for details",
    "read_failed": "Stripe gave no details",
    "retry_scheduled": "Retry scheduled",
    "retry_requested": "Retry started",
    "retry_skipped": "Retry not made",
    "retry_recommended": "Retry recommended (observing only)",
    "dunning_requested": "Mail being sent",
    "dunning_skipped": "Mail not sent",
    "effect_withdrawn": "Request withdrawn",
    "case_blocked": "Blocked",
    "case_abandoned": "Given up",
    "case_closed": "Closed",
    "case_updated": "Case updated",
    "recovery_reversed": "Recovery taken back",
    "policy_applied": "Policy applied",
    "switch_set": "Switch set",
    "webhook_ignored": "Webhook ignored",
    "webhook_parked": "Webhook set aside",
    "fact_parked": "Message set aside",
    "fact_repeated": "Message repeated",
    "fact_noted": "Noted",
}
CAUSES: dict[str, str] = {
    "our_retry": "Our retry",
    "stripe_retry": "Stripe's retry",
    "customer": "The customer paid",
    "account_updater": "Card updated by the network",
    "external": "Paid outside Stripe",
    "by_hand": "By hand",
    "unknown": "Cause unknown",
    "open": "Still open",
    "reversed": "Refunded or disputed",
    "written_off": "Not recovered",
}
NEXT: dict[str, str] = {
    "": "Nothing planned",
    "read": "Ask Stripe for details",
    "retry": "Retry the payment",
    "dunning": "Write to the customer",
    "abandon": "Give up",
    "await_read": "Waiting for Stripe's details",
    "await_charge": "Retry under way",
    "await_message": "Mail under way",
}
REASONS: dict[str, str] = {
    "retries_exhausted": "all retries of the policy are used",
    "window_over": "the time window of the policy is over",
    "card_budget": "the card network allows no further attempt now",
    "invoice_budget": "this invoice had all the attempts it may have",
    "card_barred": "this card must not be tried again",
    "stripe_attempt_near": "Stripe tries by itself soon",
    "new_method": "the customer has a new payment method",
    "not_classified": "the decline is not classified yet",
    "disabled": "switched off in the policy",
    "unknown_code": "the decline code is not known",
    "already_paid": "it was paid already",
    "observe": "this account is only observed",
    "insufficient_funds": "insufficient funds",
    "authentication_required": "the bank asks the customer to authenticate",
    "no_payment_method": "there is no payment method",
    "network_stop": "the card network said not to try again",
    "never_without_new_method": "only a new payment method can help",
    "our_retry": "our retry brought it back",
    "stripe_retry": "Stripe's own retry brought it back",
    "customer": "the customer paid",
    "account_updater": "the network had updated the card",
    "external": "it was paid outside Stripe",
    "credited": "it was settled by a credit",
    "customer_deleted": "the customer was deleted",
    "quiet_hours": "it is night at the customer's",
}
NOT_DONE: dict[str, str] = {"retry": "Retry", "message": "Mail", "case": "Case", "request": "Request"}


def say(words: dict[str, str], word: str) -> str:
    """The word as people read it."""
    return words.get(word) or word.replace("_", " ").capitalize()


def reason(word: str) -> str:
    """A reason within a sentence."""
    return REASONS.get(word) or word.replace("_", " ")


def sentence(word: str) -> str:
    """A reason that stands alone."""
    text = reason(word)
    return text[:1].upper() + text[1:]
