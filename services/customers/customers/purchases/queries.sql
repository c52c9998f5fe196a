-- name: lock_customers
-- The lock of everything of a customer, in id order; waits. FOR NO KEY UPDATE, so that nothing else waits.
SELECT merchant_id, customer_id, status, time_zone
FROM customers
WHERE (merchant_id, customer_id) IN (
    SELECT w.m, w.c FROM unnest(:merchants::text[], :customers::text[]) AS w (m, c)
)
ORDER BY merchant_id, customer_id
FOR NO KEY UPDATE;

-- name: lock_customer$
-- The same for one customer; returns the zone, '' where it is the store's.
SELECT time_zone FROM customers
WHERE merchant_id = :merchant_id AND customer_id = :customer_id
FOR NO KEY UPDATE;

-- name: lock_free_customers
-- As lock_customers, but leaves out the customers that somebody else has locked.
SELECT merchant_id, customer_id, status, time_zone
FROM customers
WHERE (merchant_id, customer_id) IN (
    SELECT w.m, w.c FROM unnest(:merchants::text[], :customers::text[]) AS w (m, c)
)
ORDER BY merchant_id, customer_id
FOR NO KEY UPDATE SKIP LOCKED;

-- name: existing_customers
-- Which of these exist; unlocked.
SELECT merchant_id, customer_id
FROM customers
WHERE (merchant_id, customer_id) IN (
    SELECT w.m, w.c FROM unnest(:merchants::text[], :customers::text[]) AS w (m, c)
);

-- name: recorded_purchases
-- The purchases recorded under these ids.
SELECT merchant_id, purchase_id, status, revision, fingerprint, body
FROM purchases
WHERE (merchant_id, purchase_id) IN (
    SELECT w.m, w.p FROM unnest(:merchants::text[], :purchases::uuid[]) AS w (m, p)
);

-- name: insert_purchases
-- Sales, in id order, so that two batches with one anonymous sale in common cannot wait for each other;
-- returns those that were not there yet.
INSERT INTO purchases (
    merchant_id, purchase_id, customer_id, store_id, receipt_number, origin, effective_at, received_at,
    total, total_left, fingerprint, body
)
SELECT w.m, w.p, w.c, w.store, w.receipt, w.origin, w.effective, w.received, w.total, w.total, w.print, w.body
FROM unnest(
    :merchants::text[], :purchases::uuid[], :customers::text[], :stores::text[], :receipts::text[],
    :origins::bytea[], :effective::timestamptz[], :received::timestamptz[], :totals::bigint[],
    :fingerprints::bytea[], :bodies::bytea[]
) AS w (m, p, c, store, receipt, origin, effective, received, total, print, body)
ORDER BY w.m, w.p
ON CONFLICT DO NOTHING
RETURNING merchant_id, purchase_id;

-- name: count_bought!
-- Add to customers' statistics; their rows are locked.
INSERT INTO customer_statistics AS s (
    merchant_id, customer_id, visits, spend, first_purchase_at, last_purchase_at
)
SELECT w.m, w.c, w.visits, w.spend, w.first_at, w.last_at
FROM unnest(
    :merchants::text[], :customers::text[], :visits::bigint[], :spend::bigint[], :first_at::timestamptz[],
    :last_at::timestamptz[]
) AS w (m, c, visits, spend, first_at, last_at)
ORDER BY w.m, w.c
ON CONFLICT (merchant_id, customer_id) DO UPDATE SET
visits = s.visits + excluded.visits,
spend = s.spend + excluded.spend,
first_purchase_at = least(s.first_purchase_at, excluded.first_purchase_at),
last_purchase_at = greatest(s.last_purchase_at, excluded.last_purchase_at);

-- name: insert_exceptions!
-- What staff should look at.
INSERT INTO purchase_exceptions (
    merchant_id, exception_id, purchase_id, reason, subject, store_id, noticed_at
)
SELECT w.m, w.e, w.p, w.reason, w.subject, w.store, w.noticed
FROM unnest(
    :merchants::text[], :exceptions::uuid[], :purchases::uuid[], :reasons::text[], :subjects::text[],
    :stores::text[], :noticed::timestamptz[]
) AS w (m, e, p, reason, subject, store, noticed)
ON CONFLICT DO NOTHING;

-- name: exceptions_by_id
-- These exceptions, as far as they exist.
SELECT merchant_id, exception_id, purchase_id, reason, subject
FROM purchase_exceptions
WHERE (merchant_id, exception_id) IN (
    SELECT w.m, w.e FROM unnest(:merchants::text[], :exceptions::uuid[]) AS w (m, e)
);

-- name: lock_exception^
-- One exception, locked: two resolutions at once are one after the other.
SELECT * FROM purchase_exceptions
WHERE merchant_id = :merchant_id AND exception_id = :exception_id::uuid
FOR NO KEY UPDATE;

-- name: resolve_exception!
-- Note how an exception was dealt with.
UPDATE purchase_exceptions
SET resolution = :resolution, resolved_by = :resolved_by, resolved_at = :now
WHERE merchant_id = :merchant_id AND exception_id = :exception_id::uuid;

-- name: open_exceptions
-- How many exceptions are open, by reason; of more than 100,000 the first ones.
SELECT reason, count(*) AS many
FROM (SELECT reason FROM purchase_exceptions WHERE resolved_at IS NULL LIMIT 100000) AS x
GROUP BY reason;

