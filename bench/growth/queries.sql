-- name: definitions
-- The indexes and keys of the tables that are filled, with what makes them again.
SELECT
    i.indrelid::regclass::text AS of_table,
    i.indexrelid::regclass::text AS index,
    c.conname AS key,
    CASE
        WHEN c.oid IS NULL THEN pg_get_indexdef(i.indexrelid)
        ELSE format('ALTER TABLE %s ADD CONSTRAINT %I %s', i.indrelid::regclass, c.conname, pg_get_constraintdef(c.oid))
    END AS makes
FROM pg_index AS i
LEFT JOIN pg_constraint AS c ON c.conindid = i.indexrelid AND c.contype IN ('p', 'u')
WHERE i.indrelid = any(:tables::text[]::regclass[]);

-- name: prepare#
-- Where customers and the sales of one month wait to be spread over the books.
CREATE UNLOGGED TABLE fill_customers (n integer, customer_id text);

CREATE UNLOGGED TABLE fill_sales (
    customer_id text, invoice_id uuid, purchase_id uuid, hold_id uuid, payment_id uuid, amount bigint,
    at timestamptz, paid_at timestamptz
);

-- name: openings!
-- The change that opened each account.
INSERT INTO account_changes (
    merchant_id, kind, request_id, customer_id, fingerprint, credit_limit, net_days, reason, staff_ref, changed_at,
    status, revision
)
SELECT
    :merchant, 'OPEN', md5(customer_id)::uuid, customer_id, '\x00', :limit, 30, '', 'staf-1',
    :now::timestamptz - interval '1 year', 'ACTIVE', 1
FROM fill_customers;

-- name: sales!
-- One sale of every customer, about so many days ago; `paid`: 20 days later. Ids are as scattered as random ones
-- and cost no call of the system.
INSERT INTO fill_sales
SELECT
    customer_id, md5(customer_id || 'i' || :days::integer)::uuid, md5(customer_id || 'p' || :days::integer)::uuid,
    md5(customer_id || 'h' || :days::integer)::uuid, md5(customer_id || 'r' || :days::integer)::uuid,
    10000 + 1000 * ((n + :days::integer) % 90),
    at, CASE WHEN :paid::boolean THEN at + interval '20 days' END
FROM fill_customers
CROSS JOIN LATERAL (
    SELECT :now::timestamptz - make_interval(days => :days::integer + n % 15, mins => n % 600) AS at
) AS t;

-- name: invoices!
-- Their invoices, due after 30 days.
INSERT INTO invoices (
    merchant_id, invoice_id, customer_id, purchase_id, tender_id, hold_id, amount, paid, issued_on, due_on,
    issued_at, settled_at, store_id
)
SELECT
    :merchant, invoice_id, customer_id, purchase_id, 't1', hold_id, amount,
    CASE WHEN paid_at IS NULL THEN 0 ELSE amount END,
    (at AT TIME ZONE 'Asia/Jakarta')::date, (at AT TIME ZONE 'Asia/Jakarta')::date + 30, at, paid_at, 'toko-1'
FROM fill_sales;

-- name: charges!
-- Their entries.
INSERT INTO entries (
    merchant_id, customer_id, cause_type, cause_id, line, effect, invoice_id, posted, credit, effective_at
)
SELECT :merchant, customer_id, 'PURCHASE', purchase_id, 't1', 'CHARGED', invoice_id, amount, 0, at
FROM fill_sales;

-- name: payments!
-- What paid them.
INSERT INTO payments (
    merchant_id, payment_id, customer_id, amount, method, reference, unapplied, outstanding_after, fingerprint,
    store_id, register_id, staff_ref, effective_at, received_at
)
SELECT
    :merchant, payment_id, customer_id, amount, 1, '', 0, 0, '\x00', 'toko-1', 'kasir-1', 'staf-1', paid_at, paid_at
FROM fill_sales
WHERE paid_at IS NOT NULL;

-- name: settlements!
-- The entries of that.
INSERT INTO entries (
    merchant_id, customer_id, cause_type, cause_id, line, effect, invoice_id, posted, credit, effective_at
)
SELECT :merchant, customer_id, 'PAYMENT', payment_id, invoice_id::text, 'PAID', invoice_id, -amount, 0, paid_at
FROM fill_sales
WHERE paid_at IS NOT NULL;

-- name: holds!
-- The holds that the sales captured.
INSERT INTO holds (
    merchant_id, hold_id, customer_id, state, amount, captured, available, invoice_id, fingerprint, store_id,
    register_id, staff_ref, recognised_by, decided_at, expires_at
)
SELECT
    :merchant, hold_id, customer_id, 'CAPTURED', amount, amount, :limit, invoice_id, '\x00', 'toko-1', 'kasir-1',
    'staf-1', 1, at, at + interval '15 minutes'
FROM fill_sales;

-- name: pending_holds!
-- A hold of every tenth customer that a till still has in hand.
INSERT INTO holds (
    merchant_id, hold_id, customer_id, state, amount, available, fingerprint, store_id, register_id, staff_ref,
    recognised_by, decided_at, expires_at
)
SELECT
    :merchant, md5(customer_id || 'till')::uuid, customer_id, 'PENDING', 20000, :limit, '\x00', 'toko-1', 'kasir-1', 'staf-1', 1,
    :now::timestamptz, :now::timestamptz + interval '1 day'
FROM fill_customers
WHERE n % 10 = 0;

-- name: next_month#
-- Make room for other sales.
TRUNCATE fill_sales;

-- name: accounts!
-- The accounts, which cache what entries and holds add up to.
INSERT INTO accounts (
    merchant_id, customer_id, status, currency_code, time_zone, credit_limit, posted, held, net_days, opened_at,
    revision
)
SELECT
    :merchant, c.customer_id, 'ACTIVE', 'IDR', 'Asia/Jakarta', :limit, e.posted, coalesce(h.held, 0), 30,
    :now::timestamptz - interval '1 year', 1
FROM fill_customers AS c
JOIN (
    SELECT customer_id, sum(posted) AS posted FROM entries WHERE merchant_id = :merchant GROUP BY customer_id
) AS e ON e.customer_id = c.customer_id
LEFT JOIN (
    SELECT customer_id, sum(amount) AS held
    FROM holds
    WHERE merchant_id = :merchant AND state = 'PENDING'
    GROUP BY customer_id
) AS h ON h.customer_id = c.customer_id;

-- name: forget#
-- Drop what was only needed for filling.
DROP TABLE fill_customers, fill_sales;
