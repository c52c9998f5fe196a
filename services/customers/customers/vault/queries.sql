-- name: remember_request^
-- Remember a write; nothing comes back where the id was used before.
INSERT INTO requests (merchant_id, kind, request_id, customer_id, index_version, fingerprint)
VALUES (:merchant_id, :kind, :request_id::uuid, :customer_id, :index_version, :fingerprint)
ON CONFLICT DO NOTHING
RETURNING request_id;

-- name: remembered^
-- A write that was done before.
SELECT customer_id, index_version, fingerprint FROM requests
WHERE merchant_id = :merchant_id AND kind = :kind AND request_id = :request_id::uuid;

-- name: lock_tokens!
-- Advisory locks of addresses until commit, in order: the holders of an address change under them alone.
SELECT pg_advisory_xact_lock(t.lock) FROM (
    SELECT unnest AS lock FROM unnest(:locks::bigint[]) ORDER BY 1
) AS t;

-- name: holders
-- Who else holds addresses now.
SELECT token, customer_id, shared FROM contact_index
WHERE
    merchant_id = :merchant_id AND kind = ANY(ARRAY['number', 'email'])
    AND token = ANY(:tokens::bytea[]) AND customer_id <> :customer_id
ORDER BY customer_id;

-- name: lock_people
-- Lock customers of the vault, in id order.
SELECT customer_id, version, key_version, kek_id, wrapped_key FROM people
WHERE merchant_id = :merchant_id AND customer_id = ANY(:customer_ids::text[])
ORDER BY customer_id
FOR NO KEY UPDATE;

-- name: insert_person!
-- A new customer, version 1, with all that is known: one statement, for a till waits for it.
WITH person AS (
    INSERT INTO people (merchant_id, customer_id, version, key_version, kek_id, wrapped_key)
    VALUES (:merchant_id, :customer_id, 1, :key_version, :kek_id, :wrapped_key)
),

fields AS (
    INSERT INTO sealed_fields (merchant_id, customer_id, field, key_version, sealed)
    SELECT :merchant_id, :customer_id, f.field, :key_version, f.sealed
    FROM unnest(:fields::text[], :field_values::bytea[]) AS f (field, sealed)
),

points AS (
    INSERT INTO contact_points (
        merchant_id, customer_id, position, channel, token, index_version, key_version, sealed, shared,
        verified_at, valid_from
    )
    SELECT
        :merchant_id, :customer_id, p.position, p.channel, p.token, :index_version, :key_version, p.sealed,
        p.shared, p.verified_at, p.valid_from
    FROM unnest(
        :positions::integer[], :channels::text[], :tokens::bytea[], :sealed::bytea[], :shared::boolean[],
        :verified_at::timestamptz[], :valid_from::timestamptz[]
    ) AS p (position, channel, token, sealed, shared, verified_at, valid_from)
),

held AS (
    INSERT INTO contact_index (merchant_id, kind, token, customer_id, index_version, shared)
    SELECT :merchant_id, i.kind, i.token, :customer_id, :index_version, i.shared
    FROM unnest(:held_kinds::text[], :held_tokens::bytea[], :held_shared::boolean[]) AS i (kind, token, shared)
),

searched AS (
    INSERT INTO search_index (merchant_id, kind, token, customer_id, index_version)
    SELECT :merchant_id, i.kind, i.token, :customer_id, :index_version
    FROM unnest(:search_kinds::text[], :search_tokens::bytea[]) AS i (kind, token)
    ON CONFLICT DO NOTHING
)

INSERT INTO pending (merchant_id, customer_id, version, change)
VALUES (:merchant_id, :customer_id, 1, :change::text::jsonb);

-- name: bump_version$
-- The next version of a customer.
UPDATE people SET version = version + 1
WHERE merchant_id = :merchant_id AND customer_id = :customer_id
RETURNING version;

-- name: put_fields!
-- Set sealed fields.
INSERT INTO sealed_fields (merchant_id, customer_id, field, key_version, sealed)
SELECT :merchant_id, :customer_id, f.field, :key_version, f.sealed
FROM unnest(:fields::text[], :sealed::bytea[]) AS f (field, sealed)
ON CONFLICT (merchant_id, customer_id, field)
DO UPDATE SET key_version = excluded.key_version, sealed = excluded.sealed;

