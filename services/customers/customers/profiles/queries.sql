-- name: lock_customers
-- The lock of everything that belongs to these customers: their rows, in id order.
SELECT c.merchant_id, c.customer_id, c.revision FROM customers AS c
INNER JOIN unnest(:merchants::text[], :customers::text[]) AS w (merchant_id, customer_id)
    ON c.merchant_id = w.merchant_id AND c.customer_id = w.customer_id
ORDER BY c.merchant_id, c.customer_id
FOR NO KEY UPDATE OF c;

-- name: insert_customer^
-- A customer exists from here on; nothing comes back where somebody was faster with the same registration.
INSERT INTO customers (
    merchant_id, customer_id, kind, gender, city, province, credit_limit_wished, language, time_zone,
    acquisition_source, home_store_id, registered_at, updated_at, revision
)
VALUES (
    :merchant_id, :customer_id, :kind, :gender, :city, :province, :credit_limit_wished, :language, :time_zone,
    :acquisition_source, :home_store_id, :registered_at, :updated_at, 1
)
ON CONFLICT DO NOTHING
RETURNING customer_id;

-- name: update_customer^
-- The neutral part of an update; null leaves a field as it is. Nothing is written of who is being erased,
-- and who waits to be stays RESTRICTED.
UPDATE customers SET
    gender = coalesce(:gender, gender),
    city = coalesce(:city, city),
    province = coalesce(:province, province),
    status = CASE
        WHEN :status::text <> 'RESTRICTED' AND EXISTS (
            SELECT 1 FROM erasures AS e
            WHERE
                e.merchant_id = :merchant_id AND e.customer_id = :customer_id AND e.state = 'OPEN_BALANCE'
        ) THEN status
        ELSE coalesce(:status::text, status)
    END,
    language = coalesce(:language, language),
    time_zone = coalesce(:time_zone, time_zone),
    acquisition_source = coalesce(:acquisition_source, acquisition_source),
    updated_at = :updated_at,
    revision = :revision
WHERE
    merchant_id = :merchant_id AND customer_id = :customer_id
    AND status NOT IN ('ERASING', 'ERASED')
RETURNING status, time_zone, language, home_store_id, revision;

-- name: drop_codes!
-- Member codes that are replaced.
DELETE FROM member_codes
WHERE merchant_id = :merchant_id AND customer_id = :customer_id AND code <> ALL(:codes::text[]);

-- name: put_codes!
-- New member codes; one that somebody else holds is left with them.
INSERT INTO member_codes (merchant_id, code, customer_id)
SELECT :merchant_id, c.code, :customer_id FROM unnest(:codes::text[]) AS c (code)
ORDER BY c.code
ON CONFLICT DO NOTHING;

-- name: claim_codes
-- Claim codes in order; those come back that nobody else has claimed within the lease.
INSERT INTO member_code_claims AS m (merchant_id, code, claimer)
SELECT :merchant_id, c.code, :claimer FROM unnest(:codes::text[]) AS c (code)
ORDER BY c.code
ON CONFLICT (merchant_id, code) DO UPDATE SET claimer = excluded.claimer, claimed_at = excluded.claimed_at
WHERE m.claimer = excluded.claimer OR m.claimed_at < now() - make_interval(secs => :lease_s)
RETURNING code;

-- name: release_codes!
-- Claims of a write that was refused.
DELETE FROM member_code_claims
WHERE merchant_id = :merchant_id AND claimer = :claimer AND code = ANY(:codes::text[]);

-- name: settle_codes!
-- Claims that came true.
DELETE FROM member_code_claims AS k USING member_codes AS m
WHERE
    m.merchant_id = :merchant_id AND m.customer_id = :customer_id AND m.code = ANY(:codes::text[])
    AND k.merchant_id = m.merchant_id AND k.code = m.code;

-- name: code_held_by_other$
-- A member code among these that somebody else holds.
SELECT min(code) FROM member_codes
WHERE merchant_id = :merchant_id AND code = ANY(:codes::text[]) AND customer_id <> :customer_id;

-- name: facts
-- What is known of customers of one or many merchants.
SELECT
    c.merchant_id, c.customer_id, c.kind, c.gender, c.city, c.province, c.status, c.category,
    c.credit_limit_wished, c.language, c.time_zone, c.acquisition_source, c.home_store_id, c.registered_at,
    c.updated_at, c.revision,
    ARRAY(
        SELECT m.code FROM member_codes AS m
        WHERE m.merchant_id = c.merchant_id AND m.customer_id = c.customer_id ORDER BY m.code
    ) AS member_codes
FROM unnest(:merchants::text[], :customers::text[]) AS w (merchant_id, customer_id)
INNER JOIN customers AS c ON c.merchant_id = w.merchant_id AND c.customer_id = w.customer_id;

-- name: erasure_waits$
-- Whether a customer waits to be erased.
SELECT true FROM erasures
WHERE merchant_id = :merchant_id AND customer_id = :customer_id AND state = 'OPEN_BALANCE';

-- name: existing
-- Which of these customers exist.
SELECT c.merchant_id, c.customer_id
FROM unnest(:merchants::text[], :customers::text[]) AS w (merchant_id, customer_id)
INNER JOIN customers AS c ON c.merchant_id = w.merchant_id AND c.customer_id = w.customer_id;

-- name: recognise
-- Who is meant by an id or by a member code; erased ones are nobody. `no` numbers the requests of a batch.
SELECT w.no, c.merchant_id, c.customer_id, c.status, c.category, c.kind, c.language
FROM unnest(:nos::integer[], :merchants::text[], :customers::text[], :codes::text[])
AS w (no, merchant_id, customer_id, code)
LEFT JOIN member_codes AS m ON m.merchant_id = w.merchant_id AND m.code = w.code
INNER JOIN customers AS c
    ON c.merchant_id = w.merchant_id AND c.customer_id = coalesce(m.customer_id, w.customer_id)
WHERE c.status NOT IN ('ERASING', 'ERASED')
ORDER BY w.no, c.customer_id;

-- name: set_categories!
-- The category as loyalty says, unless a later word was heard before; an erased customer has none.
UPDATE customers AS c SET category = t.category, category_revision = t.revision
FROM unnest(:merchants::text[], :customers::text[], :categories::text[], :revisions::bigint[])
AS t (merchant_id, customer_id, category, revision)
WHERE
    c.merchant_id = t.merchant_id AND c.customer_id = t.customer_id
    AND c.category_revision < t.revision AND c.status <> 'ERASED';
