-- What people read. Every view runs with the rights of its reader, and none asks for the present time.
CREATE OR REPLACE VIEW dunlin.cases (
    account String COMMENT 'Stripe account of the merchant',
    invoice String COMMENT 'Stripe invoice id',
    customer String COMMENT 'Stripe customer id',
    subscription String COMMENT 'Stripe subscription id',
    currency String COMMENT 'ISO 4217, lower case',
    amount_minor Int64 COMMENT 'amount at stake, minor units',
    recovered_minor Int64 COMMENT 'recovered less refunds and disputes, minor units',
    status String COMMENT 'retrying, dunning, action_required (active); blocked; recovered, abandoned, closed (ended)',
    reason String COMMENT 'why it has this status',
    decline_kind String COMMENT 'latest class: soft, hard, fraud or needs_auth',
    decline_code String COMMENT 'latest decline code of the provider',
    retry_count UInt32 COMMENT 'retries made by Dunlin',
    dunning_step UInt32 COMMENT 'mails sent',
    next_action String COMMENT 'what happens next, empty when nothing does',
    next_action_at Nullable(DateTime64(3, 'UTC')) COMMENT 'when, business time',
    recovered_by String COMMENT 'the one cause of the recovery, empty without one',
    opened_at DateTime64(3, 'UTC') COMMENT 'first failure, business time: the day of its cohort',
    last_event_at DateTime64(3, 'UTC') COMMENT 'latest event, business time',
    recovered_at Nullable(DateTime64(3, 'UTC')) COMMENT 'latest recovery, business time',
    last_sequence UInt64 COMMENT 'number of the latest event',
    reversed_minor Int64 COMMENT 'recovered first, then taken back by refunds and disputes, minor units',
    first_decline_kind String COMMENT 'class of the first decline',
    first_decline_code String COMMENT 'code of the first decline'
) SQL SECURITY INVOKER AS
SELECT
    account,
    invoice,
    known_who.1 AS customer,
    known_who.2 AS subscription,
    known_stake.2 AS currency,
    known_stake.1 AS amount_minor,
    total_recovered AS recovered_minor,
    known_standing.1 AS status,
    known_standing.2 AS reason,
    known_last_decline.1 AS decline_kind,
    known_last_decline.2 AS decline_code,
    known_standing.5 AS retry_count,
    known_standing.6 AS dunning_step,
    known_standing.3 AS next_action,
    known_standing.4 AS next_action_at,
    known_recovered_by AS recovered_by,
    assumeNotNull(first_opened) AS opened_at,
    latest_event AS last_event_at,
    latest_recovery AS recovered_at,
    highest AS last_sequence,
    total_reversed AS reversed_minor,
    known_first_decline.1 AS first_decline_kind,
    known_first_decline.2 AS first_decline_code
FROM (
    SELECT
        toString(s.account) AS account,
        s.invoice AS invoice,
        sum(s.opened_n) AS openings,
        min(s.opened_at) AS first_opened,
        max(s.last_event_at) AS latest_event,
        max(s.recovered_at) AS latest_recovery,
        sum(s.recovered_minor) AS total_recovered,
        sum(s.reversed_minor) AS total_reversed,
        max(s.last_sequence) AS highest,
        argMaxIfMerge(s.standing) AS known_standing,
        argMaxIfMerge(s.who) AS known_who,
        argMaxIfMerge(s.stake) AS known_stake,
        argMaxIfMerge(s.last_decline) AS known_last_decline,
        argMinIfMerge(s.first_decline) AS known_first_decline,
        argMaxIfMerge(s.recovered_by) AS known_recovered_by
    FROM dunlin.case_state AS s
    GROUP BY s.account, s.invoice
)
WHERE openings > 0
COMMENT 'One row per failure (a case opened) with its present state';

