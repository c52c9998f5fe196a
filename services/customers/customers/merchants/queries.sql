-- name: read_shops
-- What holds in each of the stores asked for; nothing for a merchant that is not set.
SELECT
    w.merchant_id,
    w.store_id,
    (w.store_id = '' OR s.store_id IS NOT NULL) AS known,
    coalesce(nullif(s.name, ''), m.name) AS name,
    m.currency_code,
    m.minor_digits,
    coalesce(nullif(s.time_zone, ''), m.time_zone) AS time_zone,
    m.locale,
    coalesce(s.quiet_from, m.quiet_from) AS quiet_from,
    coalesce(s.quiet_to, m.quiet_to) AS quiet_to,
    coalesce(s.greeting_from, m.greeting_from) AS greeting_from,
    coalesce(s.greeting_to, m.greeting_to) AS greeting_to
FROM unnest(:merchants::text[], :stores::text[]) AS w (merchant_id, store_id)
INNER JOIN merchants AS m ON m.merchant_id = w.merchant_id
LEFT JOIN stores AS s ON s.merchant_id = w.merchant_id AND s.store_id = w.store_id;

-- name: register_stores
-- Stores that a till named first; in id order, so that two batches cannot wait for each other.
INSERT INTO stores (merchant_id, store_id, self_registered, updated_at)
SELECT w.merchant_id, w.store_id, true, :now
FROM unnest(:merchants::text[], :stores::text[]) AS w (merchant_id, store_id)
ORDER BY w.merchant_id, w.store_id
ON CONFLICT DO NOTHING
RETURNING merchant_id, store_id;

-- name: remember_request^
-- Remember a write; nothing comes back where the id was used before.
INSERT INTO requests (merchant_id, kind, request_id, fingerprint, recorded_at)
VALUES (:merchant_id, :kind, :request_id::uuid, :fingerprint, :now)
ON CONFLICT DO NOTHING
RETURNING request_id;

-- name: request_fingerprint$
-- The content of a remembered write.
SELECT fingerprint FROM requests
WHERE merchant_id = :merchant_id AND kind = :kind AND request_id = :request_id::uuid;

-- name: lock_merchant^
-- The merchant's row, locked: its currency must not change under a concurrent first call.
SELECT currency_code, minor_digits FROM merchants
WHERE merchant_id = :merchant_id FOR NO KEY UPDATE;

-- name: merchant^
-- One merchant.
SELECT * FROM merchants WHERE merchant_id = :merchant_id;

-- name: put_merchant!
-- Set a merchant; the currency of an existing one stays.
INSERT INTO merchants (
    merchant_id, name, currency_code, minor_digits, time_zone, locale,
    quiet_from, quiet_to, greeting_from, greeting_to, updated_at
)
VALUES (
    :merchant_id, :name, :currency_code, :minor_digits, :time_zone, :locale,
    :quiet_from, :quiet_to, :greeting_from, :greeting_to, :now
)
ON CONFLICT (merchant_id) DO UPDATE SET
name = excluded.name, time_zone = excluded.time_zone, locale = excluded.locale,
quiet_from = excluded.quiet_from, quiet_to = excluded.quiet_to,
greeting_from = excluded.greeting_from, greeting_to = excluded.greeting_to,
updated_at = excluded.updated_at;

-- name: store^
-- One store.
SELECT * FROM stores WHERE merchant_id = :merchant_id AND store_id = :store_id;

-- name: put_store!
-- Set a store; one that registered itself becomes a known one.
INSERT INTO stores (
    merchant_id, store_id, name, time_zone, city, province,
    quiet_from, quiet_to, greeting_from, greeting_to, self_registered, updated_at
)
VALUES (
    :merchant_id, :store_id, :name, :time_zone, :city, :province,
    :quiet_from, :quiet_to, :greeting_from, :greeting_to, false, :now
)
ON CONFLICT (merchant_id, store_id) DO UPDATE SET
name = excluded.name, time_zone = excluded.time_zone, city = excluded.city, province = excluded.province,
quiet_from = excluded.quiet_from, quiet_to = excluded.quiet_to,
greeting_from = excluded.greeting_from, greeting_to = excluded.greeting_to,
self_registered = false, updated_at = excluded.updated_at;

-- name: list_stores
-- A page of stores by id, after a position.
SELECT * FROM stores
WHERE
    merchant_id = :merchant_id AND store_id > :after
    AND (NOT :self_registered_only OR self_registered)
ORDER BY store_id
LIMIT :size;
