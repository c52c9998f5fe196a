-- name: purchases
-- A page of sales in the order in which they were received; '' for all merchants.
SELECT merchant_id, customer_id, purchase_id, received_at, body FROM purchases
WHERE
    (received_at, purchase_id) > (:after_at, :after_id::uuid) AND received_at < :to_time
    AND (:merchant_id = '' OR merchant_id = :merchant_id)
ORDER BY received_at, purchase_id
LIMIT :size;

-- name: returns
-- A page of returns in the order in which they were received, those of one sale by revision.
SELECT r.merchant_id, r.purchase_id, r.revision, r.received_at, r.body FROM purchase_returns AS r
WHERE
    (r.received_at, r.purchase_id, r.revision) > (:after_at, :after_id::uuid, :after_revision)
    AND r.received_at < :to_time AND (:merchant_id = '' OR r.merchant_id = :merchant_id)
ORDER BY r.received_at, r.purchase_id, r.revision
LIMIT :size;

-- name: erasures
-- A page of erasures in the order in which they were done.
SELECT merchant_id, customer_id, erased_at FROM erasures
WHERE
    (erased_at, merchant_id, customer_id) > (:after_at, :after_merchant, :after_customer)
    AND erased_at < :to_time AND (:merchant_id = '' OR merchant_id = :merchant_id)
ORDER BY erased_at, merchant_id, customer_id
LIMIT :size;