CREATE OR REPLACE VIEW dunlin.recovery_daily (
    account String COMMENT 'Stripe account of the merchant',
    day Date COMMENT 'UTC day, business time',
    currency String COMMENT 'ISO 4217, lower case',
    failed_n UInt64 COMMENT 'cases opened on the day',
    failed_minor Int128 COMMENT 'their amounts when opened, minor units',
    recovered_n UInt64 COMMENT 'recoveries on the day, whenever the case was opened',
    recovered_minor Int128 COMMENT 'the money that came on the day, parts of invoices included, minor units',
    reversed_n UInt64 COMMENT 'recoveries taken back on the day by refund or dispute',
    reversed_minor Int128 COMMENT 'their money, minor units, above zero'
) SQL SECURITY INVOKER AS
SELECT
    toString(e.account) AS account,
    toDate(e.occurred_at, 'UTC') AS day,
    toString(e.currency) AS currency,
    countIf(e.event_type = 'payment_failed') AS failed_n,
    sumIf(toInt128(e.amount_minor), e.event_type = 'payment_failed') AS failed_minor,
    countIf(e.event_type = 'payment_recovered') AS recovered_n,
    sumIf(toInt128(e.recovered_minor), e.event_type IN ('payment_recovered', 'partial_payment')) AS recovered_minor,
    countIf(e.event_type = 'recovery_reversed') AS reversed_n,
    sumIf(toInt128(abs(e.recovered_minor)), e.event_type = 'recovery_reversed') AS reversed_minor
FROM dunlin.events AS e
WHERE e.event_type IN ('payment_failed', 'payment_recovered', 'partial_payment', 'recovery_reversed')
GROUP BY account, day, currency
COMMENT 'Failures by the day they opened, recoveries by the day the money came; for a rate use cases, by opened_at';

CREATE OR REPLACE VIEW dunlin.declines (
    account String COMMENT 'Stripe account of the merchant',
    currency String COMMENT 'ISO 4217, lower case',
    decline_kind String COMMENT 'class of the first decline, empty when not yet classified',
    decline_code String COMMENT 'code of the first decline',
    failed_n UInt64 COMMENT 'failures',
    failed_minor Int128 COMMENT 'their amounts, minor units',
    recovered_n UInt64 COMMENT 'of these, recovered',
    recovered_minor Int128 COMMENT 'recovered less reversed, minor units'
) SQL SECURITY INVOKER AS
SELECT
    c.account AS account,
    c.currency AS currency,
    c.first_decline_kind AS decline_kind,
    c.first_decline_code AS decline_code,
    count() AS failed_n,
    sum(toInt128(c.amount_minor)) AS failed_minor,
    countIf(c.status = 'recovered') AS recovered_n,
    sum(toInt128(c.recovered_minor)) AS recovered_minor
FROM dunlin.cases AS c
GROUP BY account, currency, decline_kind, decline_code
COMMENT 'Failures by the class and code of their first decline';

CREATE OR REPLACE VIEW dunlin.latency (
    minute DateTime('UTC') COMMENT 'wall minute of acceptance',
    events UInt64 COMMENT 'rows that a webhook or another fact caused, the passing of time excepted',
    p50_ms Float64 COMMENT 'median milliseconds from acceptance to row',
    p99_ms Float64 COMMENT '99th percentile'
) SQL SECURITY INVOKER AS
SELECT
    toStartOfMinute(toDateTime(e.received_at, 'UTC')) AS minute,
    count() AS events,
    quantileExact(0.5)(dateDiff('millisecond', e.received_at, e.inserted_at)) AS p50_ms,
    quantileExact(0.99)(dateDiff('millisecond', e.received_at, e.inserted_at)) AS p99_ms
FROM dunlin.events AS e
WHERE e.cause_type != 'time_passed'
GROUP BY minute
ORDER BY minute
COMMENT 'Wall time from acceptance at the gateway to the row, per minute';

