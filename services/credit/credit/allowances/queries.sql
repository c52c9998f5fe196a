-- name: grant$
-- Write an allowance; no row: the id is taken.
INSERT INTO allowances (
    merchant_id, allowance_id, store_id, currency_code, minor_digits, time_zone, amount, customer_limit, valid_from,
    valid_until, fingerprint, staff_ref, granted_at
)
VALUES (
    :merchant_id, :allowance_id, :store_id, :currency_code, :minor_digits, :time_zone, :amount, :customer_limit,
    :valid_from, :valid_until, :fingerprint, :staff_ref, :granted_at
)
ON CONFLICT (merchant_id, allowance_id) DO NOTHING
RETURNING true;

-- name: lock
-- Lock the allowances that exist, in id order; the accounts of whatever takes from them are locked before.
SELECT a.merchant_id, a.allowance_id
FROM unnest(:merchants::text[], :allowance_ids::uuid[]) AS k (merchant_id, allowance_id)
JOIN allowances AS a ON a.merchant_id = k.merchant_id AND a.allowance_id = k.allowance_id
ORDER BY a.merchant_id, a.allowance_id
FOR NO KEY UPDATE OF a;

-- name: read
-- The allowances that exist, in no order.
SELECT a.*
FROM unnest(:merchants::text[], :allowance_ids::uuid[]) AS k (merchant_id, allowance_id)
JOIN allowances AS a ON a.merchant_id = k.merchant_id AND a.allowance_id = k.allowance_id;

-- name: page
-- A page of allowances, the latest to begin first.
SELECT *
FROM allowances
WHERE
    merchant_id = :merchant_id
    AND (:store_id::text = '' OR store_id = :store_id)
    AND (
        :valid_at::timestamptz IS NULL
        OR (valid_from <= :valid_at AND valid_until > :valid_at AND (ended_at IS NULL OR ended_at > :valid_at))
    )
    AND (valid_from, allowance_id) < (:before_at::timestamptz, :before_id::uuid)
ORDER BY valid_from DESC, allowance_id DESC
LIMIT :size;

-- name: find_end^
-- What a request id ended.
SELECT allowance_id, end_fingerprint
FROM allowances
WHERE merchant_id = :merchant_id AND end_request_id = :request_id;

-- name: end_early!
-- End a locked allowance before its time.
UPDATE allowances
SET ended_at = :at, ended_by = :staff_ref, end_request_id = :request_id, end_fingerprint = :fingerprint
WHERE merchant_id = :merchant_id AND allowance_id = :allowance_id;

-- name: taken
-- What customers have taken of locked allowances.
SELECT k.merchant_id, k.allowance_id, k.customer_id, sum(u.amount - u.excess)::bigint AS taken
FROM
    unnest(:merchants::text[], :allowance_ids::uuid[], :customers::text[])
    AS k (merchant_id, allowance_id, customer_id)
JOIN allowance_uses AS u
    ON u.merchant_id = k.merchant_id AND u.allowance_id = k.allowance_id AND u.customer_id = k.customer_id
    AND u.given_back_at IS NULL
GROUP BY k.merchant_id, k.allowance_id, k.customer_id;

-- name: find_uses
-- What these holds took, in no order.
SELECT u.*
FROM unnest(:merchants::text[], :use_ids::uuid[]) AS k (merchant_id, use_id)
JOIN allowance_uses AS u ON u.merchant_id = k.merchant_id AND u.kind = 'HOLD' AND u.use_id = k.use_id;

-- name: use!
-- Write uses of locked allowances and move what these cache of them.
WITH new AS (
    INSERT INTO allowance_uses (
        merchant_id, use_id, allowance_id, customer_id, kind, amount, excess, mark, used_at
    )
    SELECT v.*
    FROM unnest(
        :merchants::text[], :use_ids::uuid[], :allowance_ids::uuid[], :customers::text[], :kinds::text[],
        :amounts::bigint[], :excesses::bigint[], :marks::text[], :used_at::timestamptz[]
    ) AS v
    RETURNING merchant_id, allowance_id, amount, excess
),

sums AS (
    SELECT merchant_id, allowance_id, sum(amount - excess)::bigint AS used, sum(excess)::bigint AS excess
    FROM new
    GROUP BY merchant_id, allowance_id
)

UPDATE allowances AS a
SET used = a.used + s.used, excess = a.excess + s.excess
FROM sums AS s
WHERE a.merchant_id = s.merchant_id AND a.allowance_id = s.allowance_id;

-- name: give_back!
-- Give back, once, what a hold took of its allowance.
WITH given AS (
    UPDATE allowance_uses
    SET given_back_at = :at
    WHERE merchant_id = :merchant_id AND kind = 'HOLD' AND use_id = :use_id AND given_back_at IS NULL
    RETURNING allowance_id, amount, excess
)

UPDATE allowances AS a
SET used = a.used - (g.amount - g.excess), excess = a.excess - g.excess
FROM given AS g
WHERE a.merchant_id = :merchant_id AND a.allowance_id = g.allowance_id;

-- name: sold_under
-- Of each hold that was not known when a sale of the customer named it, the sale's invoice that was booked first.
SELECT DISTINCT ON (i.merchant_id, i.hold_id) i.*
FROM unnest(:merchants::text[], :hold_ids::uuid[], :customers::text[]) AS k (merchant_id, hold_id, customer_id)
JOIN invoices AS i
    ON i.merchant_id = k.merchant_id AND i.hold_id = k.hold_id AND i.customer_id = k.customer_id
    AND i.exception = 'UNAUTHORISED'
ORDER BY i.merchant_id, i.hold_id, i.number NULLS FIRST;
