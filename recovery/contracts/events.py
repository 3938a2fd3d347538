"""What happened, for everyone outside: the public, versioned stream, one shape for all types."""

from typing import Literal, get_args

import msgspec

from recovery.vocabulary import Moment

EventType = Literal[
    # the five that the product's pages name
    "payment_failed",  # a case was opened
    "retry_attempted",  # an attempt of ours was made; `result` succeeded, declined, needs_action or processing
    "dunning_scheduled",
    "dunning_sent",
    "payment_recovered",
    # the rest, same form
    "attempt_failed_again",  # a further failure of an invoice whose case is open
    "failure_ignored",  # a failure that opens no case (B11 to B14), `reason` says why
    "decline_classified",
    "read_requested",
    "read_failed",
    "retry_scheduled",
    "retry_requested",
    "retry_skipped",  # a retry that was not made, `reason` says why
    "retry_recommended",  # observe mode: what we would have done
    "dunning_requested",
    "dunning_skipped",  # a message that was not sent, `reason` says why
    "effect_withdrawn",
    "case_blocked",
    "case_abandoned",
    "case_closed",
    "case_updated",  # the case changed without a new step (amounts, Stripe's next attempt, new card)
    "partial_payment",  # a part of what is owed came; `recovered_minor` is that part
    "transactional_mail_scheduled",
    "transactional_mail_requested",  # a message that is no reminder: payment received, subscription ended, card expiring
    "transactional_mail_sent",
    "transactional_mail_skipped",  # `reason` says why
    "end_action_requested",  # the merchant's end action was asked for (B73)
    "end_action_performed",
    "end_action_skipped",  # an end action that was not done, `reason` says why
    "contact_changed",  # the customer may be written to, or not, in another way than before (B53)
    "recovery_reversed",  # refund or dispute after recovery
    "retry_times_accepted",  # offered times are taken into the case's schedule
    "retry_times_refused",  # offered times that are not used, `reason` says why
    "command_accepted",  # somebody asked for something and it is done; `details` say who and why (B93)
    "command_refused",  # it is not done, `reason` says why
    "shadow_decision_differed",  # a draft of the policy would have decided otherwise; nothing of it is carried out
    "alert_sent",  # the merchant was told; `details` say by which medium and of what
    "alert_skipped",  # the merchant was not told, `reason` says why
    "webhook_delivered",  # an event reached the merchant's endpoint
    "webhook_delivery_failed",  # it did not, `reason` says why
    "message_opened",  # a mail's image was fetched, which proves nothing; `reason` says how a program was known (B81)
    "message_clicked",  # a link was followed, `reason` likewise
    "message_delivered",  # the provider says that a message arrived
    "message_undelivered",  # it did not, `reason` says why
    "message_received",  # somebody answered by SMS; `reason` is what they wanted
    "endpoint_disabled",  # nothing is delivered to the endpoint any more, `reason` says why
    "policy_applied",
    "pause_set",
    "webhook_ignored",
    "webhook_parked",
    "parked_replayed",  # somebody put a message back that had been set aside; `details` say who, and which
    "fact_parked",  # a fact that made the stream fail; its bytes are on parked.streams
    "duplicate_fact_ignored",  # the same fact again; nothing was done
    "fact_had_no_effect",  # a fact that changed nothing
]
EVENT_TYPES: tuple[str, ...] = get_args(EventType)
"""Every event type, in the order of the documentation."""

OUTCOME_TYPES: frozenset[str] = frozenset({"payment_recovered", "case_abandoned", "case_closed", "case_blocked", "recovery_reversed"})
"""The endings, which also travel on `recovery.outcomes`."""


class Event(msgspec.Struct, kw_only=True):
    """One thing that happened. `id` names the place of its cause in `facts`; `sequence` orders the events of one invoice (1, 2, 3...).

    Amounts are minor units of `currency`: `amount_minor` is what was at stake when it happened, parts that had come included,
    `recovered_minor` what came back with this event. `occurred_at` and `next_action_at` are business time, `received_at` is the wall time
    of its cause's arrival.
    """

    id: str = ""
    event_type: EventType
    version: int = 1
    account: str
    customer: str = ""
    invoice: str = ""
    subscription: str = ""
    sequence: int = 0
    occurred_at: Moment
    received_at: Moment
    cause: str = ""
    cause_type: str = ""
    trace: str = ""
    policy_version: int = 0
    reason: str = ""
    status: str = ""
    next_action: str = ""
    next_action_at: Moment | None = None
    retry_count: int = 0
    dunning_step: int = 0
    amount_minor: int = 0
    recovered_minor: int = 0
    currency: str = ""
    decline_kind: str = ""
    decline_code: str = ""
    result: str = ""
    recovered_by: str = ""
    effect: str = ""
    details: dict[str, str] = {}
