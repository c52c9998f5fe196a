-- name: customers
-- The customers behind one, in order.
SELECT merchant_id, customer_id FROM customers
WHERE (merchant_id, customer_id) > (:merchant_id, :customer_id)
ORDER BY merchant_id, customer_id
LIMIT :size;

-- name: people
-- In the vault: the records behind one, in order.
SELECT merchant_id, customer_id FROM people
WHERE (merchant_id, customer_id) > (:merchant_id, :customer_id)
ORDER BY merchant_id, customer_id
LIMIT :size;

-- name: statistics
-- Visits, spend, first and last purchase that are not the fold of the purchases of which something is left.
SELECT k.merchant_id, k.customer_id, v.what, v.must, v.found
FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
LEFT JOIN customer_statistics AS s
    ON s.merchant_id = k.merchant_id AND s.customer_id = k.customer_id
CROSS JOIN LATERAL (
    SELECT
        count(*) AS visits, coalesce(sum(total_left), 0) AS spend,
        min(effective_at) AS first_at, max(effective_at) AS last_at
    FROM purchases
    WHERE
        merchant_id = k.merchant_id AND customer_id = k.customer_id AND customer_id <> '' AND total_left > 0
) AS p
CROSS JOIN LATERAL (
    VALUES
    ('visits', p.visits::text, coalesce(s.visits, 0)::text),
    ('spend', p.spend::text, coalesce(s.spend, 0)::text),
    ('first_purchase_at', coalesce(p.first_at::text, ''), coalesce(s.first_purchase_at::text, '')),
    ('last_purchase_at', coalesce(p.last_at::text, ''), coalesce(s.last_purchase_at::text, ''))
) AS v (what, must, found)
WHERE v.must <> v.found;

-- name: purchases
-- What is left of purchases, their revision and status that are not the fold of their returns.
SELECT k.merchant_id, k.customer_id, v.what || ' of purchase ' || p.purchase_id AS what, v.must, v.found
FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
INNER JOIN purchases AS p
    ON p.merchant_id = k.merchant_id AND p.customer_id = k.customer_id AND p.customer_id <> ''
CROSS JOIN LATERAL (
    SELECT count(*) AS returns, coalesce(sum(total), 0) AS total, min(total_left) AS least_left
    FROM purchase_returns
    WHERE merchant_id = p.merchant_id AND purchase_id = p.purchase_id
) AS r
CROSS JOIN LATERAL (
    VALUES
    ('total_left', (p.total - r.total)::text, p.total_left::text),
    ('total_left, by the last return', coalesce(r.least_left, p.total)::text, p.total_left::text),
    ('revision', (1 + r.returns)::text, p.revision::text),
    (
        'status',
        CASE WHEN r.returns = 0 THEN 'COMPLETED' ELSE 'returned' END,
        CASE WHEN p.status = 'COMPLETED' THEN 'COMPLETED' ELSE 'returned' END
    )
) AS v (what, must, found)
WHERE v.must <> v.found;

-- name: bodies
-- The newest facts as they were told, beside what their rows say; older ones were looked at when they were
-- new, and a page must stay short.
SELECT p.merchant_id, p.customer_id, p.purchase_id, p.total, p.effective_at, p.body
FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
CROSS JOIN LATERAL (
    SELECT b.* FROM purchases AS b
    WHERE b.merchant_id = k.merchant_id AND b.customer_id = k.customer_id AND b.customer_id <> ''
    ORDER BY b.effective_at DESC, b.purchase_id DESC
    LIMIT 50
) AS p;

-- name: unsent
-- Events of these customers that wait for Kafka, beside the facts that they tell; newest first.
SELECT o.merchant_id, o.key AS customer_id, o.event_id, o.type, o.payload
FROM outbox AS o
INNER JOIN unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
    ON o.merchant_id = k.merchant_id AND o.key = k.customer_id
WHERE o.type IN ('purchase-completed', 'purchase-returned');

-- name: told
-- Which of these purchases and returns were recorded.
SELECT merchant_id, purchase_id AS id FROM purchases
WHERE (merchant_id, purchase_id) IN (SELECT w.m, w.i FROM unnest(:merchants::text[], :ids::uuid[]) AS w (m, i))
UNION ALL
SELECT merchant_id, return_id AS id FROM purchase_returns
WHERE (merchant_id, return_id) IN (SELECT w.m, w.i FROM unnest(:merchants::text[], :ids::uuid[]) AS w (m, i));

-- name: known
-- Where customers stand.
SELECT c.merchant_id, c.customer_id, c.status, c.revision
FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
INNER JOIN customers AS c ON c.merchant_id = k.merchant_id AND c.customer_id = k.customer_id;

-- name: sealed
-- In the vault: versions, and the newest change that is pending.
SELECT
    k.merchant_id, k.customer_id, p.version,
    (
        SELECT max(n.version) FROM pending AS n
        WHERE n.merchant_id = k.merchant_id AND n.customer_id = k.customer_id
    ) AS pending
FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
LEFT JOIN people AS p ON p.merchant_id = k.merchant_id AND p.customer_id = k.customer_id;

-- name: points
-- In the vault: live addresses that nobody finds, and entries of the index without a live address.
SELECT
    coalesce(c.merchant_id, i.merchant_id) AS merchant_id,
    coalesce(c.customer_id, i.customer_id) AS customer_id,
    CASE
        WHEN i.customer_id IS NULL THEN 'index entry of contact point ' || c.point_id
        ELSE 'live contact point of an index entry of kind ' || i.kind
    END AS what,
    'one' AS must,
    'none' AS found
FROM (
    SELECT
        p.merchant_id, p.customer_id, p.token, min(p.point_id) AS point_id,
        CASE p.channel WHEN 'EMAIL' THEN 'email' ELSE 'number' END AS kind
    FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
    INNER JOIN contact_points AS p ON p.merchant_id = k.merchant_id AND p.customer_id = k.customer_id
    WHERE p.valid_to IS NULL
    GROUP BY 1, 2, 3, 5
) AS c
FULL JOIN (
    SELECT x.* FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
    INNER JOIN contact_index AS x ON x.merchant_id = k.merchant_id AND x.customer_id = k.customer_id
) AS i
    ON
        i.merchant_id = c.merchant_id AND i.customer_id = c.customer_id AND i.kind = c.kind
        AND i.token = c.token
WHERE c.customer_id IS NULL OR i.customer_id IS NULL;

-- name: holders
-- In the vault: addresses with several holders of whom not every one says that it is shared.
SELECT
    i.merchant_id, i.customer_id, 'holders of an address of kind ' || i.kind AS what, '1' AS must,
    n.holders::text AS found
FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
INNER JOIN contact_index AS i ON i.merchant_id = k.merchant_id AND i.customer_id = k.customer_id
CROSS JOIN LATERAL (
    SELECT count(*) AS holders, bool_and(o.shared) AS all_shared FROM contact_index AS o
    WHERE o.merchant_id = i.merchant_id AND o.kind = i.kind AND o.token = i.token
) AS n
WHERE n.holders > 1 AND NOT n.all_shared;
