-- Every event once. Times are UTC; amounts are minor units of `currency` and never summed across currencies.
CREATE TABLE IF NOT EXISTS dunlin.events (
    account LowCardinality(String) COMMENT 'Stripe account of the merchant',
    occurred_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'business time at which it happened',
    event_type LowCardinality(String) COMMENT 'what happened: payment_failed, retry_attempted, dunning_sent, payment_recovered, ...',
    event_id String CODEC(ZSTD(1)) COMMENT 'id of the event: the place of its cause in facts; a replay gives the same id',
    schema_version UInt16 COMMENT 'version of the event contract',
    customer String CODEC(ZSTD(1)) COMMENT 'Stripe customer id; names and addresses are never here',
    invoice String CODEC(ZSTD(1)) COMMENT 'Stripe invoice id, empty when the event concerns no invoice',
    subscription String CODEC(ZSTD(1)) COMMENT 'Stripe subscription id',
    sequence UInt64 CODEC(T64, ZSTD(1)) COMMENT '1, 2, 3... within an invoice: the order that counts',
    received_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'wall time at which the cause entered',
    cause String CODEC(ZSTD(1)) COMMENT 'id of the fact that caused it',
    cause_type LowCardinality(String) COMMENT 'type of that fact',
    trace String CODEC(ZSTD(1)) COMMENT 'ties together what one request caused',
    policy_version UInt32 COMMENT 'version of the policy that decided, 0 without one',
    reason LowCardinality(String) COMMENT 'why it happened, or why it was not done',
    status LowCardinality(String) COMMENT 'status of the case after the event, empty when it concerns no case',
    next_action LowCardinality(String) COMMENT 'what happens next in the case',
    next_action_at Nullable(DateTime64(3, 'UTC')) COMMENT 'business time of the next action',
    retry_count UInt32 COMMENT 'retries made in the case so far',
    dunning_step UInt32 COMMENT 'mails sent in the case so far',
    amount_minor Int64 CODEC(T64, ZSTD(1)) COMMENT 'amount at stake, minor units',
    recovered_minor Int64 CODEC(T64, ZSTD(1)) COMMENT 'amount that came back with this event, minor units',
    currency LowCardinality(String) COMMENT 'ISO 4217, lower case',
    decline_kind LowCardinality(String) COMMENT 'soft, hard, fraud or needs_auth',
    decline_code LowCardinality(String) COMMENT 'decline code of the provider',
    result LowCardinality(String) COMMENT 'result of an attempt: succeeded, declined, needs_action or processing',
    recovered_by LowCardinality(String) COMMENT 'the one cause of a recovery: our_retry, stripe_retry, customer, ...',
    effect String CODEC(ZSTD(1)) COMMENT 'id of the request to the world that it concerns',
    details Map(LowCardinality(String), String) COMMENT 'further facts by name',
    src_topic LowCardinality(String) COMMENT 'Kafka topic it was read from',
    src_partition UInt16 COMMENT 'Kafka partition',
    src_offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'Kafka offset; (topic, partition, offset) is unique',
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1)) COMMENT 'wall time of the insert',
    INDEX ix_event event_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX ix_invoice invoice TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX ix_customer customer TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX ix_offset src_offset TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (account, event_type, occurred_at, event_id)
TTL toDateTime(occurred_at) + INTERVAL 800 DAY DELETE
SETTINGS non_replicated_deduplication_window = 20000, ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Everything that happened, one row per event, each exactly once';

-- The present state of each invoice, kept by the view below. Only events with a status say where a case stands.
CREATE TABLE IF NOT EXISTS dunlin.case_state (
    account LowCardinality(String) COMMENT 'Stripe account of the merchant',
    invoice String COMMENT 'Stripe invoice id',
    opened_n SimpleAggregateFunction(sum, UInt64) COMMENT 'times a case was opened; 0: the invoice is no failure',
    opened_at SimpleAggregateFunction(min, Nullable(DateTime64(3, 'UTC'))) COMMENT 'first opening, business time',
    last_event_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')) COMMENT 'latest event, business time',
    recovered_at SimpleAggregateFunction(max, Nullable(DateTime64(3, 'UTC'))) COMMENT 'latest recovery, business time',
    recovered_minor SimpleAggregateFunction(sum, Int64) COMMENT 'recovered less reversed, minor units',
    reversed_minor SimpleAggregateFunction(sum, Int64) COMMENT 'taken back by refunds and disputes, minor units',
    last_sequence SimpleAggregateFunction(max, UInt64) COMMENT 'highest sequence seen',
    standing AggregateFunction(argMaxIf, Tuple(String, String, String, Nullable(DateTime64(3, 'UTC')), UInt32, UInt32), UInt64, UInt8)
        COMMENT 'status, reason, next action, its time, retries, mails of the latest event with a status',
    who AggregateFunction(argMaxIf, Tuple(String, String), UInt64, UInt8) COMMENT 'customer and subscription, latest known',
    stake AggregateFunction(argMaxIf, Tuple(Int64, String), UInt64, UInt8) COMMENT 'amount and currency, latest above zero',
    last_decline AggregateFunction(argMaxIf, Tuple(String, String), UInt64, UInt8) COMMENT 'latest decline kind and code',
    first_decline AggregateFunction(argMinIf, Tuple(String, String), UInt64, UInt8) COMMENT 'first decline kind and code',
    recovered_by AggregateFunction(argMaxIf, String, UInt64, UInt8) COMMENT 'cause of the latest recovery'
)
ENGINE = AggregatingMergeTree
ORDER BY (account, invoice)
SETTINGS non_replicated_deduplication_window = 20000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Present state of each invoice as aggregate states; read it through the view cases';

CREATE MATERIALIZED VIEW IF NOT EXISTS dunlin_internal.case_state_mv TO dunlin.case_state AS
SELECT
    account,
    invoice,
    countIf(event_type = 'payment_failed') AS opened_n,
    minIf(toNullable(e.occurred_at), event_type = 'payment_failed') AS opened_at,
    max(e.occurred_at) AS last_event_at,
    maxIf(toNullable(e.occurred_at), event_type = 'payment_recovered') AS recovered_at,
    sum(multiIf(event_type IN ('payment_recovered', 'partial_payment'), e.recovered_minor, event_type = 'recovery_reversed', -abs(e.recovered_minor), 0)) AS recovered_minor,
    sumIf(abs(e.recovered_minor), event_type = 'recovery_reversed') AS reversed_minor,
    max(e.sequence) AS last_sequence,
    argMaxIfState(tuple(toString(e.status), toString(e.reason), toString(e.next_action), e.next_action_at, e.retry_count, e.dunning_step), e.sequence, e.status != '') AS standing,
    argMaxIfState(tuple(e.customer, e.subscription), e.sequence, e.customer != '') AS who,
    argMaxIfState(tuple(e.amount_minor, toString(e.currency)), e.sequence, e.status != '' AND e.amount_minor > 0) AS stake,
    argMaxIfState(tuple(toString(e.decline_kind), toString(e.decline_code)), e.sequence, e.decline_kind != '') AS last_decline,
    argMinIfState(tuple(toString(e.decline_kind), toString(e.decline_code)), e.sequence, e.decline_kind != '') AS first_decline,
    argMaxIfState(toString(e.recovered_by), e.sequence, e.event_type = 'payment_recovered') AS recovered_by
FROM dunlin.events AS e
WHERE invoice != ''
GROUP BY account, invoice
COMMENT 'Keeps dunlin.case_state';
