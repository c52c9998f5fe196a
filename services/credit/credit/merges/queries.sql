-- name: is_large$
-- Whether an account has more entries than a merge moves at once.
SELECT count(*) > :entries_max
FROM (
    SELECT FROM entries
    WHERE merchant_id = :merchant_id AND customer_id = :customer_id
    LIMIT :entries_max + 1
) AS e;

-- name: store_limits
-- The limits per store of two accounts.
SELECT customer_id, store_id, credit_limit
FROM store_limits
WHERE merchant_id = :merchant_id AND customer_id = any(:customers::text[]);

-- name: drop_store_limits!
-- Take the limits per store of two accounts away.
DELETE FROM store_limits
WHERE merchant_id = :merchant_id AND customer_id IN (:absorbed, :survivor);

-- name: move_entries$
-- Hand entries of an absorbed customer to the survivor, so many; each keeps its id and remembers whose it was
-- first. Returns how many those were.
WITH part AS (
    SELECT ctid
    FROM entries
    WHERE merchant_id = :merchant_id AND customer_id = :absorbed
    LIMIT :rows
),

moved AS (
    UPDATE entries AS t
    SET customer_id = :survivor, absorbed_from = coalesce(t.absorbed_from, t.customer_id)
    FROM part
    WHERE t.ctid = part.ctid
    RETURNING 1
)

SELECT count(*) FROM moved;

-- name: move_invoices$
-- The same of invoices.
WITH part AS (
    SELECT ctid
    FROM invoices
    WHERE merchant_id = :merchant_id AND customer_id = :absorbed
    LIMIT :rows
),

moved AS (
    UPDATE invoices AS t
    SET customer_id = :survivor, absorbed_from = coalesce(t.absorbed_from, t.customer_id)
    FROM part
    WHERE t.ctid = part.ctid
    RETURNING 1
)

SELECT count(*) FROM moved;

-- name: move_holds$
-- The same of holds.
WITH part AS (
    SELECT ctid
    FROM holds
    WHERE merchant_id = :merchant_id AND customer_id = :absorbed
    LIMIT :rows
),

moved AS (
    UPDATE holds AS t
    SET customer_id = :survivor, absorbed_from = coalesce(t.absorbed_from, t.customer_id)
    FROM part
    WHERE t.ctid = part.ctid
    RETURNING 1
)

SELECT count(*) FROM moved;

-- name: move!
-- Hand all other rows of an absorbed customer to the survivor. Changes are numbered on behind the survivor's
-- own. Of a local day on which both heard a notice, the absorbed customer's stays where it was: the survivor
-- has heard of that day.
WITH changes AS (
    UPDATE account_changes AS t
    SET
        customer_id = :survivor,
        absorbed_from = coalesce(t.absorbed_from, t.customer_id),
        revision = CASE t.revision WHEN 0 THEN 0 ELSE t.revision + :revision::bigint END
    WHERE t.merchant_id = :merchant_id AND t.customer_id = :absorbed
),

uses AS (
    UPDATE allowance_uses AS t
    SET customer_id = :survivor, absorbed_from = coalesce(t.absorbed_from, t.customer_id)
    WHERE t.merchant_id = :merchant_id AND t.customer_id = :absorbed
),

exceptions AS (
    UPDATE invoice_exceptions AS t
    SET customer_id = :survivor, absorbed_from = coalesce(t.absorbed_from, t.customer_id)
    WHERE t.merchant_id = :merchant_id AND t.customer_id = :absorbed
),

said AS (
    UPDATE notices AS t
    SET customer_id = :survivor, absorbed_from = coalesce(t.absorbed_from, t.customer_id)
    WHERE
        t.merchant_id = :merchant_id AND t.customer_id = :absorbed
        AND NOT EXISTS (
            SELECT FROM notices AS n
            WHERE n.merchant_id = t.merchant_id AND n.customer_id = :survivor AND n.local_date = t.local_date
        )
),

paid AS (
    UPDATE payments AS t
    SET customer_id = :survivor, absorbed_from = coalesce(t.absorbed_from, t.customer_id)
    WHERE t.merchant_id = :merchant_id AND t.customer_id = :absorbed
),

payment_moves AS (
    UPDATE payment_changes AS t
    SET customer_id = :survivor, absorbed_from = coalesce(t.absorbed_from, t.customer_id)
    WHERE t.merchant_id = :merchant_id AND t.customer_id = :absorbed
),

paid_out AS (
    UPDATE payouts AS t
    SET customer_id = :survivor, absorbed_from = coalesce(t.absorbed_from, t.customer_id)
    WHERE t.merchant_id = :merchant_id AND t.customer_id = :absorbed
),

reminded AS (
    UPDATE reminders AS t
    SET customer_id = :survivor, absorbed_from = coalesce(t.absorbed_from, t.customer_id)
    WHERE t.merchant_id = :merchant_id AND t.customer_id = :absorbed
)

UPDATE write_offs AS t
SET customer_id = :survivor, absorbed_from = coalesce(t.absorbed_from, t.customer_id)
WHERE t.merchant_id = :merchant_id AND t.customer_id = :absorbed;

-- name: carry!
-- Move the cached balances with the rows that they are the folds of.
WITH gone AS (
    SELECT merchant_id, posted, held, credit_balance
    FROM accounts
    WHERE merchant_id = :merchant_id AND customer_id = :absorbed
)

UPDATE accounts AS a
SET
    posted = CASE a.customer_id WHEN :survivor THEN a.posted + g.posted ELSE 0 END,
    held = CASE a.customer_id WHEN :survivor THEN a.held + g.held ELSE 0 END,
    credit_balance = CASE a.customer_id WHEN :survivor THEN a.credit_balance + g.credit_balance ELSE 0 END
FROM gone AS g
WHERE a.merchant_id = g.merchant_id AND a.customer_id IN (:survivor, :absorbed);

-- name: move_aliases!
-- Whoever was merged into the absorbed customer is now an alias of the survivor.
UPDATE accounts
SET merged_into = :survivor
WHERE merchant_id = :merchant_id AND merged_into = :absorbed;

-- name: put_off$
-- Note a merge that waits, and tell into whom: one that was noted before stands.
INSERT INTO merges_waiting AS m (merchant_id, absorbed_customer_id, surviving_customer_id, merged_at)
VALUES (:merchant_id, :absorbed, :survivor, :merged_at)
ON CONFLICT (merchant_id, absorbed_customer_id) DO UPDATE SET merged_at = m.merged_at
RETURNING surviving_customer_id;

-- name: claim^
-- Lock the merge that waits longest for its next try and that nobody else works on.
SELECT merchant_id, absorbed_customer_id, surviving_customer_id, merged_at
FROM merges_waiting
ORDER BY tried_at NULLS FIRST, merged_at, merchant_id, absorbed_customer_id
LIMIT 1
FOR UPDATE SKIP LOCKED;

-- name: done!
-- Forget a merge that waited.
DELETE FROM merges_waiting
WHERE merchant_id = :merchant_id AND absorbed_customer_id = :absorbed;

-- name: tried!
-- Let others that wait go first.
UPDATE merges_waiting
SET tried_at = clock_timestamp()
WHERE merchant_id = :merchant_id AND absorbed_customer_id = :absorbed;

-- name: is_waiting$
-- Whether any merge waits.
SELECT exists(SELECT FROM merges_waiting);

-- name: take_time!
-- Let this one transaction last longer than others may.
SET LOCAL transaction_timeout = '120s';