-- name: drop_fields!
-- Clear fields.
DELETE FROM sealed_fields
WHERE merchant_id = :merchant_id AND customer_id = :customer_id AND field = ANY(:fields::text[]);

-- name: live_points
-- The addresses of a customer that have not ended.
SELECT point_id, channel, token FROM contact_points
WHERE merchant_id = :merchant_id AND customer_id = :customer_id AND valid_to IS NULL;

-- name: end_points!
-- End addresses by their row.
UPDATE contact_points SET valid_to = :now
WHERE merchant_id = :merchant_id AND customer_id = :customer_id AND point_id = ANY(:point_ids::bigint[]);

-- name: keep_points!
-- An address that stays takes its new place and marks.
UPDATE contact_points AS c SET position = p.position, shared = p.shared, verified_at = p.verified_at
FROM unnest(:point_ids::bigint[], :positions::integer[], :shared::boolean[], :verified_at::timestamptz[])
AS p (point_id, position, shared, verified_at)
WHERE c.merchant_id = :merchant_id AND c.customer_id = :customer_id AND c.point_id = p.point_id;

-- name: insert_points!
-- New addresses.
INSERT INTO contact_points (
    merchant_id, customer_id, position, channel, token, index_version, key_version, sealed, shared,
    verified_at, valid_from
)
SELECT
    :merchant_id, :customer_id, p.position, p.channel, p.token, :index_version, :key_version, p.sealed,
    p.shared, p.verified_at, p.valid_from
FROM unnest(
    :positions::integer[], :channels::text[], :tokens::bytea[], :sealed::bytea[], :shared::boolean[],
    :verified_at::timestamptz[], :valid_from::timestamptz[]
) AS p (position, channel, token, sealed, shared, verified_at, valid_from);

-- name: clear_contact_index!
-- Forget which addresses a customer holds; they are written again right after.
DELETE FROM contact_index WHERE merchant_id = :merchant_id AND customer_id = :customer_id;

-- name: put_contact_index!
-- Which addresses a customer holds. contact_index_one_holder is the last word on a single holder.
INSERT INTO contact_index (merchant_id, kind, token, customer_id, index_version, shared)
SELECT :merchant_id, i.kind, i.token, :customer_id, :index_version, i.shared
FROM unnest(:kinds::text[], :tokens::bytea[], :shared::boolean[]) AS i (kind, token, shared);

-- name: clear_search_index!
-- Forget the search tokens of some kinds.
DELETE FROM search_index
WHERE merchant_id = :merchant_id AND customer_id = :customer_id AND kind = ANY(:kinds::text[]);

-- name: put_search_index!
-- Search tokens.
INSERT INTO search_index (merchant_id, kind, token, customer_id, index_version)
SELECT :merchant_id, i.kind, i.token, :customer_id, :index_version
FROM unnest(:kinds::text[], :tokens::bytea[]) AS i (kind, token)
ON CONFLICT DO NOTHING;

-- name: release_points
-- Addresses that went to another holder end here.
UPDATE contact_points SET valid_to = :now
WHERE
    merchant_id = :merchant_id AND customer_id = :customer_id
    AND token = ANY(:tokens::bytea[]) AND valid_to IS NULL
RETURNING point_id, token;

-- name: release_index!
-- Their old holder is not found by them any more.
DELETE FROM contact_index
WHERE
    merchant_id = :merchant_id AND kind = ANY(ARRAY['number', 'email'])
    AND token = ANY(:tokens::bytea[]) AND customer_id = :customer_id;

-- name: release_consents
-- Consents for them end.
UPDATE consents SET ended_at = :now
WHERE
    merchant_id = :merchant_id AND customer_id = :customer_id
    AND token = ANY(:tokens::bytea[]) AND ended_at IS NULL
RETURNING seq, token;

-- name: held_tokens
-- Which addresses a customer holds, by their tokens.
SELECT token FROM contact_index WHERE merchant_id = :merchant_id AND customer_id = :customer_id;

-- name: give_back_points!
-- Addresses that a registration had taken over before it was withdrawn are their old holder's again.
UPDATE contact_points SET valid_to = NULL
WHERE merchant_id = :merchant_id AND customer_id = :customer_id AND point_id = ANY(:point_ids::bigint[]);