-- name: list_open_exceptions
-- A page of those that are not resolved, newest first.
SELECT * FROM purchase_exceptions
WHERE
    merchant_id = :merchant_id AND resolved_at IS NULL
    AND (:store_id::text = '' OR store_id = :store_id::text)
    AND (
        :before_at::timestamptz IS NULL
        OR (noticed_at, exception_id) < (:before_at::timestamptz, :before_id::uuid)
    )
ORDER BY noticed_at DESC, exception_id DESC
LIMIT :size;

-- name: list_all_exceptions
-- A page of all, newest first.
SELECT * FROM purchase_exceptions
WHERE
    merchant_id = :merchant_id
    AND (:store_id::text = '' OR store_id = :store_id::text)
    AND (
        :before_at::timestamptz IS NULL
        OR (noticed_at, exception_id) < (:before_at::timestamptz, :before_id::uuid)
    )
ORDER BY noticed_at DESC, exception_id DESC
LIMIT :size;

-- name: purchase^
-- One purchase.
SELECT * FROM purchases WHERE merchant_id = :merchant_id AND purchase_id = :purchase_id::uuid;

-- name: purchase_of^
-- Whose purchase it is: never changes, so it may be read before the lock.
SELECT customer_id FROM purchases WHERE merchant_id = :merchant_id AND purchase_id = :purchase_id::uuid;

-- name: lock_purchase!
-- The lock of an anonymous sale.
SELECT 1 FROM purchases
WHERE merchant_id = :merchant_id AND purchase_id = :purchase_id::uuid
FOR NO KEY UPDATE;

-- name: returns_of
-- The returns of a purchase, oldest first.
SELECT return_id, revision, receipt_number, origin, total_left, body
FROM purchase_returns
WHERE merchant_id = :merchant_id AND purchase_id = :purchase_id::uuid
ORDER BY revision;

-- name: recorded_return^
-- A return by its id.
SELECT purchase_id, receipt_number, origin, total_left, fingerprint, body
FROM purchase_returns
WHERE merchant_id = :merchant_id AND return_id = :return_id::uuid;

-- name: insert_return^
-- A return; nothing comes back where the id is taken.
INSERT INTO purchase_returns (
    merchant_id, return_id, purchase_id, revision, receipt_number, origin, received_at, total, total_left,
    fingerprint, body
)
VALUES (
    :merchant_id, :return_id::uuid, :purchase_id::uuid, :revision, :receipt_number, :origin, :received_at,
    :total, :total_left, :fingerprint, :body
)
ON CONFLICT (merchant_id, return_id) DO NOTHING
RETURNING return_id;

-- name: mark_returned!
-- What is left of a purchase now.
UPDATE purchases
SET total_left = :total_left, status = :status, revision = :revision
WHERE merchant_id = :merchant_id AND purchase_id = :purchase_id::uuid;

-- name: uncount_bought!
-- Take a return off the customer's statistics; the row in customers is locked.
UPDATE customer_statistics
SET spend = spend - :total
WHERE merchant_id = :merchant_id AND customer_id = :customer_id;

-- name: uncount_visit!
-- A purchase of which nothing is left is no visit: also the first and the last purchase may be others now.
UPDATE customer_statistics
SET
    visits = visits - 1,
    first_purchase_at = p.first_at,
    last_purchase_at = p.last_at
FROM (
    SELECT min(effective_at) AS first_at, max(effective_at) AS last_at
    FROM purchases
    WHERE merchant_id = :merchant_id AND customer_id = :customer_id AND customer_id <> '' AND total_left > 0
) AS p
WHERE merchant_id = :merchant_id AND customer_id = :customer_id;

-- name: list_by_customer
-- A page of a customer's purchases, newest first.
SELECT * FROM purchases
WHERE
    merchant_id = :merchant_id AND customer_id = :customer_id AND customer_id <> ''
    AND (:receipt::text = '' OR receipt_number = :receipt::text)
    AND (:store_id::text = '' OR store_id = :store_id::text)
    AND effective_at >= :from_time AND effective_at < :to_time
    AND (effective_at, purchase_id) < (:before_at, :before_id::uuid)
ORDER BY effective_at DESC, purchase_id DESC
LIMIT :size;

-- name: list_by_receipt
-- A page of the purchases with a receipt number, newest first.
SELECT * FROM purchases
WHERE
    merchant_id = :merchant_id AND receipt_number = :receipt::text AND receipt_number <> ''
    AND (:store_id::text = '' OR store_id = :store_id::text)
    AND effective_at >= :from_time AND effective_at < :to_time
    AND (effective_at, purchase_id) < (:before_at, :before_id::uuid)
ORDER BY effective_at DESC, purchase_id DESC
LIMIT :size;

-- name: list_by_store
-- A page of a store's purchases, newest first.
SELECT * FROM purchases
WHERE
    merchant_id = :merchant_id AND store_id = :store_id::text
    AND effective_at >= :from_time AND effective_at < :to_time
    AND (effective_at, purchase_id) < (:before_at, :before_id::uuid)
ORDER BY effective_at DESC, purchase_id DESC
LIMIT :size;

-- name: list_by_time
-- A page of the merchant's purchases, newest first.
SELECT * FROM purchases
WHERE
    merchant_id = :merchant_id
    AND effective_at >= :from_time AND effective_at < :to_time
    AND (effective_at, purchase_id) < (:before_at, :before_id::uuid)
ORDER BY effective_at DESC, purchase_id DESC
LIMIT :size;
