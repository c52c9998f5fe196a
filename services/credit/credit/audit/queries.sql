-- Checks of a page of customers. What a page has of a table is read as one range of an index a customer, in a
-- LATERAL that OFFSET 0 keeps whole: left to itself the planner takes all of a page's rows for a handful and
-- compares each with each, or reads the table. Two such sets are then hashed against each other.

-- name: customers
-- The customers behind one, in order.
SELECT merchant_id, customer_id
FROM accounts
WHERE (merchant_id, customer_id) > (:merchant_id, :customer_id)
ORDER BY merchant_id, customer_id
LIMIT :size;

-- name: balances
-- Cached balances that are not the fold of entries, invoices and pending holds.
SELECT a.merchant_id, a.customer_id, v.what, v.must::text AS must, v.found::text AS found
FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
JOIN accounts AS a ON a.merchant_id = k.merchant_id AND a.customer_id = k.customer_id
CROSS JOIN LATERAL (
    SELECT coalesce(sum(posted), 0) AS posted, coalesce(sum(credit), 0) AS credit
    FROM entries
    WHERE merchant_id = k.merchant_id AND customer_id = k.customer_id
) AS e
CROSS JOIN LATERAL (
    SELECT coalesce(sum(outstanding - written_off), 0) AS owed
    FROM invoices
    WHERE merchant_id = k.merchant_id AND customer_id = k.customer_id
) AS i
CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount), 0) AS held
    FROM holds
    WHERE merchant_id = k.merchant_id AND customer_id = k.customer_id AND state = 'PENDING'
) AS h
CROSS JOIN LATERAL (
    VALUES
    ('posted, by the entries', e.posted, a.posted),
    ('posted, by the invoices', i.owed, a.posted),
    ('credit_balance, by the entries', e.credit, a.credit_balance),
    ('held, by the pending holds', h.held, a.held)
) AS v (what, must, found)
WHERE v.must <> v.found;

-- name: accounts
-- Accounts whose status, limit or terms are not what the change that made their revision left.
SELECT a.merchant_id, a.customer_id, v.what || ' by ' || c.kind || ' ' || c.request_id AS what, v.must, v.found
FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
JOIN accounts AS a ON a.merchant_id = k.merchant_id AND a.customer_id = k.customer_id
JOIN account_changes AS c
    ON c.merchant_id = a.merchant_id AND c.customer_id = a.customer_id AND c.revision = a.revision
    AND c.revision > 0
CROSS JOIN LATERAL (
    VALUES
    ('status', c.status, a.status),
    ('limit', c.credit_limit::text, a.credit_limit::text),
    ('policy of the limit', c.limit_policy::text, a.limit_policy::text),
    ('terms', c.net_days || ' days, day ' || c.due_day, a.net_days || ' days, day ' || a.due_day),
    (
        'override',
        coalesce(c.override_limit || ' until ' || c.override_until, 'none'),
        coalesce(a.override_limit || ' until ' || a.override_until, 'none')
    )
) AS v (what, must, found)
WHERE v.must <> v.found;

-- name: store_limits
-- Limits per store that are not what the last change of the store left, accounts that do not know of theirs, and
-- pending holds that Authorize would not find by their store.
WITH changed AS (
    SELECT DISTINCT ON (c.merchant_id, c.customer_id, c.store_id)
        c.merchant_id, c.customer_id, c.store_id, c.store_limit
    FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
    JOIN account_changes AS c ON c.merchant_id = k.merchant_id AND c.customer_id = k.customer_id
    WHERE c.store_id <> ''
    ORDER BY c.merchant_id, c.customer_id, c.store_id, c.revision DESC
),

limits AS (
    SELECT l.*
    FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
    JOIN store_limits AS l ON l.merchant_id = k.merchant_id AND l.customer_id = k.customer_id
)

SELECT
    merchant_id,
    customer_id,
    'limit of store ' || store_id AS what,
    coalesce(c.store_limit::text, 'none') AS must,
    coalesce(l.credit_limit::text, 'none') AS found
FROM changed AS c
FULL JOIN limits AS l USING (merchant_id, customer_id, store_id)
WHERE c.store_limit IS DISTINCT FROM l.credit_limit
UNION ALL
SELECT a.merchant_id, a.customer_id, 'store_limited', (NOT a.store_limited)::text, a.store_limited::text
FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
JOIN accounts AS a ON a.merchant_id = k.merchant_id AND a.customer_id = k.customer_id
WHERE
    a.store_limited <> exists(
        SELECT 1 FROM limits AS l WHERE l.merchant_id = a.merchant_id AND l.customer_id = a.customer_id
    )
