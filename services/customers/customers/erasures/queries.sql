-- name: lock_status$
-- The lock of everything of a customer; answers where the customer stands.
SELECT status FROM customers
WHERE merchant_id = :merchant_id AND customer_id = :customer_id
FOR NO KEY UPDATE;

-- name: ask!
-- Note that a customer is to be erased; the first word stays.
INSERT INTO erasures (
    merchant_id, customer_id, state, reason, subject, origin, asked_at, retry_at
)
VALUES (
    :merchant_id, :customer_id, :state, :reason, :subject, :origin, :asked_at,
    now() + make_interval(secs => :lease_s)
)
ON CONFLICT DO NOTHING;

-- name: erasure^
-- How far an erasure has come.
SELECT merchant_id, customer_id, state, asked_at, erased_at FROM erasures
WHERE merchant_id = :merchant_id AND customer_id = :customer_id;

-- name: move!
-- The next state of an erasure.
UPDATE erasures SET state = :state
WHERE merchant_id = :merchant_id AND customer_id = :customer_id AND erased_at IS NULL;

-- name: set_status!
-- Where the customer stands now; nobody is told of what is only on its way.
UPDATE customers SET status = :status
WHERE merchant_id = :merchant_id AND customer_id = :customer_id;

-- name: clear!
-- All that describes the person, and the last word on where the customer stands.
UPDATE customers SET
    status = 'ERASED', gender = '', city = '', province = '', category = '', credit_limit_wished = 0,
    language = '', time_zone = '', acquisition_source = '', home_store_id = '',
    updated_at = :now, revision = revision + 1
WHERE merchant_id = :merchant_id AND customer_id = :customer_id;

-- name: drop_codes!
-- Member codes are printed on cards that name a person.
DELETE FROM member_codes WHERE merchant_id = :merchant_id AND customer_id = :customer_id;

-- name: drop_claims!
-- Codes that an update was about to take.
DELETE FROM member_code_claims WHERE merchant_id = :merchant_id AND claimer = :customer_id::text;

-- name: done!
-- An erasure that is done.
UPDATE erasures SET state = 'ERASED', erased_at = :now
WHERE merchant_id = :merchant_id AND customer_id = :customer_id;

-- name: claim
-- Erasures that nobody works on, oldest first; the lease is the claim.
UPDATE erasures AS e SET retry_at = now() + make_interval(secs => :lease_s)
FROM (
    SELECT merchant_id, customer_id FROM erasures
    WHERE erased_at IS NULL AND retry_at <= now()
    ORDER BY retry_at
    LIMIT :size
    FOR NO KEY UPDATE SKIP LOCKED
) AS c
WHERE e.merchant_id = c.merchant_id AND e.customer_id = c.customer_id
RETURNING e.merchant_id, e.customer_id;

-- name: hurry!
-- Something was settled: erasures that waited for it need not wait for their turn.
UPDATE erasures AS e SET retry_at = now()
FROM unnest(:merchants::text[], :customers::text[]) AS w (merchant_id, customer_id)
WHERE e.merchant_id = w.merchant_id AND e.customer_id = w.customer_id AND e.erased_at IS NULL;

-- name: page
-- A page of all erasures in id order, for the list that is kept outside.
SELECT merchant_id, customer_id, state, reason, asked_at, erased_at FROM erasures
WHERE (merchant_id, customer_id) > (:after_merchant, :after_customer)
ORDER BY merchant_id, customer_id
LIMIT :size;

-- name: open
-- How many are on their way and since when the oldest is, by state.
SELECT state, count(*) AS erasures, min(asked_at) AS since FROM erasures WHERE erased_at IS NULL GROUP BY state;
