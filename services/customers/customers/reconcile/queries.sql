-- name: received
-- A page of what was received in a span: sales, and the sales of returns, each page by time.
SELECT p.merchant_id, p.purchase_id, p.customer_id, p.received_at, p.body FROM purchases AS p
WHERE (p.received_at, p.purchase_id) > (:after_at, :after_id::uuid) AND p.received_at < :to_time
ORDER BY p.received_at, p.purchase_id
LIMIT :size;

-- name: returned
-- A page of returns that were received in a span and whose sale was received before it, with the sale.
SELECT
    r.merchant_id, r.purchase_id, p.customer_id, r.received_at, r.revision, p.body, p.received_at AS sold_at
FROM purchase_returns AS r
INNER JOIN purchases AS p ON p.merchant_id = r.merchant_id AND p.purchase_id = r.purchase_id
WHERE
    (r.received_at, r.purchase_id, r.revision) > (:after_at, :after_id::uuid, :after_revision)
    AND r.received_at < :to_time
ORDER BY r.received_at, r.purchase_id, r.revision
LIMIT :size;

-- name: returns_of
-- The returns of sales that were received before the end of the span.
SELECT r.merchant_id, r.purchase_id, r.body
FROM unnest(:merchants::text[], :purchases::uuid[]) AS w (merchant_id, purchase_id)
INNER JOIN purchase_returns AS r ON r.merchant_id = w.merchant_id AND r.purchase_id = w.purchase_id
WHERE r.received_at < :to_time
ORDER BY r.merchant_id, r.purchase_id, r.revision;