UNION ALL
SELECT h.merchant_id, h.customer_id, 'store_limited of hold ' || h.hold_id, 'true', 'false'
FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
JOIN accounts AS a ON a.merchant_id = k.merchant_id AND a.customer_id = k.customer_id AND a.store_limited
JOIN holds AS h
    ON h.merchant_id = a.merchant_id AND h.customer_id = a.customer_id AND h.state = 'PENDING'
    AND NOT h.store_limited;

-- name: invoices
-- Figures of invoices that are not the fold of their entries. A return of what was paid takes it off `paid`
-- and adds it to `returned`; the entry of it is credit added.
WITH folds AS MATERIALIZED (
    SELECT
        e.merchant_id,
        e.customer_id,
        e.invoice_id,
        coalesce(sum(e.posted) FILTER (WHERE e.effect = 'CHARGED'), 0) AS charged,
        coalesce(-sum(e.posted) FILTER (WHERE e.effect IN ('CREDIT_USED', 'PAID', 'UNPAID', 'CREDIT_UNUSED')), 0) AS paid,
        coalesce(-sum(e.posted) FILTER (WHERE e.effect = 'RETURNED'), 0) AS taken_off,
        coalesce(sum(e.credit) FILTER (WHERE e.effect = 'CREDIT_ADDED'), 0) AS given_back,
        coalesce(-sum(e.posted) FILTER (WHERE e.effect IN ('WRITTEN_OFF', 'WRITE_OFF_UNDONE')), 0) AS written_off
    FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
    CROSS JOIN LATERAL (
        SELECT *
        FROM entries
        WHERE merchant_id = k.merchant_id AND customer_id = k.customer_id AND invoice_id IS NOT NULL
        OFFSET 0
    ) AS e
    GROUP BY e.merchant_id, e.customer_id, e.invoice_id
),

of_invoices AS MATERIALIZED (
    SELECT i.*
    FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
    CROSS JOIN LATERAL (
        SELECT *
        FROM invoices
        WHERE merchant_id = k.merchant_id AND customer_id = k.customer_id
        OFFSET 0
    ) AS i
)

SELECT i.merchant_id, i.customer_id, v.what || ' of invoice ' || i.invoice_id AS what, v.must, v.found
FROM of_invoices AS i
LEFT JOIN folds AS f
    ON f.merchant_id = i.merchant_id AND f.customer_id = i.customer_id AND f.invoice_id = i.invoice_id
CROSS JOIN LATERAL (
    VALUES
    ('amount', coalesce(f.charged, 0)::text, i.amount::text),
    ('paid', coalesce(f.paid - f.given_back, 0)::text, i.paid::text),
    ('returned', coalesce(f.taken_off + f.given_back, 0)::text, i.returned::text),
    ('written_off', coalesce(f.written_off, 0)::text, i.written_off::text),
    ('settled', (i.outstanding = i.written_off)::text, (i.settled_at IS NOT NULL)::text)
) AS v (what, must, found)
WHERE v.must <> v.found;

-- name: payments
-- Payments whose parts in the ledger do not add up to what was paid, to what became credit, or to what was
-- undone of them; nothing is booked of a giro that has not cleared. Payouts that the ledger books otherwise.
WITH folds AS MATERIALIZED (
    SELECT
        e.merchant_id,
        e.customer_id,
        e.cause_id,
        coalesce(-sum(e.posted) FILTER (WHERE e.effect = 'PAID'), 0) AS allocated,
        coalesce(sum(e.credit) FILTER (WHERE e.effect = 'CREDIT_ADDED'), 0) AS unapplied,
        coalesce(sum(e.posted - e.credit) FILTER (WHERE e.cause_type = 'REVERSAL'), 0) AS reversed,
        coalesce(-sum(e.credit) FILTER (WHERE e.cause_type = 'PAYOUT'), 0) AS paid_out
    FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
    CROSS JOIN LATERAL (
        SELECT *
        FROM entries
        WHERE
            merchant_id = k.merchant_id AND customer_id = k.customer_id
            AND cause_type IN ('PAYMENT', 'REVERSAL', 'PAYOUT')
        OFFSET 0
    ) AS e
    GROUP BY e.merchant_id, e.customer_id, e.cause_id
),

