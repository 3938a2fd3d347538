"""Names and columns of the ClickHouse tables and views: the only thing that a reader of analytics knows."""

DATABASE = "dunlin"
"""What people may read."""
INTERNAL = "dunlin_internal"
"""Materialized views and bookkeeping; never granted."""

EVENTS_TABLE = "events"
ACCOUNT_TABLES = (EVENTS_TABLE, "case_state")
"""Every table with rows of accounts; who may read one account only is limited in each of them."""
EVENT_COLUMNS: tuple[str, ...] = (
    "account",
    "occurred_at",
    "event_type",
    "event_id",
    "schema_version",
    "customer",
    "invoice",
    "subscription",
    "sequence",
    "received_at",
    "cause",
    "cause_type",
    "trace",
    "policy_version",
    "reason",
    "status",
    "next_action",
    "next_action_at",
    "retry_count",
    "dunning_step",
    "amount_minor",
    "recovered_minor",
    "currency",
    "decline_kind",
    "decline_code",
    "result",
    "recovered_by",
    "effect",
    "details",
    "src_topic",
    "src_partition",
    "src_offset",
)
"""Columns of `dunlin.events` that the sink writes, in order; `inserted_at` DateTime64(3) is added by the database."""

CASES_VIEW = "cases"
CASE_COLUMNS: tuple[str, ...] = (
    "account",
    "invoice",
    "customer",
    "subscription",
    "currency",
    "amount_minor",
    "recovered_minor",
    "status",
    "reason",
    "decline_kind",
    "decline_code",
    "retry_count",
    "dunning_step",
    "next_action",
    "next_action_at",
    "recovered_by",
    "opened_at",
    "last_event_at",
    "recovered_at",
    "last_sequence",
    "reversed_minor",
    "first_decline_kind",
    "first_decline_code",
)
"""Columns of the view `dunlin.cases`: one row per failure (a case opened), its present state by the highest sequence."""

DAILY_VIEW = "recovery_daily"
DAILY_COLUMNS: tuple[str, ...] = (
    "account",
    "day",
    "currency",
    "failed_n",
    "failed_minor",
    "recovered_n",
    "recovered_minor",
    "reversed_n",
    "reversed_minor",
)
"""Columns of the view `dunlin.recovery_daily`: failures by the day they opened, recoveries by the day the money came."""

DECLINES_VIEW = "declines"
DECLINE_COLUMNS: tuple[str, ...] = (
    "account",
    "currency",
    "decline_kind",
    "decline_code",
    "failed_n",
    "failed_minor",
    "recovered_n",
    "recovered_minor",
)
"""Columns of the view `dunlin.declines`: failures by first decline kind and code."""

LATENCY_VIEW = "latency"
LATENCY_COLUMNS: tuple[str, ...] = ("minute", "events", "p50_ms", "p99_ms")
"""Columns of the view `dunlin.latency`: wall time from a webhook's acceptance to its row, per minute."""

TIMELINE_VIEW = "case_timeline"
TIMELINE_COLUMNS: tuple[str, ...] = (
    "account",
    "invoice",
    "sequence",
    "occurred_at",
    "event_type",
    "reason",
    "status",
    "next_action",
    "next_action_at",
    "retry_count",
    "dunning_step",
    "amount_minor",
    "recovered_minor",
    "currency",
    "decline_kind",
    "decline_code",
    "result",
    "recovered_by",
    "cause_type",
    "policy_version",
    "details",
)
"""Columns of the view `dunlin.case_timeline`: the story of each invoice, in order."""

WHY_NOT_VIEW = "why_not"
WHY_NOT_COLUMNS: tuple[str, ...] = (
    "account",
    "occurred_at",
    "not_done",
    "reason",
    "customer",
    "invoice",
    "currency",
    "amount_minor",
    "status",
    "policy_version",
    "event_type",
    "event_id",
)
"""Columns of the view `dunlin.why_not`: every retry or message that was not made, with its reason."""

MONEY_VIEW = "money"
MONEY_COLUMNS: tuple[str, ...] = ("account", "currency", "opened_on", "cause", "cases", "minor")
"""Columns of the view `dunlin.money`: each failed unit of money is in exactly one part; per currency and day they sum up."""

DUNNING_VIEW = "dunning"
DUNNING_COLUMNS: tuple[str, ...] = (
    "account",
    "effect",
    "customer",
    "invoice",
    "kind",
    "step",
    "result",
    "reason",
    "sent_at",
    "delivery",
    "delivery_reason",
    "opened_at",
    "opens",
    "clicked_at",
    "clicks",
    "machine_opens",
    "machine_clicks",
)
"""Columns of the view `dunlin.dunning`: what became of every message to a payer; what programs did is counted apart (B81)."""

WEBHOOK_DELIVERIES_VIEW = "webhook_deliveries"
WEBHOOK_DELIVERY_COLUMNS: tuple[str, ...] = (
    "account",
    "endpoint",
    "effect",
    "event",
    "delivered_type",
    "customer",
    "result",
    "reason",
    "tries",
    "status",
    "settled_at",
)
"""Columns of the view `dunlin.webhook_deliveries`: the delivery of each event to each endpoint."""

VIEWS: dict[str, tuple[str, ...]] = {
    CASES_VIEW: CASE_COLUMNS,
    DAILY_VIEW: DAILY_COLUMNS,
    DECLINES_VIEW: DECLINE_COLUMNS,
    LATENCY_VIEW: LATENCY_COLUMNS,
    TIMELINE_VIEW: TIMELINE_COLUMNS,
    WHY_NOT_VIEW: WHY_NOT_COLUMNS,
    MONEY_VIEW: MONEY_COLUMNS,
    DUNNING_VIEW: DUNNING_COLUMNS,
    WEBHOOK_DELIVERIES_VIEW: WEBHOOK_DELIVERY_COLUMNS,
}
"""Every view that people may read, with its columns in order."""
