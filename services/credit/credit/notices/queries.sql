-- name: claim
-- Lock accounts that have an open invoice at a step of their local day and of which nothing was said on it,
-- leaving out those that somebody else works on. An hour in which nothing is due reads one index: the due dates
-- of the usual steps, and for each merchant with steps of its own (:own_days are counted from a due date) that
-- merchant's part of them.
WITH days AS (
    SELECT * FROM unnest(:zones::text[], :local_dates::date[], :begins::timestamptz[]) AS d (
        time_zone, local_date, begins
    )
),

usual AS (
    SELECT i.merchant_id, i.customer_id
    FROM unnest(
        :usual_zones::text[], :usual_local_dates::date[], :usual_begins::timestamptz[], :usual_due_dates::date[]
    ) AS d (time_zone, local_date, begins, due_on)
    JOIN invoices AS i ON i.due_on = d.due_on AND i.settled_at IS NULL AND i.issued_at < d.begins
    JOIN accounts AS o
        ON o.merchant_id = i.merchant_id AND o.customer_id = i.customer_id AND o.time_zone = d.time_zone
    WHERE
        i.due_on = any(:usual_due_dates) -- again: of given dates the planner knows how few invoices they have
        AND i.merchant_id <> all(:unusual::text[])
        AND NOT EXISTS (
            SELECT FROM notices AS n
            WHERE
                n.merchant_id = i.merchant_id
                AND n.customer_id = i.customer_id
                AND n.local_date = d.local_date
        )
),

own AS (
    SELECT i.merchant_id, i.customer_id
    FROM (
        SELECT s.merchant_id, d.local_date, d.local_date - s.days AS due_on
        FROM unnest(:own_merchants::text[], :own_days::integer[]) AS s (merchant_id, days)
        CROSS JOIN (SELECT DISTINCT local_date FROM days) AS d
    ) AS p
    CROSS JOIN LATERAL (
        SELECT v.merchant_id, v.customer_id
        FROM invoices AS v
        JOIN accounts AS o ON o.merchant_id = v.merchant_id AND o.customer_id = v.customer_id
        JOIN days AS d ON d.time_zone = o.time_zone AND d.local_date = p.local_date AND v.issued_at < d.begins
        WHERE
            -- Equal, written so that only the index of due dates fits, whatever the planner believes.
            (v.due_on, v.merchant_id) >= (p.due_on, p.merchant_id)
            AND (v.due_on, v.merchant_id) <= (p.due_on, p.merchant_id)
            AND v.settled_at IS NULL
            AND NOT EXISTS (
                SELECT FROM notices AS n
                WHERE
                    n.merchant_id = v.merchant_id
                    AND n.customer_id = v.customer_id
                    AND n.local_date = p.local_date
            )
        ORDER BY v.due_on, v.merchant_id, v.customer_id
        LIMIT :size
    ) AS i
)

SELECT a.merchant_id, a.customer_id, a.time_zone
FROM (
    SELECT merchant_id, customer_id FROM usual
    UNION
    SELECT merchant_id, customer_id FROM own
    LIMIT :size::bigint * 5 -- more than are locked at a time; and the planner knows that these are few
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
