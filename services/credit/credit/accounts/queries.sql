-- name: lock
-- Lock the accounts that exist, in id order; waits up to lock_timeout. One that was merged into another is
-- left out, also where that happened while we waited for it.
SELECT a.merchant_id, a.customer_id
FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
JOIN accounts AS a
    ON a.merchant_id = k.merchant_id AND a.customer_id = k.customer_id AND a.merged_into = ''
ORDER BY a.merchant_id, a.customer_id
FOR NO KEY UPDATE OF a;

-- name: lock_free
-- Lock the accounts that exist, were not merged into another, and that nobody else holds.
SELECT a.merchant_id, a.customer_id
FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
JOIN accounts AS a
    ON a.merchant_id = k.merchant_id AND a.customer_id = k.customer_id AND a.merged_into = ''
ORDER BY a.merchant_id, a.customer_id
FOR NO KEY UPDATE OF a SKIP LOCKED;

-- name: add_missing
-- Make rows for customers that are not known here; a row that we made is ours, as if locked. Of those that were
-- merged into another it tells into whom.
WITH k AS (
    SELECT * FROM unnest(:merchants::text[], :customers::text[]) AS u (merchant_id, customer_id)
),

made AS (
    INSERT INTO accounts (merchant_id, customer_id)
    SELECT k.merchant_id, k.customer_id FROM k
    ORDER BY k.merchant_id, k.customer_id
    ON CONFLICT (merchant_id, customer_id) DO NOTHING
    RETURNING merchant_id, customer_id
)

SELECT merchant_id, customer_id, '' AS merged_into FROM made
UNION ALL
SELECT a.merchant_id, a.customer_id, a.merged_into
FROM k
JOIN accounts AS a ON a.merchant_id = k.merchant_id AND a.customer_id = k.customer_id
WHERE a.merged_into <> '';

-- name: read
-- The accounts behind these customers, the survivor's for one that was merged into another; in no order.
SELECT o.customer_id AS asked, a.*
FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
JOIN accounts AS o ON o.merchant_id = k.merchant_id AND o.customer_id = k.customer_id
JOIN accounts AS a
    ON a.merchant_id = o.merchant_id
    AND a.customer_id = CASE o.merged_into WHEN '' THEN o.customer_id ELSE o.merged_into END;

-- name: aliases
-- Who was merged into a customer.
SELECT customer_id
FROM accounts
WHERE merchant_id = :merchant_id AND merged_into = :customer_id AND merged_into <> ''
ORDER BY customer_id;

-- name: zones
-- The zones that accounts are in: one probe of an index for each, however many accounts there are.
WITH RECURSIVE z AS (
    SELECT min(time_zone) AS time_zone FROM accounts
    UNION ALL
    SELECT (SELECT min(a.time_zone) FROM accounts AS a WHERE a.time_zone > z.time_zone)
    FROM z
    WHERE z.time_zone IS NOT NULL
)

SELECT time_zone FROM z WHERE time_zone IS NOT NULL;

-- name: overdue^
-- What of the open invoices is past its due date on a local day, and the oldest such date.
SELECT coalesce(sum(outstanding - written_off), 0)::bigint AS amount, min(due_on) AS oldest_due
FROM invoices
WHERE merchant_id = :merchant_id AND customer_id = :customer_id AND settled_at IS NULL AND due_on < :today;

-- name: is_booked$
-- Whether the ledger has anything of an account.
SELECT exists(SELECT 1 FROM entries WHERE merchant_id = :merchant_id AND customer_id = :customer_id);

-- name: has_payments$
-- Whether anything was ever noted as paid on an account, cleared or not.
SELECT exists(SELECT 1 FROM payments WHERE merchant_id = :merchant_id AND customer_id = :customer_id);

-- name: pending_payment$
-- A payment of an account that has not cleared yet.
SELECT payment_id
FROM payments
WHERE merchant_id = :merchant_id AND customer_id = :customer_id AND state = 'PENDING'
ORDER BY effective_at, payment_id
LIMIT 1;

-- name: forget_held_amounts!
-- Unset the amounts of an account's holds.
UPDATE holds
SET amount = NULL, available = 0
WHERE merchant_id = :merchant_id AND customer_id = :customer_id AND amount IS NOT NULL;

