-- name: claim
-- Lock accounts that have an open invoice at a step of their local day and of which nothing was said on it,
-- leaving out those that somebody else works on. An hour in which nothing is due reads one index.
SELECT a.merchant_id, a.customer_id
FROM (
    SELECT DISTINCT i.merchant_id, i.customer_id
    FROM unnest(:zones::text[], :local_dates::date[], :begins::timestamptz[], :due_dates::date[]) AS d (
        time_zone, local_date, begins, due_on
    )
    JOIN invoices AS i ON i.due_on = d.due_on AND i.settled_at IS NULL AND i.issued_at < d.begins
    JOIN accounts AS o
        ON o.merchant_id = i.merchant_id AND o.customer_id = i.customer_id AND o.time_zone = d.time_zone
    WHERE
        i.due_on = any(:due_dates) -- again: of given dates the planner knows how few invoices they have
        AND NOT EXISTS (
            SELECT FROM notices AS n
            WHERE
                n.merchant_id = i.merchant_id
                AND n.customer_id = i.customer_id
                AND n.local_date = d.local_date
        )
) AS k
JOIN accounts AS a ON a.merchant_id = k.merchant_id AND a.customer_id = k.customer_id
LIMIT :size
FOR NO KEY UPDATE OF a SKIP LOCKED;

-- name: add
-- Note what is said; a customer and local day that were spoken of before are left out.
INSERT INTO notices (merchant_id, customer_id, local_date, kind, said_at)
SELECT v.merchant_id, v.customer_id, v.local_date, v.kind, :said_at::timestamptz
FROM unnest(:merchants::text[], :customers::text[], :local_dates::date[], :kinds::text[]) AS v (
    merchant_id, customer_id, local_date, kind
)
ON CONFLICT (merchant_id, customer_id, local_date) DO NOTHING
RETURNING merchant_id, customer_id;

-- name: find_reminder^
-- What a request id said.
SELECT kind, local_date, said_at, fingerprint
FROM reminders
WHERE merchant_id = :merchant_id AND request_id = :request_id;

-- name: add_reminder$
-- Note what was said by hand; no row: another customer's request took the id meanwhile.
INSERT INTO reminders (
    merchant_id, request_id, customer_id, local_date, kind, staff_ref, fingerprint, said_at
)
VALUES (:merchant_id, :request_id, :customer_id, :local_date, :kind, :staff_ref, :fingerprint, :said_at)
ON CONFLICT (merchant_id, request_id) DO NOTHING
RETURNING true;
