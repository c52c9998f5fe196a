-- name: open_recipients!
-- Makes the row of every customer named that has none.
INSERT INTO recipients (merchant_id, customer_id)
SELECT DISTINCT merchant_id, customer_id
FROM unnest(:merchant_ids::text[], :customer_ids::text[]) AS named (merchant_id, customer_id)
ORDER BY merchant_id, customer_id
ON CONFLICT DO NOTHING;

-- name: lock_recipients
-- Locks the customer rows, in id order: the one lock that guards all their messages.
SELECT r.merchant_id, r.customer_id, r.erased_at, r.merged_into
FROM recipients AS r
JOIN (
    SELECT DISTINCT merchant_id, customer_id
    FROM unnest(:merchant_ids::text[], :customer_ids::text[]) AS named (merchant_id, customer_id)
) AS named USING (merchant_id, customer_id)
ORDER BY r.merchant_id, r.customer_id
FOR NO KEY UPDATE OF r;

-- name: recipients_of
-- Reads customer rows that the transaction has locked already.
SELECT r.merchant_id, r.customer_id, r.erased_at, r.merged_into
FROM recipients AS r
JOIN unnest(:merchant_ids::text[], :customer_ids::text[]) AS named (merchant_id, customer_id)
USING (merchant_id, customer_id);

-- name: insert_messages
-- Stores messages; one whose id or cause is there already is left as it is. Answers those that are new.
INSERT INTO messages (
    merchant_id, message_id, customer_id, kind, cause, template, template_version, variables,
    wanted_channel, fingerprint, state, reason, created_at, not_after, finished_at, family, until, invoices,
    traceparent
)
SELECT
    n.merchant_id, n.message_id, n.customer_id, n.kind, n.cause, n.template, n.version, n.variables,
    n.wanted_channel, n.fingerprint, n.state, n.reason, n.created_at, n.not_after, n.finished_at, n.family,
    n.until, ARRAY(SELECT jsonb_array_elements_text(n.invoices)), n.traceparent
FROM unnest(
    :merchant_ids::text[], :message_ids::uuid[], :customer_ids::text[], :kinds::text[], :causes::text[],
    :templates::text[], :versions::integer[], :variables::jsonb[], :wanted_channels::text[],
    :fingerprints::bytea[], :states::text[], :reasons::text[], :created::timestamptz[],
    :not_afters::timestamptz[], :finished::timestamptz[], :families::text[], :untils::date[],
    :invoices::jsonb[], :traceparents::text[]
) AS n (
    merchant_id, message_id, customer_id, kind, cause, template, version, variables, wanted_channel,
    fingerprint, state, reason, created_at, not_after, finished_at, family, until, invoices, traceparent
)
ON CONFLICT DO NOTHING
RETURNING merchant_id, message_id::text, customer_id, kind, state, reason, family, created_at;

-- name: skip_replaced
-- Skips what waits of the families and customers that new messages speak to; their rows are locked.
UPDATE messages AS m
SET state = 'SKIPPED', reason = 'REPLACED', finished_at = n.created_at, not_before = NULL
FROM unnest(
    :merchant_ids::text[], :customer_ids::text[], :families::text[], :created::timestamptz[]
) AS n (merchant_id, customer_id, family, created_at)
WHERE m.merchant_id = n.merchant_id AND m.customer_id = n.customer_id AND m.family = n.family
    AND m.state = 'PENDING' AND m.created_at <= n.created_at
    AND NOT (m.message_id = ANY(:message_ids::uuid[]))
RETURNING m.kind;

-- name: skip_overtaken
-- Skips what went back to wait although a newer message of its family was made meanwhile. Rows are locked.
UPDATE messages AS m
SET state = 'SKIPPED', reason = 'REPLACED', finished_at = :now::timestamptz, not_before = NULL
FROM unnest(:merchant_ids::text[], :message_ids::uuid[]) AS w (merchant_id, message_id)
WHERE m.merchant_id = w.merchant_id AND m.message_id = w.message_id AND m.state = 'PENDING'
    AND EXISTS (
        SELECT FROM messages AS n
        WHERE n.merchant_id = m.merchant_id AND n.customer_id = m.customer_id AND n.family = m.family
            AND (n.created_at, n.made_at) > (m.created_at, m.made_at) AND n.message_id <> m.message_id
    )
RETURNING m.kind;

-- name: get_message^
-- One message as it is now.
SELECT message_id::text, customer_id, kind, cause, template, template_version, variables::text, state, reason,
    last_failure, channel, language, attempts, created_at, not_after, not_before, finished_at, fingerprint
FROM messages
WHERE merchant_id = :merchant_id AND message_id = :message_id::uuid;

