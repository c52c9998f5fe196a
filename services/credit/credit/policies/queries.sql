-- name: in_force
-- The version that decides for each of these merchants at an instant: one probe of an index a merchant. Those
-- without one are left out.
SELECT m.merchant_id, p.version
FROM unnest(:merchants::text[]) AS m (merchant_id)
CROSS JOIN LATERAL (
    SELECT version
    FROM policies
    WHERE merchant_id = m.merchant_id AND effective_from <= :at::timestamptz
    ORDER BY effective_from DESC, version DESC
    LIMIT 1
) AS p;

-- name: every_in_force
-- The version that decides for each merchant that has one, at an instant.
SELECT DISTINCT ON (merchant_id) merchant_id, version
FROM policies
WHERE effective_from <= :at::timestamptz
ORDER BY merchant_id, effective_from DESC, version DESC;

-- name: newest$
-- A merchant's newest version.
SELECT version FROM policy_heads WHERE merchant_id = :merchant_id;

-- name: contents
-- The content of versions.
SELECT p.merchant_id, p.version, p.content::text AS content
FROM unnest(:merchants::text[], :versions::bigint[]) AS k (merchant_id, version)
JOIN policies AS p ON p.merchant_id = k.merchant_id AND p.version = k.version;

-- name: by_request^
-- What a request id set before.
SELECT version, fingerprint FROM policies WHERE merchant_id = :merchant_id AND request_id = :request_id;

-- name: lock_head!
-- Lock the merchant's head row, made where it is missing: SetPolicy is one at a time for a merchant.
INSERT INTO policy_heads (merchant_id, version) VALUES (:merchant_id, 0)
ON CONFLICT (merchant_id) DO UPDATE SET version = policy_heads.version;

-- name: next_version$
-- The version after the newest; the head is locked.
UPDATE policy_heads SET version = version + 1 WHERE merchant_id = :merchant_id RETURNING version;

-- name: add!
-- Keep a new version.
INSERT INTO policies (merchant_id, version, request_id, fingerprint, effective_from, set_at, content)
VALUES (:merchant_id, :version, :request_id, :fingerprint, :effective_from, :set_at, :content::text::jsonb);

-- name: named_plugins
-- The plugins that policies in force, or to come, name. Wall time: it is asked before a roll.
WITH deciding AS (
    SELECT p.merchant_id, p.content
    FROM policies AS p
    WHERE p.effective_from >= (
        SELECT coalesce(max(q.effective_from), '-infinity')
        FROM policies AS q
        WHERE q.merchant_id = p.merchant_id AND q.effective_from <= now()
    )
)

SELECT v.kind, v.plugin, count(DISTINCT d.merchant_id) AS merchants, min(d.merchant_id) AS example
FROM deciding AS d
CROSS JOIN LATERAL (
    VALUES
    ('dunning', d.content -> 'dunning' ->> 'plugin'),
    ('limits', d.content -> 'limits' ->> 'plugin')
) AS v (kind, plugin)
WHERE v.plugin IS NOT NULL
GROUP BY v.kind, v.plugin
ORDER BY v.kind, v.plugin;
