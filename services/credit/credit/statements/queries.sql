-- name: sums^
-- What was owed, and the credit balance, before an instant and before another.
SELECT
    coalesce(sum(posted) FILTER (WHERE effective_at < :opens), 0)::bigint AS opening_posted,
    coalesce(sum(credit) FILTER (WHERE effective_at < :opens), 0)::bigint AS opening_credit,
    coalesce(sum(posted), 0)::bigint AS closing_posted,
    coalesce(sum(credit), 0)::bigint AS closing_credit
FROM entries
WHERE merchant_id = :merchant_id AND customer_id = :customer_id AND effective_at < :closes;

-- name: lines
-- A page of the entries of a period, newest first, each with the balances after it.
SELECT *
FROM (
    SELECT
        entry_id, cause_type, cause_id, effect, invoice_id, posted, credit, effective_at, absorbed_from,
        sum(posted) OVER so_far::bigint AS posted_after,
        sum(credit) OVER so_far::bigint AS credit_after
    FROM entries
    WHERE merchant_id = :merchant_id AND customer_id = :customer_id AND effective_at < :closes
    WINDOW so_far AS (ORDER BY effective_at, entry_id)
) AS e
WHERE
    e.effective_at >= :opens
    AND (e.effective_at, e.entry_id) < (:before_at::timestamptz, :before_no::bigint)
ORDER BY e.effective_at DESC, e.entry_id DESC
LIMIT :size;

-- name: folded^
-- The balances folded from all that makes them.
SELECT
    coalesce(sum(posted), 0)::bigint AS posted,
    coalesce(sum(credit), 0)::bigint AS credit,
    (
        SELECT coalesce(sum(h.amount), 0)::bigint
        FROM holds AS h
        WHERE h.merchant_id = :merchant_id AND h.customer_id = :customer_id AND h.state = 'PENDING'
    ) AS held
FROM entries
WHERE merchant_id = :merchant_id AND customer_id = :customer_id;

-- name: movers
-- A page of the entries that moved what is owed, or else the credit balance; newest booking first.
SELECT entry_id, cause_type, cause_id, effect, invoice_id, posted, credit, effective_at, absorbed_from
FROM entries
WHERE
    merchant_id = :merchant_id
    AND customer_id = :customer_id
    AND CASE WHEN :of_posted::boolean THEN posted ELSE credit END <> 0
    AND entry_id < :before_no
ORDER BY entry_id DESC
LIMIT :size;

-- name: holds
-- A page of the pending holds, newest first.
SELECT hold_id, amount, decided_at, expires_at
FROM holds
WHERE
    merchant_id = :merchant_id
    AND customer_id = :customer_id
    AND state = 'PENDING'
    AND (decided_at, hold_id) < (:before_at::timestamptz, :before_id::uuid)
ORDER BY decided_at DESC, hold_id DESC
LIMIT :size;