-- name: list_messages
-- A page of a merchant messages, newest first.
SELECT message_id::text, customer_id, kind, cause, template, template_version, variables::text, state, reason,
    last_failure, channel, language, attempts, created_at, not_after, not_before, finished_at, fingerprint
FROM messages
WHERE merchant_id = :merchant_id
    AND (created_at, message_id) < (:before_time::timestamptz, :before_id::uuid)
    AND (:kind::text = '' OR kind = :kind)
    AND (cardinality(:states::text[]) = 0 OR state = ANY(:states::text[]))
ORDER BY created_at DESC, message_id DESC
LIMIT :limit;

-- name: list_messages_of_customer
-- The same for one customer; an absorbed one is looked up under its survivor.
SELECT message_id::text, customer_id, kind, cause, template, template_version, variables::text, state, reason,
    last_failure, channel, language, attempts, created_at, not_after, not_before, finished_at, fingerprint
FROM messages
WHERE merchant_id = :merchant_id
    AND customer_id = coalesce(
        (SELECT merged_into FROM recipients WHERE merchant_id = :merchant_id AND customer_id = :customer_id),
        :customer_id
    )
    AND (created_at, message_id) < (:before_time::timestamptz, :before_id::uuid)
    AND (:kind::text = '' OR kind = :kind)
    AND (cardinality(:states::text[]) = 0 OR state = ANY(:states::text[]))
ORDER BY created_at DESC, message_id DESC
LIMIT :limit;

-- name: claim_messages
-- Takes what is due, SENDING whose lease has run out included, and what was held until now, and begins an
-- attempt of each. SKIP LOCKED: many workers may claim at once. Without the customer locks: `attempts`
-- fences what finishes later. `overtaken`: a newer one of its family was made while an attempt that came to
-- nothing was under way, or came with a merge. Every merchant's first comes first, then every merchant's
-- second, so that one chain's backlog never starves the rest. A merchant's own alternate, longest waiting
-- first: one that is due, one whose hour has come, so that neither kind starves the other. What waits is
-- compared by how long: `due_at` is wall time, `not_before` business time. statement_timestamp(), not
-- clock_timestamp(): a volatile bound would be no condition of an index, and all that is held be read.
WITH RECURSIVE merchants AS (
    (SELECT merchant_id FROM messages WHERE state IN ('PENDING', 'SENDING') ORDER BY merchant_id LIMIT 1)
    UNION ALL
    SELECT (
        SELECT m.merchant_id FROM messages AS m
        WHERE m.state IN ('PENDING', 'SENDING') AND m.merchant_id > merchants.merchant_id
        ORDER BY m.merchant_id LIMIT 1
    )
    FROM merchants
    WHERE merchants.merchant_id IS NOT NULL
),
turns AS MATERIALIZED (
    SELECT mine.merchant_id, mine.message_id
    FROM merchants
    CROSS JOIN LATERAL (
        SELECT waiting.*, row_number() OVER (ORDER BY waiting.place, waiting.waited DESC) AS turn
        FROM (
            (
                SELECT m.merchant_id, m.message_id, statement_timestamp() - m.due_at AS waited,
                    row_number() OVER (ORDER BY m.due_at) AS place
                FROM messages AS m
                WHERE m.merchant_id = merchants.merchant_id
                    AND m.state IN ('PENDING', 'SENDING') AND m.due_at <= statement_timestamp()
                ORDER BY m.due_at
                LIMIT :limit
            )
            UNION ALL
            (
                SELECT m.merchant_id, m.message_id, :now::timestamptz - m.not_before AS waited,
                    row_number() OVER (ORDER BY m.not_before) AS place
                FROM messages AS m
                WHERE m.merchant_id = merchants.merchant_id AND m.not_before <= :now::timestamptz
                ORDER BY m.not_before
                LIMIT :limit
            )
        ) AS waiting
    ) AS mine
    ORDER BY mine.turn, mine.waited DESC
    LIMIT :limit
),
taken AS MATERIALIZED (
    SELECT merchant_id, message_id
    FROM messages JOIN turns USING (merchant_id, message_id)
    WHERE state IN ('PENDING', 'SENDING')
        -- Asked again of the locked row. CASE, so that no plan reads all that waits for each turn.
        AND CASE WHEN not_before IS NULL THEN due_at <= statement_timestamp() ELSE not_before <= :now::timestamptz END
    ORDER BY merchant_id, message_id
    FOR NO KEY UPDATE OF messages SKIP LOCKED
)
UPDATE messages AS m
SET state = 'SENDING', attempts = m.attempts + 1, not_before = NULL,
    due_at = clock_timestamp() + :lease_s::float8 * interval '1 second'
