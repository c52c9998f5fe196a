-- name: add!
-- Count what was bought and given back, in key order.
INSERT INTO spend (merchant_id, customer_id, month, cause_id, amount)
SELECT v.merchant_id, v.customer_id, v.month, v.cause_id, v.amount
FROM unnest(:merchants::text[], :customers::text[], :months::date[], :causes::uuid[], :amounts::bigint[]) AS v (
    merchant_id, customer_id, month, cause_id, amount
)
ORDER BY v.merchant_id, v.customer_id, v.month, v.cause_id
ON CONFLICT (merchant_id, customer_id, month, cause_id) DO NOTHING;

-- name: forget!
-- Forget what customers bought, and what those did whom they absorbed.
DELETE FROM spend AS s
USING (
    SELECT k.merchant_id, k.customer_id
    FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
    UNION
    SELECT a.merchant_id, a.customer_id
    FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
    JOIN accounts AS a
        ON a.merchant_id = k.merchant_id AND a.merged_into = k.customer_id AND a.merged_into <> ''
) AS g
WHERE s.merchant_id = g.merchant_id AND s.customer_id = g.customer_id;

-- name: bought
-- What customers bought in each month of a window, theirs and what is counted under ids that they absorbed: once
-- also where a sale was published again, after a merge, as the survivor's.
WITH o AS (
    SELECT k.*, k.customer_id AS counted_as
    FROM unnest(:merchants::text[], :customers::text[], :sinces::date[], :untils::date[]) AS k (
        merchant_id, customer_id, since, until
    )
    UNION ALL
    SELECT k.*, a.customer_id
    FROM unnest(:merchants::text[], :customers::text[], :sinces::date[], :untils::date[]) AS k (
        merchant_id, customer_id, since, until
    )
    JOIN accounts AS a
        ON a.merchant_id = k.merchant_id AND a.merged_into = k.customer_id AND a.merged_into <> ''
),

counted AS (
    SELECT DISTINCT o.merchant_id, o.customer_id, s.month, s.cause_id, s.amount
    FROM o
    JOIN spend AS s
        ON s.merchant_id = o.merchant_id AND s.customer_id = o.counted_as
        AND s.month >= o.since AND s.month < o.until
)

SELECT merchant_id, customer_id, month, sum(amount)::bigint AS amount
FROM counted
GROUP BY merchant_id, customer_id, month;

-- name: claim
-- Lock accounts whose limit is to be decided again by the local date of their zone, leaving out those that
-- somebody else works on. A day on which none is reads one index.
SELECT a.merchant_id, a.customer_id
FROM unnest(:zones::text[], :todays::date[]) AS z (time_zone, today)
JOIN accounts AS a ON a.time_zone = z.time_zone AND a.limit_again_on <= z.today AND a.merged_into = ''
LIMIT :size
FOR NO KEY UPDATE OF a SKIP LOCKED;

-- name: save!
-- Write decided limits, and what changed by them into the history: what held after it is in the account's row.
WITH v AS (
    SELECT *
    FROM unnest(
        :merchants::text[], :customers::text[], :limits::bigint[], :policies::bigint[], :agains::date[],
        :revisions::bigint[], :changed::boolean[], :requests::uuid[]
    ) AS u (merchant_id, customer_id, credit_limit, limit_policy, again_on, revision, changed, request_id)
),

written AS (
    UPDATE accounts AS a
    SET
        credit_limit = v.credit_limit,
        limit_policy = v.limit_policy,
        limit_again_on = v.again_on,
        revision = v.revision
    FROM v
    WHERE a.merchant_id = v.merchant_id AND a.customer_id = v.customer_id
    RETURNING a.*, v.changed, v.request_id
)

INSERT INTO account_changes (
    merchant_id, kind, request_id, customer_id, fingerprint, credit_limit, limit_policy, net_days, due_day,
    reason, staff_ref, changed_at, status, override_limit, override_until, revision
)
SELECT
    merchant_id, 'LIMIT', request_id, customer_id, '', credit_limit, limit_policy, net_days, due_day,
    '', :who, :at::timestamptz, status, override_limit, override_until, revision
FROM written
WHERE changed;
