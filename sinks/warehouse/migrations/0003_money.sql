-- The parts of an invoice's money each under its own cause: what came in parts was shown under the last cause alone.
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
    cause,
    count() AS cases,
    sum(of_case) AS minor
FROM (
    SELECT
        account,
        currency,
        opened_on,
        invoice,
        part.1 AS cause,
        sum(part.2) AS of_case
    FROM (
        SELECT
            c.account AS account,
            c.currency AS currency,
            c.invoice AS invoice,
            toDate(c.opened_at, 'UTC') AS opened_on,
            if(c.recovered_by = '', 'unknown', c.recovered_by) AS latest,
            -- what came and went before a failure that opened the case anew is part of that failure's money again
            arrayFilter(t -> t.1 > m.opened, m.told) AS told,
            arraySum(arrayMap(t -> t.3, told)) AS came,
            -arraySum(arrayMap(t -> least(t.3, toInt128(0)), told)) AS went_back,
            arrayJoin(arrayConcat(
                arrayMap(t -> (if(t.2 = '', latest, t.2), t.3), told),
                [
                    ('reversed', went_back),
                    (
                        if(c.status IN ('recovered', 'abandoned', 'closed'), 'written_off', 'open'),
                        greatest(toInt128(c.amount_minor) - came - went_back, toInt128(0))
                    )
                ]
            )) AS part
        FROM dunlin.cases AS c
        LEFT JOIN (
            SELECT
                toString(e.account) AS account,
                e.invoice AS invoice,
                maxIf(e.sequence, e.event_type = 'payment_failed') AS opened,
                groupArrayIf(
                    (
                        e.sequence,
                        toString(e.recovered_by),
                        if(e.event_type = 'recovery_reversed', -abs(toInt128(e.recovered_minor)), toInt128(e.recovered_minor))
                    ),
                    e.event_type != 'payment_failed'
                ) AS told
            FROM dunlin.events AS e
            WHERE e.event_type IN ('payment_failed', 'partial_payment', 'payment_recovered', 'recovery_reversed') AND e.invoice != ''
            GROUP BY account, invoice
        ) AS m ON m.account = c.account AND m.invoice = c.invoice
    )
    GROUP BY account, currency, opened_on, invoice, cause
)
WHERE of_case != 0
GROUP BY account, currency, opened_on, cause
COMMENT 'Every failed unit of money in exactly one part, per currency and day of failure';
