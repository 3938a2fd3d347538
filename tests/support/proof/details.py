"""The names under which an event may tell further facts."""

# fmt: off
DETAILS = frozenset([
    "action", "advice_code", "also", "amount_before", "arm", "attempt", "charge", "charge_effect", "charged", "code", "command",
    "days_before", "decline_code", "dispute", "draft", "evidence", "experiment", "fee_currency", "fee_minor", "first_code",
    "free_at", "further", "in_force", "intent_status", "kind", "limit", "mail", "medium", "message", "method_type", "model_version",
    "network_advice_code", "network_decline_code", "network_status", "outcome_reason", "outcome_type", "payment_intent",
    "offer_request", "probability", "proof", "propensity", "renews_at", "request", "slot_propensity", "source", "step", "template",
    "test", "times", "until", "used", "webhook", "who", "why", "window_hours", "with", "would",
])
# fmt: on