of_payments AS MATERIALIZED (
    SELECT p.*
    FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
    CROSS JOIN LATERAL (
        SELECT *
        FROM payments
        WHERE merchant_id = k.merchant_id AND customer_id = k.customer_id
        OFFSET 0
    ) AS p
),

of_payouts AS MATERIALIZED (
    SELECT o.*
    FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
    CROSS JOIN LATERAL (
        SELECT *
        FROM payouts
        WHERE merchant_id = k.merchant_id AND customer_id = k.customer_id
        OFFSET 0
    ) AS o
)

SELECT
    p.merchant_id,
    p.customer_id,
    v.what || ' of payment ' || p.payment_id AS what,
    v.must::text AS must,
    v.found::text AS found
FROM of_payments AS p
LEFT JOIN folds AS f
    ON f.merchant_id = p.merchant_id AND f.customer_id = p.customer_id AND f.cause_id = p.payment_id
CROSS JOIN LATERAL (
    SELECT
        CASE
            WHEN p.state = 'RECEIVED' OR p.cleared_at IS NOT NULL THEN p.amount
            ELSE 0
        END AS booked
) AS b
CROSS JOIN LATERAL (
    VALUES
    ('amount', coalesce(f.allocated + f.unapplied, 0), b.booked),
    ('unapplied', coalesce(f.unapplied, 0), p.unapplied),
    ('reversal', coalesce(f.reversed, 0), CASE p.state WHEN 'REVERSED' THEN b.booked ELSE 0 END)
) AS v (what, must, found)
WHERE v.must <> v.found
UNION ALL
SELECT
    o.merchant_id,
    o.customer_id,
    'amount of payout ' || o.payout_id,
    coalesce(f.paid_out, 0)::text,
    o.amount::text
FROM of_payouts AS o
LEFT JOIN folds AS f
    ON f.merchant_id = o.merchant_id AND f.customer_id = o.customer_id AND f.cause_id = o.payout_id
WHERE coalesce(f.paid_out, 0) <> o.amount;

-- name: causes
-- Entries whose cause is not there: the sale's or the captured hold's invoice, the returned or paid invoice,
-- the payment, reversed or not, the payout, the write-off of its amount.
WITH of_invoices AS MATERIALIZED (
    SELECT i.*
    FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
    CROSS JOIN LATERAL (
        SELECT merchant_id, customer_id, invoice_id, purchase_id, tender_id
        FROM invoices
        WHERE merchant_id = k.merchant_id AND customer_id = k.customer_id
        OFFSET 0
    ) AS i
),

of_holds AS MATERIALIZED (
    SELECT h.*
    FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
    CROSS JOIN LATERAL (
        SELECT merchant_id, customer_id, hold_id, state, invoice_id
        FROM holds
        WHERE merchant_id = k.merchant_id AND customer_id = k.customer_id
        OFFSET 0
    ) AS h
),

of_payments AS MATERIALIZED (
    SELECT p.*
    FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
    CROSS JOIN LATERAL (
        SELECT merchant_id, customer_id, payment_id, state
        FROM payments
        WHERE merchant_id = k.merchant_id AND customer_id = k.customer_id
        OFFSET 0
    ) AS p
),

of_payouts AS MATERIALIZED (
    SELECT o.*
    FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
    CROSS JOIN LATERAL (
        SELECT merchant_id, customer_id, payout_id
        FROM payouts
        WHERE merchant_id = k.merchant_id AND customer_id = k.customer_id
        OFFSET 0
    ) AS o
),

of_write_offs AS MATERIALIZED (
    SELECT w.*
    FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
    CROSS JOIN LATERAL (
        SELECT merchant_id, customer_id, request_id, invoice_id, amount
        FROM write_offs
        WHERE merchant_id = k.merchant_id AND customer_id = k.customer_id
        OFFSET 0
    ) AS w
),

of_entries AS MATERIALIZED (
    SELECT e.*
    FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
    CROSS JOIN LATERAL (
        SELECT *
        FROM entries
        WHERE merchant_id = k.merchant_id AND customer_id = k.customer_id
        OFFSET 0
    ) AS e
)

