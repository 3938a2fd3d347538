-- What became of every event that a merchant's endpoint was to be told: one row for each delivery, however often it was told.
CREATE OR REPLACE VIEW dunlin.webhook_deliveries (
    account String COMMENT 'Stripe account of the merchant',
    endpoint String COMMENT 'name of the endpoint in the tenants file',
    effect String COMMENT 'id of the request to deliver: one row for each',
    event String COMMENT 'id of the delivered event, as in dunlin.events',
    delivered_type String COMMENT 'type of that event',
    customer String COMMENT 'Stripe customer id',
    result String COMMENT 'delivered or undelivered',
    reason String COMMENT 'why it was not delivered: not_delivered, expired, endpoint_disabled, no_endpoint',
    tries UInt32 COMMENT 'how often it was sent, replays by hand left out',
    status UInt32 COMMENT 'the last HTTP status, 0 when no answer came',
    settled_at DateTime64(3, 'UTC') COMMENT 'when that was known, business time'
) SQL SECURITY INVOKER AS
SELECT
    toString(e.account) AS account,
    any(e.details['endpoint']) AS endpoint,
    e.effect AS effect,
    any(e.details['event']) AS event,
    any(e.details['event_type']) AS delivered_type,
    any(e.customer) AS customer,
    if(countIf(e.event_type = 'webhook_delivered') > 0, 'delivered', 'undelivered') AS result,
    if(result = 'delivered', '', anyLast(toString(e.reason))) AS reason,
    max(toUInt32OrZero(e.details['tries'])) AS tries,
    argMax(toUInt32OrZero(e.details['status']), e.occurred_at) AS status,
    max(e.occurred_at) AS settled_at
FROM dunlin.events AS e
WHERE e.event_type IN ('webhook_delivered', 'webhook_delivery_failed')
GROUP BY e.account, e.effect
COMMENT 'The delivery of each event to each endpoint of a merchant';
