-- name: read_for_authorize
-- One row a request, in order: the account if it is known, since when the longest due of its open invoices
-- is due, the hold if its id is. The first row says which version of its policy decides for each shop, in the
-- order of :shops, 0 for none: one probe of an index a shop, however many requests it has here.
SELECT
    a.merchant_id,
    a.customer_id,
    a.status,
    a.currency_code,
    a.minor_digits,
    a.time_zone,
    a.credit_limit,
    a.posted,
    a.held,
    a.credit_balance,
    a.net_days,
    a.due_day,
    a.override_limit,
    a.override_until,
    a.limit_wished,
    a.erased_at,
    a.merged_into,
    a.opened_at,
    a.revision,
    a.store_limited,
    a.limit_policy,
    a.limit_again_on,
    (
        SELECT min(i.due_on)
        FROM invoices AS i
        WHERE i.merchant_id = k.merchant_id AND i.customer_id = k.customer_id AND i.settled_at IS NULL
    ) AS oldest_due,
    h.merchant_id AS hold_merchant_id,
    h.hold_id,
    h.customer_id AS hold_customer_id,
    h.state,
    h.amount,
    h.captured,
    h.reason,
    h.available,
    h.invoice_id,
    h.fingerprint,
    h.decided_at,
    h.expires_at,
    h.allowance_id,
    CASE WHEN k.position = 1 THEN (
        SELECT array_agg(
            coalesce((
                SELECT p.version
                FROM policies AS p
                WHERE p.merchant_id = s.merchant_id AND p.effective_from <= :at::timestamptz
                ORDER BY p.effective_from DESC, p.version DESC
                LIMIT 1
            ), 0) ORDER BY s.position
        )
        FROM unnest(:shops::text[]) WITH ORDINALITY AS s (merchant_id, position)
    ) END AS policy_versions
FROM
    unnest(:merchants::text[], :customers::text[], :hold_ids::uuid[])
    WITH ORDINALITY AS k (merchant_id, customer_id, hold_id, position)
LEFT JOIN accounts AS a ON a.merchant_id = k.merchant_id AND a.customer_id = k.customer_id
LEFT JOIN holds AS h ON h.merchant_id = k.merchant_id AND h.hold_id = k.hold_id
ORDER BY k.position;

-- name: read
-- The holds that exist, in no order.
SELECT
    h.merchant_id AS hold_merchant_id,
    h.hold_id,
    h.customer_id AS hold_customer_id,
    h.state,
    h.amount,
    h.captured,
    h.reason,
    h.available,
    h.invoice_id,
    h.fingerprint,
    h.decided_at,
    h.expires_at,
    h.allowance_id
FROM unnest(:merchants::text[], :hold_ids::uuid[]) AS k (merchant_id, hold_id)
JOIN holds AS h ON h.merchant_id = k.merchant_id AND h.hold_id = k.hold_id;

-- name: store_of$
-- The store at which a hold was decided.
SELECT store_id FROM holds WHERE merchant_id = :merchant_id AND hold_id = :hold_id;

-- name: add
-- Write decided holds and move the cached held by them; an id that another customer took meanwhile is
-- left out and moves nothing.
WITH new AS (
    INSERT INTO holds (
        merchant_id, hold_id, customer_id, state, amount, reason, available, fingerprint, store_id, register_id,
        staff_ref, recognised_by, origin, decided_at, expires_at, store_limited
    )
    SELECT v.*
    FROM unnest(
        :merchants::text[], :hold_ids::uuid[], :customers::text[], :states::text[], :amounts::bigint[],
        :reasons::text[], :available::bigint[], :fingerprints::bytea[], :stores::text[], :registers::text[],
        :staff::text[], :recognised::integer[], :origins::bytea[], :decided_at::timestamptz[],
        :expires_at::timestamptz[], :store_limited::boolean[]
    ) AS v
    ON CONFLICT (merchant_id, hold_id) DO NOTHING
    RETURNING merchant_id, hold_id, customer_id, state, amount
),

sums AS (
    SELECT merchant_id, customer_id, sum(amount)::bigint AS held
    FROM new
    WHERE state = 'PENDING'
    GROUP BY merchant_id, customer_id
),

moved AS (
    UPDATE accounts AS a
    SET held = a.held + s.held
    FROM sums AS s
    WHERE a.merchant_id = s.merchant_id AND a.customer_id = s.customer_id
)

SELECT merchant_id, hold_id FROM new;