SELECT
    e.merchant_id,
    e.customer_id,
    'cause of entry ' || e.entry_id || ', ' || e.effect || ' by ' || e.cause_type || ' ' || e.cause_id AS what,
    CASE
        WHEN e.cause_type = 'PAYMENT' THEN 'payment and invoice'
        WHEN e.cause_type = 'REVERSAL' THEN 'reversed payment and invoice'
        WHEN e.cause_type = 'PAYOUT' THEN 'payout'
        WHEN e.cause_type = 'WRITE_OFF' THEN 'write-off of ' || -e.posted
        ELSE 'invoice ' || e.invoice_id
    END AS must,
    'none' AS found
FROM of_entries AS e
LEFT JOIN of_invoices AS i
    ON i.merchant_id = e.merchant_id AND i.invoice_id = e.invoice_id AND i.customer_id = e.customer_id
LEFT JOIN of_holds AS h
    ON h.merchant_id = e.merchant_id AND h.hold_id = e.cause_id AND h.customer_id = e.customer_id
    AND e.cause_type = 'CAPTURE'
LEFT JOIN of_payments AS p
    ON p.merchant_id = e.merchant_id AND p.payment_id = e.cause_id AND p.customer_id = e.customer_id
    AND e.cause_type IN ('PAYMENT', 'REVERSAL')
LEFT JOIN of_payouts AS o
    ON o.merchant_id = e.merchant_id AND o.payout_id = e.cause_id AND o.customer_id = e.customer_id
    AND e.cause_type = 'PAYOUT'
LEFT JOIN of_write_offs AS w
    ON w.merchant_id = e.merchant_id AND w.request_id = e.cause_id AND w.customer_id = e.customer_id
    AND e.cause_type = 'WRITE_OFF'
WHERE
    NOT CASE e.cause_type
        WHEN 'PURCHASE' THEN coalesce(i.purchase_id = e.cause_id AND i.tender_id = e.line, false)
        WHEN 'CAPTURE' THEN coalesce(h.state = 'CAPTURED' AND h.invoice_id = i.invoice_id, false)
        WHEN 'RETURN' THEN i.invoice_id IS NOT NULL
        WHEN 'PAYMENT' THEN p.payment_id IS NOT NULL AND (e.effect <> 'PAID' OR i.invoice_id IS NOT NULL)
        WHEN 'REVERSAL'
            THEN
                coalesce(p.state = 'REVERSED', false)
                AND (e.effect = 'CREDIT_TAKEN' OR i.invoice_id IS NOT NULL)
        WHEN 'PAYOUT' THEN o.payout_id IS NOT NULL
        ELSE coalesce(w.invoice_id = e.invoice_id AND w.amount = -e.posted, false)
    END;

-- name: holds
-- Captured holds without an invoice of their customer that charges at least what was captured of them, and
-- holds that name one though they were never captured.
SELECT
    h.merchant_id,
    h.customer_id,
    'captured of hold ' || h.hold_id || ', ' || h.state AS what,
    CASE WHEN h.state = 'CAPTURED' THEN 'at most ' || least(h.amount, coalesce(i.amount, 0)) ELSE '0' END AS must,
    h.captured || coalesce(' on invoice ' || h.invoice_id, ' on none') AS found
FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
JOIN holds AS h ON h.merchant_id = k.merchant_id AND h.customer_id = k.customer_id
LEFT JOIN invoices AS i
    ON i.merchant_id = h.merchant_id AND i.invoice_id = h.invoice_id AND i.customer_id = h.customer_id
WHERE
    NOT CASE
        WHEN h.state = 'CAPTURED' THEN h.captured BETWEEN 1 AND least(h.amount, coalesce(i.amount, 0))
        ELSE h.captured = 0 AND h.invoice_id IS NULL
    END;

-- name: uses
-- What took from an allowance without its sale's invoice or its hold, and what was handed in under one and took
-- nothing; only what was voided is given back.
SELECT
    u.merchant_id,
    u.customer_id,
    lower(u.kind) || ' ' || u.use_id || ' under allowance ' || u.allowance_id AS what,
    u.amount || CASE WHEN u.given_back_at IS NULL THEN '' ELSE ', given back' END AS must,
    coalesce(i.amount::text, coalesce(h.amount, u.amount) || CASE h.state WHEN 'VOIDED' THEN ', given back' ELSE '' END, 'none')
        AS found
FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
JOIN allowance_uses AS u ON u.merchant_id = k.merchant_id AND u.customer_id = k.customer_id
LEFT JOIN invoices AS i
    ON i.merchant_id = u.merchant_id AND i.invoice_id = u.use_id AND i.customer_id = u.customer_id AND u.kind = 'SALE'
LEFT JOIN holds AS h
    ON h.merchant_id = u.merchant_id AND h.hold_id = u.use_id AND h.customer_id = u.customer_id AND u.kind = 'HOLD'
    AND h.allowance_id = u.allowance_id
WHERE
    NOT CASE u.kind
        WHEN 'SALE' THEN coalesce(i.amount = u.amount, false) AND u.given_back_at IS NULL
        ELSE
            h.hold_id IS NOT NULL
            AND coalesce(h.amount, u.amount) = u.amount
            AND (h.state = 'VOIDED') = (u.given_back_at IS NOT NULL)
    END
UNION ALL
SELECT h.merchant_id, h.customer_id, 'use of hold ' || h.hold_id, 'allowance ' || h.allowance_id, 'none'
FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
JOIN holds AS h
    ON h.merchant_id = k.merchant_id AND h.customer_id = k.customer_id AND h.allowance_id IS NOT NULL
LEFT JOIN allowance_uses AS u
    ON u.merchant_id = h.merchant_id AND u.kind = 'HOLD' AND u.use_id = h.hold_id
    AND u.allowance_id = h.allowance_id
WHERE u.use_id IS NULL;

-- name: allowance_ids
-- The allowances behind one, in order.
SELECT merchant_id, allowance_id
FROM allowances
WHERE (merchant_id, allowance_id) > (:merchant_id, :allowance_id::uuid)
ORDER BY merchant_id, allowance_id
LIMIT :size;

-- name: allowances
-- Allowances that cache otherwise than their uses add up.
SELECT a.merchant_id, a.allowance_id::text AS customer_id, v.what, v.must::text AS must, v.found::text AS found
FROM unnest(:merchants::text[], :customers::uuid[]) AS k (merchant_id, allowance_id)
JOIN allowances AS a ON a.merchant_id = k.merchant_id AND a.allowance_id = k.allowance_id
CROSS JOIN LATERAL (
    SELECT coalesce(sum(u.amount - u.excess), 0) AS used, coalesce(sum(u.excess), 0) AS excess
    FROM allowance_uses AS u
    WHERE u.merchant_id = a.merchant_id AND u.allowance_id = a.allowance_id AND u.given_back_at IS NULL
) AS s
CROSS JOIN LATERAL (VALUES ('used, by the uses', s.used, a.used), ('over, by the uses', s.excess, a.excess))
    AS v (what, must, found)
WHERE v.must <> v.found;

-- name: exceptions
-- Exceptions that name no invoice of their customer, and invoices whose mark staff cannot find.
SELECT
    x.merchant_id,
    x.customer_id,
    'invoice of exception ' || x.exception_id || ', ' || x.kind AS what,
    'invoice ' || x.invoice_id AS must,
    'none' AS found
FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
JOIN invoice_exceptions AS x ON x.merchant_id = k.merchant_id AND x.customer_id = k.customer_id
LEFT JOIN invoices AS i
    ON i.merchant_id = x.merchant_id AND i.invoice_id = x.invoice_id AND i.customer_id = x.customer_id
WHERE i.invoice_id IS NULL
UNION ALL
SELECT i.merchant_id, i.customer_id, 'exception of invoice ' || i.invoice_id, i.exception, 'none'
FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
JOIN invoices AS i ON i.merchant_id = k.merchant_id AND i.customer_id = k.customer_id
LEFT JOIN invoice_exceptions AS x
    ON x.merchant_id = i.merchant_id AND x.customer_id = i.customer_id AND x.invoice_id = i.invoice_id
    AND x.kind = i.exception
WHERE i.exception <> '' AND x.exception_id IS NULL;

-- name: merges
-- What is left under the id of a merged customer, but for a notice of a day that the survivor heard of too;
-- merges that only one of the two accounts knows of; rows of survivors that came from somebody who was not
-- merged into them.
WITH merged AS MATERIALIZED (
    SELECT c.merchant_id, c.customer_id, c.merged_customer_id
    FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
    JOIN account_changes AS c
        ON c.merchant_id = k.merchant_id AND c.customer_id = k.customer_id AND c.kind = 'MERGED'
),