-- name: save!
-- Write status, limit and terms; balances are written by post and by the holds alone.
UPDATE accounts AS a
SET
    status = v.status,
    currency_code = v.currency_code,
    minor_digits = v.minor_digits,
    time_zone = v.time_zone,
    credit_limit = v.credit_limit,
    net_days = v.net_days,
    due_day = v.due_day,
    override_limit = v.override_limit,
    override_until = v.override_until,
    limit_wished = v.limit_wished,
    merged_into = v.merged_into,
    opened_at = v.opened_at,
    revision = v.revision,
    store_limited = v.store_limited,
    limit_policy = v.limit_policy,
    limit_again_on = v.limit_again_on
FROM unnest(
    :merchants::text[], :customers::text[], :statuses::text[], :currencies::text[], :digits::integer[],
    :zones::text[], :limits::bigint[], :net_days::integer[], :wishes::bigint[], :merged::text[],
    :opened::timestamptz[], :revisions::bigint[], :due_days::integer[],
    :override_limits::bigint[], :override_untils::timestamptz[], :store_limited::boolean[],
    :limit_policies::bigint[], :limit_agains::date[]
) AS v (
    merchant_id, customer_id, status, currency_code, minor_digits, time_zone, credit_limit, net_days,
    limit_wished, merged_into, opened_at, revision, due_day, override_limit, override_until, store_limited,
    limit_policy, limit_again_on
)
WHERE a.merchant_id = v.merchant_id AND a.customer_id = v.customer_id;

-- name: mark_erased!
-- Note the first erasure of each customer.
UPDATE accounts AS a
SET erased_at = coalesce(a.erased_at, v.erased_at)
FROM unnest(:merchants::text[], :customers::text[], :at::timestamptz[]) AS v (merchant_id, customer_id, erased_at)
WHERE a.merchant_id = v.merchant_id AND a.customer_id = v.customer_id;

-- name: clear_texts!
-- Empty what was written by hand of erased customers; sums, dates, who and fingerprints stay.
WITH gone AS (
    SELECT k.merchant_id, k.customer_id
    FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
),

changes AS (
    UPDATE account_changes AS t
    SET reason = ''
    FROM gone AS g
    WHERE t.merchant_id = g.merchant_id AND t.customer_id = g.customer_id AND t.reason <> ''
),

exceptions AS (
    UPDATE invoice_exceptions AS t
    SET note = ''
    FROM gone AS g
    WHERE t.merchant_id = g.merchant_id AND t.customer_id = g.customer_id AND t.note <> ''
),

paid AS (
    UPDATE payments AS t
    SET reference = ''
    FROM gone AS g
    WHERE t.merchant_id = g.merchant_id AND t.customer_id = g.customer_id AND t.reference <> ''
),

moves AS (
    UPDATE payment_changes AS t
    SET note = ''
    FROM gone AS g
    WHERE t.merchant_id = g.merchant_id AND t.customer_id = g.customer_id AND t.note <> ''
),

paid_out AS (
    UPDATE payouts AS t
    SET reference = ''
    FROM gone AS g
    WHERE t.merchant_id = g.merchant_id AND t.customer_id = g.customer_id AND t.reference <> ''
)

UPDATE write_offs AS t
SET reason = ''
FROM gone AS g
WHERE t.merchant_id = g.merchant_id AND t.customer_id = g.customer_id AND t.reason <> '';

-- name: find_change^
-- What a request id did.
SELECT customer_id, fingerprint
FROM account_changes
WHERE merchant_id = :merchant_id AND kind = :kind AND request_id = :request_id;

-- name: add_change$
-- Remember what a request id did; no row: somebody took the id meanwhile.
INSERT INTO account_changes (
    merchant_id, kind, request_id, customer_id, fingerprint, credit_limit, net_days, reason, staff_ref,
    changed_at, status, due_day, override_limit, override_until, revision, store_id, store_limit,
    merged_customer_id,
    limit_policy
)
VALUES (
    :merchant_id, :kind, :request_id, :customer_id, :fingerprint, :credit_limit, :net_days, :reason, :staff_ref,
    :changed_at, :status, :due_day, :override_limit, :override_until, :revision, :store_id, :store_limit,
    :merged_customer_id,
    :limit_policy
)
ON CONFLICT (merchant_id, kind, request_id) DO NOTHING
RETURNING true;