-- name: close!
-- Capture or void holds of locked accounts and release what they kept aside.
WITH v AS (
    SELECT *
    FROM unnest(
        :merchants::text[], :hold_ids::uuid[], :states::text[], :captured::bigint[], :invoices::uuid[],
        :origins::bytea[], :released::bigint[]
    ) AS u (merchant_id, hold_id, state, captured, invoice_id, closed_origin, released)
),

closed AS (
    UPDATE holds AS h
    SET
        state = v.state,
        captured = v.captured,
        invoice_id = v.invoice_id,
        closed_origin = v.closed_origin
    FROM v
    WHERE h.merchant_id = v.merchant_id AND h.hold_id = v.hold_id
    RETURNING h.merchant_id, h.customer_id, v.released
),

sums AS (
    SELECT merchant_id, customer_id, sum(released)::bigint AS released
    FROM closed
    GROUP BY merchant_id, customer_id
)

UPDATE accounts AS a
SET held = a.held - s.released
FROM sums AS s
WHERE a.merchant_id = s.merchant_id AND a.customer_id = s.customer_id;

-- name: claim_lapsed
-- Lock accounts with pending holds that are over at an instant, but for customers of whom something is
-- parked and for holds that a parked sale names, also another buyer's or one under an id that was merged since:
-- an event carries the hold's id as text. Leaves out those that somebody else works on. Nothing over: one probe
-- of holds_pending.
SELECT a.merchant_id, a.customer_id
FROM (
    SELECT DISTINCT h.merchant_id, h.customer_id
    FROM holds AS h
    WHERE
        h.state = 'PENDING'
        AND h.expires_at <= :until
        AND NOT EXISTS (
            SELECT FROM parked_events AS p
            WHERE p.merchant_id = h.merchant_id AND p.key = h.customer_id
        )
        AND NOT EXISTS (
            SELECT FROM parked_events AS p
            WHERE
                p.merchant_id = h.merchant_id
                AND p.type = 'purchase-completed'
                AND position(convert_to(h.hold_id::text, 'UTF8') IN p.payload) > 0
        )
) AS k
JOIN accounts AS a ON a.merchant_id = k.merchant_id AND a.customer_id = k.customer_id
LIMIT :size
FOR NO KEY UPDATE OF a SKIP LOCKED;

-- name: lapsed
-- The pending holds of locked accounts that are over at an instant, and whether something of their customer
-- is parked, or a sale that names them.
SELECT
    h.merchant_id AS hold_merchant_id,
    h.hold_id,
    h.customer_id AS hold_customer_id,
    h.state,
    h.amount,
    h.captured,
    h.reason,
    h.available,
    h.invoice_id,
    h.fingerprint,
    h.decided_at,
    h.expires_at,
    h.allowance_id,
    EXISTS (
        SELECT FROM parked_events AS p
        WHERE
            p.merchant_id = h.merchant_id
            AND (
                p.key = h.customer_id
                OR (
                    p.type = 'purchase-completed'
                    AND position(convert_to(h.hold_id::text, 'UTF8') IN p.payload) > 0
                )
            )
    ) AS parked
FROM unnest(:merchants::text[], :customers::text[]) AS k (merchant_id, customer_id)
JOIN holds AS h
    ON h.merchant_id = k.merchant_id AND h.customer_id = k.customer_id
    AND h.state = 'PENDING' AND h.expires_at <= :until;

-- name: is_due_between$
-- Whether a pending hold that nothing parked protects is over after one instant and by another.
SELECT EXISTS (
    SELECT FROM holds AS h
    WHERE
        h.state = 'PENDING'
        AND h.expires_at > :after
        AND h.expires_at <= :until
        AND NOT EXISTS (
            SELECT FROM parked_events AS p
            WHERE p.merchant_id = h.merchant_id AND p.key = h.customer_id
        )
        AND NOT EXISTS (
            SELECT FROM parked_events AS p
            WHERE
                p.merchant_id = h.merchant_id
                AND p.type = 'purchase-completed'
                AND position(convert_to(h.hold_id::text, 'UTF8') IN p.payload) > 0
        )
);

-- name: keep!
-- Keep a pending hold of a locked account for longer.
UPDATE holds
SET expires_at = :expires_at, extended_origin = :origin
WHERE merchant_id = :merchant_id AND hold_id = :hold_id;

-- name: put_under!
-- Note under which allowance new holds were made.
UPDATE holds AS h
SET allowance_id = :allowance_id
FROM unnest(:merchants::text[], :hold_ids::uuid[]) AS k (merchant_id, hold_id)
WHERE h.merchant_id = k.merchant_id AND h.hold_id = k.hold_id;