survivors AS MATERIALIZED (
    SELECT DISTINCT merchant_id, customer_id FROM merged
)

SELECT a.merchant_id, a.customer_id, v.what, v.must, v.found
FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
JOIN accounts AS a ON a.merchant_id = k.merchant_id AND a.customer_id = k.customer_id AND a.merged_into <> ''
LEFT JOIN accounts AS s ON s.merchant_id = a.merchant_id AND s.customer_id = a.merged_into
CROSS JOIN LATERAL (
    SELECT string_agg(t.name, ', ') AS tables
    FROM (
        SELECT 'entries' AS name
        WHERE EXISTS (SELECT FROM entries AS e WHERE (e.merchant_id, e.customer_id) = (a.merchant_id, a.customer_id))
        UNION ALL
        SELECT 'invoices'
        WHERE EXISTS (SELECT FROM invoices AS i WHERE (i.merchant_id, i.customer_id) = (a.merchant_id, a.customer_id))
        UNION ALL
        SELECT 'holds'
        WHERE EXISTS (SELECT FROM holds AS h WHERE (h.merchant_id, h.customer_id) = (a.merchant_id, a.customer_id))
        UNION ALL
        SELECT 'payments'
        WHERE EXISTS (SELECT FROM payments AS p WHERE (p.merchant_id, p.customer_id) = (a.merchant_id, a.customer_id))
        UNION ALL
        SELECT 'payouts'
        WHERE EXISTS (SELECT FROM payouts AS p WHERE (p.merchant_id, p.customer_id) = (a.merchant_id, a.customer_id))
    ) AS t
) AS o
CROSS JOIN LATERAL (
    VALUES
    ('survivor of ' || a.customer_id, 'an account', CASE WHEN s.merged_into = '' THEN 'an account' ELSE 'none' END),
    ('books of merged ' || a.customer_id, 'none', coalesce(o.tables, 'none')),
    ('status of merged ' || a.customer_id, 'UNOPENED', a.status)
) AS v (what, must, found)
WHERE v.must <> v.found
UNION ALL
SELECT c.merchant_id, c.customer_id, 'merged ' || c.merged_customer_id, c.customer_id, coalesce(nullif(a.merged_into, ''), 'none')
FROM merged AS c
LEFT JOIN accounts AS a ON a.merchant_id = c.merchant_id AND a.customer_id = c.merged_customer_id
WHERE a.merged_into IS DISTINCT FROM c.customer_id
UNION ALL
SELECT a.merchant_id, a.customer_id, 'merge into ' || a.merged_into, 'a change of that account', 'none'
FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
JOIN accounts AS a ON a.merchant_id = k.merchant_id AND a.customer_id = k.customer_id AND a.merged_into <> ''
WHERE NOT EXISTS (
    SELECT FROM account_changes AS c
    WHERE
        c.merchant_id = a.merchant_id AND c.customer_id = a.merged_into AND c.kind = 'MERGED'
        AND c.merged_customer_id = a.customer_id
)
UNION ALL
SELECT
    k.merchant_id, k.customer_id, 'customer whose ' || t.name || ' were ' || t.absorbed_from,
    k.customer_id, coalesce(nullif(a.merged_into, ''), 'none')
FROM survivors AS k
CROSS JOIN LATERAL (
    SELECT DISTINCT 'entries' AS name, e.absorbed_from
    FROM entries AS e
    WHERE e.merchant_id = k.merchant_id AND e.customer_id = k.customer_id AND e.absorbed_from IS NOT NULL
    UNION
    SELECT 'invoices', i.absorbed_from
    FROM invoices AS i
    WHERE i.merchant_id = k.merchant_id AND i.customer_id = k.customer_id AND i.absorbed_from IS NOT NULL
    UNION
    SELECT 'holds', h.absorbed_from
    FROM holds AS h
    WHERE h.merchant_id = k.merchant_id AND h.customer_id = k.customer_id AND h.absorbed_from IS NOT NULL
    UNION
    SELECT 'payments', p.absorbed_from
    FROM payments AS p
    WHERE p.merchant_id = k.merchant_id AND p.customer_id = k.customer_id AND p.absorbed_from IS NOT NULL
) AS t
LEFT JOIN accounts AS a ON a.merchant_id = k.merchant_id AND a.customer_id = t.absorbed_from
WHERE a.merged_into IS DISTINCT FROM k.customer_id;
