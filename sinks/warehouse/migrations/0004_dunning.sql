-- What became of every message to a payer. Openings are signs at most, and what programs did is counted apart (B81).
CREATE OR REPLACE VIEW dunlin.dunning (
    account String COMMENT 'Stripe account of the merchant',
    effect String COMMENT 'id of the request to write: one row for each',
    customer String COMMENT 'Stripe customer id',
    invoice String COMMENT 'Stripe invoice id of the first invoice it names, empty for a message about a card',
    kind String COMMENT 'message (a reminder by mail), sms (one by text) or notice (no reminder)',
    step UInt32 COMMENT 'step of the reminder, 0 for a notice',
    result String COMMENT 'sent or skipped',
    reason String COMMENT 'why it was skipped',
    sent_at Nullable(DateTime64(3, 'UTC')) COMMENT 'when it was handed over, business time',
    delivery String COMMENT 'what the other side said: delivered, undelivered, bounced, soft_bounce, complained; empty when nothing',
    delivery_reason String COMMENT 'why it did not arrive, in the provider''s code',
    opened_at Nullable(DateTime64(3, 'UTC')) COMMENT 'first opening that may have been a person; mail programs open by themselves',
    opens UInt64 COMMENT 'hours with such an opening',
    clicked_at Nullable(DateTime64(3, 'UTC')) COMMENT 'first click of a person',
    clicks UInt64 COMMENT 'hours with such a click',
    machine_opens UInt64 COMMENT 'openings by programs, left out above',
    machine_clicks UInt64 COMMENT 'clicks by programs, left out above'
) SQL SECURITY INVOKER AS
SELECT
    toString(e.account) AS account,
    e.effect AS effect,
    any(e.customer) AS customer,
    if(startsWith(splitByChar('.', e.effect)[-3], '~'), '', splitByChar('.', e.effect)[-3]) AS invoice,
    splitByChar('.', e.effect)[-2] AS kind,
    maxIf(toUInt32OrZero(e.details['step']), e.event_type IN ('dunning_sent', 'dunning_skipped')) AS step,
    if(countIf(e.event_type IN ('dunning_sent', 'transactional_mail_sent')) > 0, 'sent', 'skipped') AS result,
    if(result = 'sent', '', anyIf(toString(e.reason), e.event_type IN ('dunning_skipped', 'transactional_mail_skipped'))) AS reason,
    minIf(toNullable(e.occurred_at), e.event_type IN ('dunning_sent', 'transactional_mail_sent')) AS sent_at,
    multiIf(
        countIf(e.event_type = 'contact_changed' AND e.reason = 'complained') > 0, 'complained',
        countIf(e.event_type = 'contact_changed' AND e.reason IN ('bounced', 'first_contact_bounced', 'other_contact_bounced')) > 0, 'bounced',
        countIf(e.event_type = 'message_delivered') > 0, 'delivered',
        countIf(e.event_type = 'message_undelivered') > 0, 'undelivered',
        countIf(e.event_type = 'contact_changed' AND e.reason = 'soft_bounce') > 0, 'soft_bounce',
        ''
    ) AS delivery,
    anyIf(toString(e.reason), e.event_type = 'message_undelivered') AS delivery_reason,
    minIf(toNullable(e.occurred_at), e.event_type = 'message_opened' AND e.reason = '') AS opened_at,
    uniqExactIf(e.cause, e.event_type = 'message_opened' AND e.reason = '') AS opens,
    minIf(toNullable(e.occurred_at), e.event_type = 'message_clicked' AND e.reason = '') AS clicked_at,
    uniqExactIf(e.cause, e.event_type = 'message_clicked' AND e.reason = '') AS clicks,
    uniqExactIf(e.cause, e.event_type = 'message_opened' AND e.reason != '') AS machine_opens,
    uniqExactIf(e.cause, e.event_type = 'message_clicked' AND e.reason != '') AS machine_clicks
FROM dunlin.events AS e
WHERE e.effect != '' AND e.event_type IN (
    'dunning_sent', 'dunning_skipped', 'transactional_mail_sent', 'transactional_mail_skipped', 'message_opened', 'message_clicked',
    'message_delivered', 'message_undelivered', 'contact_changed'
)
GROUP BY e.account, e.effect
HAVING countIf(e.event_type IN ('dunning_sent', 'dunning_skipped', 'transactional_mail_sent', 'transactional_mail_skipped')) > 0
COMMENT 'What became of every message to a payer, with openings and clicks';