CREATE OR REPLACE VIEW dunlin.case_timeline (
    account String COMMENT 'Stripe account of the merchant',
    invoice String COMMENT 'Stripe invoice id',
    sequence UInt64 COMMENT '1, 2, 3... within the invoice',
    occurred_at DateTime64(3, 'UTC') COMMENT 'business time',
    event_type String COMMENT 'what happened',
    reason String COMMENT 'why',
    status String COMMENT 'status of the case afterwards',
    next_action String COMMENT 'what was to happen next',
    next_action_at Nullable(DateTime64(3, 'UTC')) COMMENT 'and when',
    retry_count UInt32 COMMENT 'retries made so far',
    dunning_step UInt32 COMMENT 'mails sent so far',
    amount_minor Int64 COMMENT 'amount at stake, minor units',
    recovered_minor Int64 COMMENT 'amount that came back, minor units',
    currency String COMMENT 'ISO 4217, lower case',
    decline_kind String COMMENT 'class of the decline',
    decline_code String COMMENT 'code of the decline',
    result String COMMENT 'result of an attempt',
    recovered_by String COMMENT 'cause of a recovery',
    cause_type String COMMENT 'type of the fact that caused it',
    policy_version UInt32 COMMENT 'version of the policy that decided',
    details Map(String, String) COMMENT 'further facts by name'
) SQL SECURITY INVOKER AS
SELECT
    account, invoice, sequence, occurred_at, event_type, reason, status, next_action, next_action_at, retry_count, dunning_step,
    amount_minor, recovered_minor, currency, decline_kind, decline_code, result, recovered_by, cause_type, policy_version, details
FROM dunlin.events
WHERE invoice != ''
ORDER BY account, invoice, sequence
COMMENT 'The story of each invoice, in order';

CREATE OR REPLACE VIEW dunlin.why_not (
    account String COMMENT 'Stripe account of the merchant',
    occurred_at DateTime64(3, 'UTC') COMMENT 'business time',
    not_done String COMMENT 'what was not done: retry, message, case (none was opened) or request (withdrawn before it was carried out)',
    reason String COMMENT 'why not',
    customer String COMMENT 'Stripe customer id',
    invoice String COMMENT 'Stripe invoice id',
    currency String COMMENT 'ISO 4217, lower case',
    amount_minor Int64 COMMENT 'amount at stake, minor units',
    status String COMMENT 'status of the case',
    policy_version UInt32 COMMENT 'version of the policy that decided',
    event_type String COMMENT 'type of the event',
    event_id String COMMENT 'id of the event'
) SQL SECURITY INVOKER AS
SELECT
    account, occurred_at,
    transform(toString(event_type),
        ['retry_skipped', 'retry_recommended', 'dunning_skipped', 'failure_ignored', 'effect_withdrawn'],
        ['retry', 'retry', 'message', 'case', 'request'], '') AS not_done,
    reason, customer, invoice, currency, amount_minor, status, policy_version, event_type, event_id
FROM dunlin.events
WHERE event_type IN ('retry_skipped', 'retry_recommended', 'dunning_skipped', 'failure_ignored', 'effect_withdrawn')
COMMENT 'Every retry or message that was not made, with its reason';

CREATE OR REPLACE VIEW dunlin.money (
    account String COMMENT 'Stripe account of the merchant',
    currency String COMMENT 'ISO 4217, lower case',
    opened_on Date COMMENT 'UTC day on which the failures were opened: the cohort',
    cause String COMMENT 'who brought it back (our_retry, stripe_retry, customer, ...), or reversed, open, written_off',
    cases UInt64 COMMENT 'failures with money in this part',
    minor Int128 COMMENT 'the money, minor units; the parts of a currency sum to its failed total'
) SQL SECURITY INVOKER AS
SELECT
    account,
    currency,
    opened_on,
    part.1 AS cause,
    count() AS cases,
    sum(part.2) AS minor
FROM (
    SELECT
        c.account AS account,
        c.currency AS currency,
        toDate(c.opened_at, 'UTC') AS opened_on,
        arrayJoin([
            (if(c.recovered_by = '', 'unknown', c.recovered_by), toInt128(c.recovered_minor)),
            ('reversed', toInt128(c.reversed_minor)),
            (
                if(c.status IN ('recovered', 'abandoned', 'closed'), 'written_off', 'open'),
                greatest(toInt128(c.amount_minor) - c.recovered_minor - c.reversed_minor, 0)
            )
        ]) AS part
    FROM dunlin.cases AS c
)
WHERE part.2 != 0
GROUP BY account, currency, opened_on, cause
COMMENT 'Every failed unit of money in exactly one part, per currency and day of failure';
