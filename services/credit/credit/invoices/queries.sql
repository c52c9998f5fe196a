-- name: find
-- The invoices with these ids, in no order.
SELECT i.*
FROM unnest(:merchants::text[], :invoice_ids::uuid[]) AS k (merchant_id, invoice_id)
JOIN invoices AS i ON i.merchant_id = k.merchant_id AND i.invoice_id = k.invoice_id;

-- name: find_by_tender
-- The invoices of these tenders, in no order.
SELECT i.*
FROM unnest(:merchants::text[], :purchase_ids::uuid[], :tender_ids::text[]) AS k (
    merchant_id, purchase_id, tender_id
)
JOIN invoices AS i
    ON i.merchant_id = k.merchant_id AND i.purchase_id = k.purchase_id AND i.tender_id = k.tender_id;

-- name: save!
-- Write invoices of locked accounts: new ones, and what moved on old ones.
INSERT INTO invoices AS i (
    merchant_id, invoice_id, customer_id, purchase_id, tender_id, hold_id, amount, paid, returned, issued_on,
    due_on, issued_at, settled_at, exception, written_off, store_id
)
SELECT
    v.merchant_id, v.invoice_id, v.customer_id, v.purchase_id, v.tender_id, v.hold_id, v.amount, v.paid, v.returned,
    v.issued_on, v.due_on, v.issued_at, v.settled_at, v.exception, v.written_off, v.store_id
FROM unnest(
    :merchants::text[], :invoice_ids::uuid[], :customers::text[], :purchases::uuid[], :tenders::text[],
    :holds::uuid[], :amounts::bigint[], :paid::bigint[], :returned::bigint[], :issued_on::date[],
    :due_on::date[], :issued_at::timestamptz[], :settled_at::timestamptz[], :exceptions::text[],
    :written_off::bigint[], :stores::text[]
) WITH ORDINALITY AS v (
    merchant_id, invoice_id, customer_id, purchase_id, tender_id, hold_id, amount, paid, returned, issued_on,
    due_on, issued_at, settled_at, exception, written_off, store_id, position
)
ORDER BY v.position  -- the invoices' numbers follow it
ON CONFLICT (merchant_id, invoice_id) DO UPDATE
SET
    purchase_id = excluded.purchase_id,
    tender_id = excluded.tender_id,
    exception = excluded.exception,
    paid = excluded.paid,
    returned = excluded.returned,
    written_off = excluded.written_off,
    settled_at = excluded.settled_at;

-- name: oldest_open
-- The oldest open invoices of an account that together owe at least an amount; of the same age, the one that
-- was booked first.
SELECT i.*
FROM (
    SELECT
        o.*,
        sum(o.outstanding - o.written_off) OVER (ORDER BY o.issued_at, o.number NULLS FIRST, o.invoice_id)
        - (o.outstanding - o.written_off) AS owed_before
    FROM invoices AS o
    WHERE o.merchant_id = :merchant_id AND o.customer_id = :customer_id AND o.settled_at IS NULL
) AS i
WHERE i.owed_before < :amount::bigint
ORDER BY i.issued_at, i.number NULLS FIRST, i.invoice_id;

-- name: due_until
-- The open invoices of each account that are due by a day of its own, in no order.
SELECT i.*
FROM unnest(:merchants::text[], :customers::text[], :until::date[]) AS k (merchant_id, customer_id, until)
JOIN invoices AS i
    ON i.merchant_id = k.merchant_id AND i.customer_id = k.customer_id
    AND i.settled_at IS NULL AND i.due_on <= k.until;

-- name: page
-- A page of a customer's invoices, newest first.
SELECT *
FROM invoices
WHERE
    merchant_id = :merchant_id
    AND customer_id = :customer_id
    AND (NOT :open_only::boolean OR settled_at IS NULL)
    AND (:purchase_id::uuid IS NULL OR purchase_id = :purchase_id)
    AND due_on BETWEEN :due_from AND :due_until
    AND (issued_at, invoice_id) < (:before_at::timestamptz, :before_id::uuid)
ORDER BY issued_at DESC, invoice_id DESC
LIMIT :size;

-- name: page_of_shop
-- A page of the open invoices of all customers, newest first; each zone has due dates of its own.
SELECT i.*
FROM invoices AS i
JOIN accounts AS a ON a.merchant_id = i.merchant_id AND a.customer_id = i.customer_id
JOIN
    unnest(:zones::text[], :due_from::date[], :due_until::date[]) AS z (time_zone, due_from, due_until)
    ON z.time_zone = a.time_zone AND i.due_on BETWEEN z.due_from AND z.due_until
WHERE
    i.merchant_id = :merchant_id
    AND i.settled_at IS NULL
    AND (:purchase_id::uuid IS NULL OR i.purchase_id = :purchase_id)
    AND (i.issued_at, i.invoice_id) < (:before_at::timestamptz, :before_id::uuid)