-- name: give_back_index!
-- Their old holder is found by them again; phone and WhatsApp may share a number, as in put_contact_index.
INSERT INTO contact_index (merchant_id, kind, token, customer_id, index_version, shared)
SELECT
    merchant_id, CASE channel WHEN 'EMAIL' THEN 'email' ELSE 'number' END, token, customer_id,
    min(index_version), bool_and(shared)
FROM contact_points
WHERE merchant_id = :merchant_id AND customer_id = :customer_id AND point_id = ANY(:point_ids::bigint[])
GROUP BY 1, 2, 3, 4;

-- name: give_back_consents!
-- Consents that ended with them count again.
UPDATE consents SET ended_at = NULL
WHERE merchant_id = :merchant_id AND customer_id = :customer_id AND seq = ANY(:seqs::bigint[]);

-- name: add_pending!
-- What the customers database still has to learn.
INSERT INTO pending (merchant_id, customer_id, version, change)
VALUES (:merchant_id, :customer_id, :version, :change::text::jsonb);

-- name: touch_pending
-- All that is pending of customers, kept from the sweep for another while.
UPDATE pending SET touched_at = now()
WHERE merchant_id = :merchant_id AND customer_id = ANY(:customer_ids::text[])
RETURNING merchant_id, customer_id, version, change::text AS change;

-- name: settle_pending!
-- The customers database has learnt it.
DELETE FROM pending AS p
USING unnest(:merchants::text[], :customers::text[], :versions::bigint[]) AS d (merchant_id, customer_id, version)
WHERE p.merchant_id = d.merchant_id AND p.customer_id = d.customer_id AND p.version <= d.version;

-- name: oldest_pending$
-- For how many seconds the oldest half-done write has been half done. The table holds but what is.
SELECT coalesce(extract(EPOCH FROM clock_timestamp() - min(made_at)), 0)::float8 FROM pending;

-- name: claim_pending
-- Writes that somebody left half done; touching them is the claim.
UPDATE pending AS p SET touched_at = clock_timestamp()
FROM (
    SELECT merchant_id, customer_id, version FROM pending
    WHERE
        touched_at < now() - make_interval(secs => :complete_after_s)
        AND (version > 1 OR touched_at < now() - make_interval(secs => :withdraw_after_s))
    ORDER BY touched_at
    LIMIT :size
    FOR UPDATE SKIP LOCKED
) AS c
WHERE p.merchant_id = c.merchant_id AND p.customer_id = c.customer_id AND p.version = c.version
RETURNING p.merchant_id, p.customer_id, p.version, p.change::text AS change, p.touched_at;

-- name: still_untouched$
-- Whether nobody took a registration up again since it was claimed.
SELECT true FROM pending
WHERE
    merchant_id = :merchant_id AND customer_id = :customer_id
    AND version = 1 AND touched_at = :touched_at
FOR UPDATE;

-- name: forget_points!
-- Withdraw: addresses.
DELETE FROM contact_points WHERE merchant_id = :merchant_id AND customer_id = :customer_id;

-- name: forget_fields!
-- Withdraw: sealed fields.
DELETE FROM sealed_fields WHERE merchant_id = :merchant_id AND customer_id = :customer_id;

-- name: forget_search!
-- Withdraw: search tokens.
DELETE FROM search_index WHERE merchant_id = :merchant_id AND customer_id = :customer_id;

-- name: forget_requests!
-- Withdraw: remembered writes, so that the same request may come again.
DELETE FROM requests WHERE merchant_id = :merchant_id AND customer_id = :customer_id;

-- name: forget_pending!
-- Withdraw: what was to be learnt.
DELETE FROM pending WHERE merchant_id = :merchant_id AND customer_id = :customer_id;

-- name: forget_person!
-- Withdraw: the key, last.
DELETE FROM people WHERE merchant_id = :merchant_id AND customer_id = :customer_id;

-- name: forget_consents!
-- Erase: evidence stays, without the address that it was given for.
UPDATE consents SET token = NULL, sealed = NULL
WHERE merchant_id = :merchant_id AND customer_id = :customer_id;