-- name: put_store_limit!
-- Give a store a limit of its own on a locked account.
INSERT INTO store_limits (merchant_id, customer_id, store_id, credit_limit)
VALUES (:merchant_id, :customer_id, :store_id, :credit_limit)
ON CONFLICT (merchant_id, customer_id, store_id) DO UPDATE SET credit_limit = excluded.credit_limit;

-- name: drop_store_limit!
-- Take a store's limit on a locked account away.
DELETE FROM store_limits
WHERE merchant_id = :merchant_id AND customer_id = :customer_id AND store_id = :store_id;

-- name: count_store_limits$
-- How many stores have a limit of their own on an account.
SELECT count(*) FROM store_limits WHERE merchant_id = :merchant_id AND customer_id = :customer_id;

-- name: find_pending_by_store!
-- Put the pending holds of an account that had no limits per store into the index that finds them by store.
UPDATE holds
SET store_limited = true
WHERE merchant_id = :merchant_id AND customer_id = :customer_id AND state = 'PENDING' AND NOT store_limited;

-- name: store_rooms
-- Limits of stores on accounts, and what counts against each: pending holds from there, and open invoices that
-- came from there. A store left NULL: all of the account's.
SELECT
    l.merchant_id,
    l.customer_id,
    l.store_id,
    l.credit_limit,
    (
        SELECT coalesce(sum(h.amount), 0)
        FROM holds AS h
        WHERE
            h.merchant_id = l.merchant_id AND h.customer_id = l.customer_id AND h.store_id = l.store_id
            AND h.state = 'PENDING' AND h.store_limited
    )::bigint AS held,
    (
        SELECT coalesce(sum(i.outstanding - i.written_off), 0)
        FROM invoices AS i
        WHERE
            i.merchant_id = l.merchant_id AND i.customer_id = l.customer_id AND i.store_id = l.store_id
            AND i.settled_at IS NULL
    )::bigint AS owed
FROM unnest(:merchants::text[], :customers::text[], :stores::text[]) AS k (merchant_id, customer_id, store_id)
JOIN store_limits AS l
    ON l.merchant_id = k.merchant_id AND l.customer_id = k.customer_id
    AND (k.store_id IS NULL OR l.store_id = k.store_id)
ORDER BY l.merchant_id, l.customer_id, l.store_id;

-- name: opened_by_staff
-- Which of these accounts staff ever opened; the others a sale did.
SELECT k.merchant_id, k.customer_id
FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
WHERE exists(
    SELECT 1 FROM account_changes AS c
    WHERE c.merchant_id = k.merchant_id AND c.customer_id = k.customer_id AND c.kind = 'OPEN'
);

-- name: changes
-- A page of what changed an account, newest first.
SELECT *
FROM account_changes
WHERE
    merchant_id = :merchant_id
    AND customer_id = :customer_id
    AND (changed_at, revision) < (:before_at::timestamptz, :before_no::bigint)
ORDER BY changed_at DESC, revision DESC
LIMIT :size;

-- name: post!
-- Append entries and move the cached balances by them: no balance is written but through the ledger.
WITH new AS (
    INSERT INTO entries (
        merchant_id, customer_id, cause_type, cause_id, line, effect, invoice_id, posted, credit, effective_at
    )
    SELECT v.*
    FROM unnest(
        :merchants::text[], :customers::text[], :causes::text[], :cause_ids::uuid[], :lines::text[],
        :effects::text[], :invoices::uuid[], :posted::bigint[], :credit::bigint[], :effective_at::timestamptz[]
    ) AS v
    RETURNING merchant_id, customer_id, posted, credit
),

sums AS (
    SELECT merchant_id, customer_id, sum(posted)::bigint AS posted, sum(credit)::bigint AS credit
    FROM new
    GROUP BY merchant_id, customer_id
)

UPDATE accounts AS a
SET posted = a.posted + s.posted, credit_balance = a.credit_balance + s.credit
FROM sums AS s
WHERE a.merchant_id = s.merchant_id AND a.customer_id = s.customer_id;

-- name: find_entries
-- Which entries of these causes exist: the lines that are booked already.
SELECT DISTINCT e.merchant_id, e.cause_id, e.line
FROM unnest(:merchants::text[], :customers::text[], :cause_ids::uuid[]) AS k (merchant_id, customer_id, cause_id)
JOIN entries AS e
    ON e.merchant_id = k.merchant_id AND e.customer_id = k.customer_id
    AND e.cause_type = :cause_type AND e.cause_id = k.cause_id;
