-- name: own_in_force
-- The newest own version of each template named, where the merchant has one.
SELECT t.merchant_id, t.template, max(t.version) AS version
FROM template_versions AS t
JOIN unnest(:merchant_ids::text[], :templates::text[]) AS w (merchant_id, template)
USING (merchant_id, template)
GROUP BY t.merchant_id, t.template;

-- name: own_versions
-- Own versions by merchant, template and version.
SELECT t.merchant_id, t.template, t.version, t.based_on, t.texts::text, t.created_at
FROM template_versions AS t
JOIN unnest(:merchant_ids::text[], :templates::text[], :versions::integer[])
    AS w (merchant_id, template, version) USING (merchant_id, template, version);

-- name: list_versions
-- A page of the own versions of a template, newest first.
SELECT merchant_id, template, version, based_on, texts::text, created_at
FROM template_versions
WHERE merchant_id = :merchant_id AND template = :template AND version < :before
ORDER BY version DESC
LIMIT :limit;

-- name: lock_template!
-- One writer at a time a merchant and template, until the transaction ends: versions have no gaps.
SELECT pg_advisory_xact_lock(hashtextextended(:merchant_id || '/' || :template, 0));

-- name: version_of_request^
-- What a request made before.
SELECT merchant_id, template, version, based_on, texts::text, created_at, fingerprint
FROM template_versions
WHERE merchant_id = :merchant_id AND request_id = :request_id::uuid;

-- name: insert_version^
-- Appends a version; the template is locked.
INSERT INTO template_versions (
    merchant_id, template, version, based_on, texts, request_id, fingerprint, created_at
)
SELECT :merchant_id, :template, coalesce(max(version), 1000) + 1, :based_on, :texts::jsonb,
    :request_id::uuid, :fingerprint, :created_at::timestamptz
FROM template_versions
WHERE merchant_id = :merchant_id AND template = :template
RETURNING merchant_id, template, version, based_on, texts::text, created_at;