ORDER BY i.issued_at DESC, i.invoice_id DESC
LIMIT :size;

-- name: ageing
-- What one customer owes by age, in bands that begin at so many days past the due date.
SELECT
    width_bucket((:today::date - due_on), :bands::integer[]) AS band,
    sum(outstanding - written_off)::bigint AS amount,
    count(*) AS invoices
FROM invoices
WHERE merchant_id = :merchant_id AND customer_id = :customer_id AND settled_at IS NULL
GROUP BY band;

-- name: ageing_of_shop
-- What all customers owe by currency and age; today is each zone's.
SELECT
    a.currency_code,
    a.minor_digits,
    width_bucket((z.today - i.due_on), :bands::integer[]) AS band,
    sum(i.outstanding - i.written_off)::bigint AS amount,
    count(*) AS invoices
FROM invoices AS i
JOIN accounts AS a ON a.merchant_id = i.merchant_id AND a.customer_id = i.customer_id
JOIN unnest(:zones::text[], :todays::date[]) AS z (time_zone, today) ON z.time_zone = a.time_zone
WHERE i.merchant_id = :merchant_id AND i.settled_at IS NULL
GROUP BY a.currency_code, a.minor_digits, band
ORDER BY a.currency_code, a.minor_digits;

-- name: find_write_off^
-- What a request id wrote off.
SELECT fingerprint
FROM write_offs
WHERE merchant_id = :merchant_id AND request_id = :request_id;

-- name: add_write_off$
-- Remember what was given up; no row: another customer's request took the id meanwhile.
INSERT INTO write_offs (
    merchant_id, request_id, customer_id, invoice_id, amount, reason, staff_ref, fingerprint, written_off_at
)
VALUES (
    :merchant_id, :request_id, :customer_id, :invoice_id, :amount, :reason, :staff_ref, :fingerprint,
    :written_off_at
)
ON CONFLICT (merchant_id, request_id) DO NOTHING
RETURNING true;

-- name: mark
-- List what staff must look at; each cause marks once.
INSERT INTO invoice_exceptions (
    merchant_id, exception_id, customer_id, invoice_id, purchase_id, cause_id, kind, amount, marked_at,
    currency_code, minor_digits
)
SELECT v.*
FROM unnest(
    :merchants::text[], :exception_ids::uuid[], :customers::text[], :invoice_ids::uuid[], :purchases::uuid[],
    :causes::uuid[], :kinds::text[], :amounts::bigint[], :marked_at::timestamptz[], :currencies::text[],
    :digits::integer[]
) AS v
ON CONFLICT (merchant_id, exception_id) DO NOTHING
RETURNING customer_id, kind;

-- name: resolve_authorised!
-- Resolve open exceptions of sales whose holds became known.
UPDATE invoice_exceptions AS x
SET resolved_at = v.resolved_at, note = v.note
FROM unnest(:merchants::text[], :exception_ids::uuid[], :notes::text[], :at::timestamptz[])
    AS v (merchant_id, exception_id, note, resolved_at)
WHERE x.merchant_id = v.merchant_id AND x.exception_id = v.exception_id AND x.resolved_at IS NULL;

-- name: open_exceptions
-- How many exceptions are open, by what is amiss; of more than 100,000 the first ones.
SELECT kind, count(*) AS many
FROM (SELECT kind FROM invoice_exceptions WHERE resolved_at IS NULL LIMIT 100000) AS x
GROUP BY kind;

-- name: exceptions_page
-- A page of exceptions, newest first.
SELECT *
FROM invoice_exceptions
WHERE
    merchant_id = :merchant_id
    AND (:customer_id::text = '' OR customer_id = :customer_id)
    AND (:include_resolved::boolean OR resolved_at IS NULL)
    AND (marked_at, exception_id) < (:before_at::timestamptz, :before_id::uuid)
ORDER BY marked_at DESC, exception_id DESC
LIMIT :size;

-- name: find_exception^
-- One exception.
SELECT *
FROM invoice_exceptions
WHERE merchant_id = :merchant_id AND exception_id = :exception_id;

-- name: lock_exception!
-- Lock an exception that belongs to no account, so that two who resolve it come one after the other.
SELECT 1
FROM invoice_exceptions
WHERE merchant_id = :merchant_id AND exception_id = :exception_id AND customer_id = ''
FOR NO KEY UPDATE;

-- name: find_resolution^
-- What a request id resolved.
SELECT exception_id, fingerprint
FROM invoice_exceptions
WHERE merchant_id = :merchant_id AND request_id = :request_id;

-- name: resolve^
-- Note that staff have dealt with an exception.
UPDATE invoice_exceptions
SET resolved_at = :at, note = :note, staff_ref = :staff_ref, request_id = :request_id, fingerprint = :fingerprint
WHERE merchant_id = :merchant_id AND exception_id = :exception_id
RETURNING *;