FROM taken
WHERE m.merchant_id = taken.merchant_id AND m.message_id = taken.message_id
RETURNING m.merchant_id, m.message_id::text, m.customer_id, m.kind, m.cause, m.template, m.template_version,
    m.variables::text, m.wanted_channel, m.attempts, m.not_after, m.made_at, m.family, m.until, m.invoices,
    m.given_up, m.failures, m.last_failure, m.traceparent,
    m.family <> '' AND EXISTS (
        SELECT FROM messages AS n
        WHERE n.merchant_id = m.merchant_id AND n.customer_id = m.customer_id AND n.family = m.family
            AND n.created_at >= m.created_at AND (n.created_at, n.made_at) > (m.created_at, m.made_at)
            AND n.message_id <> m.message_id
    ) AS overtaken;

-- name: finish_attempts
-- Writes what attempts came to, where the attempt is still the last one begun. Answers the ids written.
UPDATE messages AS m
SET state = o.state, reason = o.reason, language = o.language,
    last_failure = CASE WHEN o.last_failure = '' THEN m.last_failure ELSE o.last_failure END,
    channel = CASE WHEN o.channel = '' THEN m.channel ELSE o.channel END,
    due_at = CASE
        WHEN o.not_before IS NULL THEN clock_timestamp() + o.pause_s * interval '1 second' ELSE 'infinity'
    END,
    not_before = o.not_before, not_after = o.not_after,
    attempts = m.attempts - o.untried, failures = m.failures + o.failed,
    given_up = CASE WHEN o.given_up = '' THEN m.given_up ELSE m.given_up || o.given_up END,
    finished_at = CASE WHEN o.state = 'PENDING' THEN NULL ELSE :now::timestamptz END
FROM unnest(
    :merchant_ids::text[], :message_ids::uuid[], :attempts::integer[], :states::text[], :reasons::text[],
    :last_failures::text[], :channels::text[], :languages::text[], :pauses::float8[],
    :not_befores::timestamptz[], :not_afters::timestamptz[], :untried::integer[], :failed::integer[],
    :given_up::text[]
) AS o (
    merchant_id, message_id, attempt, state, reason, last_failure, channel, language, pause_s, not_before,
    not_after, untried, failed, given_up
)
WHERE m.merchant_id = o.merchant_id AND m.message_id = o.message_id
    AND m.state = 'SENDING' AND m.attempts = o.attempt
RETURNING m.merchant_id, m.message_id::text, m.customer_id, m.channel;

-- name: unfinished$
-- How many messages an attempt is under way of, or is to follow, held ones aside: counted up to a limit.
SELECT count(*) FROM (
    SELECT FROM messages WHERE state IN ('PENDING', 'SENDING') AND due_at < 'infinity' LIMIT 1000
) AS unfinished;

-- name: erase_recipients!
-- Marks customers erased; their rows are locked.
UPDATE recipients AS r
SET erased_at = e.erased_at
FROM unnest(:merchant_ids::text[], :customer_ids::text[], :erased::timestamptz[]) AS e (m, c, erased_at)
WHERE r.merchant_id = e.m AND r.customer_id = e.c AND r.erased_at IS NULL;

-- name: skip_messages_of_erased
-- Skips what erased customers have not been sent and what is not under way; their rows are locked.
UPDATE messages AS m
SET state = 'SKIPPED', reason = 'CUSTOMER_ERASED', finished_at = e.erased_at, not_before = NULL
FROM unnest(:merchant_ids::text[], :customer_ids::text[], :erased::timestamptz[]) AS e (m, c, erased_at)
WHERE m.merchant_id = e.m AND m.customer_id = e.c AND m.state = 'PENDING'
RETURNING m.kind;

-- name: merge_recipients!
-- Leaves an alias of absorbed customers, and of those that they had absorbed. The survivor may have been
-- absorbed itself meanwhile: events of two customers have no order. All are locked.
UPDATE recipients AS r
SET merged_into = coalesce(s.merged_into, s.customer_id)
FROM unnest(:merchant_ids::text[], :absorbed::text[], :survivors::text[]) AS a (m, absorbed, survivor)
JOIN recipients AS s ON s.merchant_id = a.m AND s.customer_id = a.survivor
WHERE r.merchant_id = a.m AND (r.customer_id = a.absorbed OR r.merged_into = a.absorbed);

-- name: move_messages!
-- Gives the messages of absorbed customers to their survivors; both are locked.
UPDATE messages AS m
SET customer_id = coalesce(s.merged_into, s.customer_id)
FROM unnest(:merchant_ids::text[], :absorbed::text[], :survivors::text[]) AS a (m, absorbed, survivor)
JOIN recipients AS s ON s.merchant_id = a.m AND s.customer_id = a.survivor
WHERE m.merchant_id = a.m AND m.customer_id = a.absorbed;