-- name: holds_person$
-- Whether the vault has a key of a customer.
SELECT true FROM people WHERE merchant_id = :merchant_id AND customer_id = :customer_id;

-- name: people
-- Keys and some sealed fields of customers of one or many merchants; no row for who is not there.
SELECT
    w.merchant_id, w.customer_id, p.version, p.key_version, p.kek_id, p.wrapped_key, f.names, f.sealed
FROM unnest(:merchants::text[], :customers::text[]) AS w (merchant_id, customer_id)
INNER JOIN people AS p ON p.merchant_id = w.merchant_id AND p.customer_id = w.customer_id
CROSS JOIN LATERAL (
    SELECT array_agg(s.field) AS names, array_agg(s.sealed) AS sealed FROM sealed_fields AS s
    WHERE
        s.merchant_id = w.merchant_id AND s.customer_id = w.customer_id
        AND s.field = ANY(:fields::text[])
) AS f;

-- name: profile^
-- One customer whole, logged in the same statement: key, sealed fields, and addresses, those that ended last.
WITH logged AS (
    INSERT INTO access_log (
        merchant_id, subject, store_id, register_id, staff_ref, action, reason, customer_ids, asked
    )
    VALUES (
        :merchant_id, :subject, :store_id, :register_id, :staff_ref, :action, :reason,
        ARRAY[:customer_id::text], 1
    )
)

SELECT
    p.merchant_id, p.customer_id, p.version, p.key_version, p.kek_id, p.wrapped_key, f.names, f.sealed,
    ARRAY(
        SELECT (c.channel, c.sealed, c.shared, c.verified_at, c.valid_from, c.valid_to)
        FROM contact_points AS c
        WHERE c.merchant_id = p.merchant_id AND c.customer_id = p.customer_id
        ORDER BY c.valid_to IS NOT NULL, c.position, c.point_id
    ) AS points
FROM people AS p
CROSS JOIN LATERAL (
    SELECT array_agg(s.field) AS names, array_agg(s.sealed) AS sealed FROM sealed_fields AS s
    WHERE s.merchant_id = p.merchant_id AND s.customer_id = p.customer_id
) AS f
WHERE p.merchant_id = :merchant_id AND p.customer_id = :customer_id;

-- name: log_access!
-- Who read whom and why, before the answer; a row a reader. `nos` says whose customer each id is.
INSERT INTO access_log (
    merchant_id, subject, store_id, register_id, staff_ref, action, reason, customer_ids, asked
)
SELECT
    r.merchant_id, r.subject, r.store_id, r.register_id, r.staff_ref, :action, r.reason,
    ARRAY(
        SELECT c.customer_id FROM unnest(:nos::integer[], :customers::text[]) AS c (no, customer_id)
        WHERE c.no = r.no
    ),
    r.asked
FROM unnest(
    :merchants::text[], :subjects::text[], :stores::text[], :registers::text[], :staff::text[],
    :reasons::text[], :asked::integer[]
) WITH ORDINALITY AS r (merchant_id, subject, store_id, register_id, staff_ref, reason, asked, no);

-- name: find_holders
-- Who holds addresses now; `no` numbers the requests of a batch; at most so many each.
SELECT w.no, h.customer_id
FROM unnest(:nos::integer[], :merchants::text[], :kinds::text[], :tokens::bytea[])
AS w (no, merchant_id, kind, token)
CROSS JOIN LATERAL (
    SELECT i.customer_id FROM contact_index AS i
    WHERE i.merchant_id = w.merchant_id AND i.kind = w.kind AND i.token = w.token
    ORDER BY i.customer_id LIMIT :most
) AS h;

-- name: misses
-- Misses of registers in one window and the one before it.
SELECT m.merchant_id, m.store_id, m.register_id, m.window_start, m.misses
FROM unnest(:merchants::text[], :stores::text[], :registers::text[]) AS w (merchant_id, store_id, register_id)
INNER JOIN identify_misses AS m
    ON
        m.merchant_id = w.merchant_id AND m.store_id = w.store_id AND m.register_id = w.register_id
        AND m.window_start = ANY(:windows::bigint[]);

-- name: add_misses!
-- Count misses; in register order, so that two batches cannot wait for each other.
INSERT INTO identify_misses AS m (merchant_id, store_id, register_id, window_start, misses)
SELECT w.merchant_id, w.store_id, w.register_id, :window_start, w.misses
FROM unnest(:merchants::text[], :stores::text[], :registers::text[], :misses::integer[])
AS w (merchant_id, store_id, register_id, misses)
ORDER BY w.merchant_id, w.store_id, w.register_id
ON CONFLICT (merchant_id, store_id, register_id, window_start)
DO UPDATE SET misses = m.misses + excluded.misses;

-- name: forget_misses!
-- Windows that are over.
DELETE FROM identify_misses WHERE window_start < :window_start;

-- name: people_page
-- Keys of the customers behind one, in order.
SELECT merchant_id, customer_id, key_version, kek_id, wrapped_key FROM people
WHERE (merchant_id, customer_id) > (:merchant_id, :customer_id)
ORDER BY merchant_id, customer_id
LIMIT :size;

-- name: lock_page
-- Lock customers of one or many merchants, in id order.
SELECT p.merchant_id, p.customer_id FROM people AS p
INNER JOIN unnest(:merchants::text[], :customers::text[]) AS w (merchant_id, customer_id)
    ON p.merchant_id = w.merchant_id AND p.customer_id = w.customer_id
ORDER BY p.merchant_id, p.customer_id
FOR NO KEY UPDATE OF p;

-- name: rewrap!
-- The same data keys under another key-encryption key, unless somebody was faster.
UPDATE people AS p SET kek_id = w.kek_id, wrapped_key = w.fresh
FROM unnest(
    :merchants::text[], :customers::text[], :kek_ids::text[], :old::bytea[], :fresh::bytea[]
) AS w (merchant_id, customer_id, kek_id, old, fresh)
WHERE p.merchant_id = w.merchant_id AND p.customer_id = w.customer_id AND p.wrapped_key = w.old;

-- name: indexed_by_another
-- Which of these customers have entries under another index key.
SELECT w.merchant_id, w.customer_id
FROM unnest(:merchants::text[], :customers::text[]) AS w (merchant_id, customer_id)
WHERE
    EXISTS (
        SELECT 1 FROM contact_points AS c
        WHERE c.merchant_id = w.merchant_id AND c.customer_id = w.customer_id AND c.index_version <> :version
    )
    OR EXISTS (
        SELECT 1 FROM contact_index AS i
        WHERE i.merchant_id = w.merchant_id AND i.customer_id = w.customer_id AND i.index_version <> :version
    )
    OR EXISTS (
        SELECT 1 FROM search_index AS s
        WHERE s.merchant_id = w.merchant_id AND s.customer_id = w.customer_id AND s.index_version <> :version
    );

-- name: points_to_index
-- All addresses of a customer, those that ended too.
SELECT point_id, channel, sealed, shared, valid_to IS NULL AS live FROM contact_points
WHERE merchant_id = :merchant_id AND customer_id = :customer_id;

-- name: reindex_points!
-- Their tokens under the current key.
UPDATE contact_points AS c SET token = w.token, index_version = :index_version
FROM unnest(:point_ids::bigint[], :tokens::bytea[]) AS w (point_id, token)
WHERE c.merchant_id = :merchant_id AND c.customer_id = :customer_id AND c.point_id = w.point_id;

-- name: consents_to_index
-- Evidence that was given for an address.
SELECT seq, channel, sealed FROM consents
WHERE merchant_id = :merchant_id AND customer_id = :customer_id AND sealed IS NOT NULL;

-- name: reindex_consents!
-- Its tokens under the current key.
UPDATE consents AS c SET token = w.token
FROM unnest(:seqs::bigint[], :tokens::bytea[]) AS w (seq, token)
WHERE c.merchant_id = :merchant_id AND c.customer_id = :customer_id AND c.seq = w.seq;

-- name: wrapped_by
-- How many data keys each key-encryption key wraps, and what is indexed by each index key.
SELECT 'key ' || kek_id AS name, count(*) AS uses FROM people GROUP BY kek_id
UNION ALL
SELECT 'index ' || index_version, count(*) FROM (
    SELECT index_version FROM contact_points
    UNION ALL SELECT index_version FROM contact_index
    UNION ALL SELECT index_version FROM search_index
) AS t GROUP BY index_version
ORDER BY 1;
