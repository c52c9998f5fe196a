-- name: standing
-- Where customers stand and what they speak, in the customers database.
SELECT c.merchant_id, c.customer_id, c.status, c.language, c.time_zone, c.home_store_id
FROM unnest(:merchants::text[], :customers::text[]) AS w (merchant_id, customer_id)
INNER JOIN customers AS c ON c.merchant_id = w.merchant_id AND c.customer_id = w.customer_id;

-- name: reachable
-- Keys, sealed names, live addresses in their order and evidence (newest first), in the vault.
SELECT
    w.merchant_id, w.customer_id, w.purpose, p.version, p.key_version, p.kek_id, p.wrapped_key,
    f.names, f.sealed,
    a.channels, a.tokens, a.addresses, a.verified_at,
    e.consent_channels, e.consent_tokens, e.states, e.by_guardian
FROM unnest(:merchants::text[], :customers::text[], :purposes::text[]) AS w (merchant_id, customer_id, purpose)
INNER JOIN people AS p ON p.merchant_id = w.merchant_id AND p.customer_id = w.customer_id
CROSS JOIN LATERAL (
    SELECT array_agg(s.field) AS names, array_agg(s.sealed) AS sealed FROM sealed_fields AS s
    WHERE
        s.merchant_id = w.merchant_id AND s.customer_id = w.customer_id
        AND s.field = ANY(:fields::text[])
) AS f
CROSS JOIN LATERAL (
    SELECT
        array_agg(c.channel ORDER BY c.position, c.point_id) AS channels,
        array_agg(c.token ORDER BY c.position, c.point_id) AS tokens,
        array_agg(c.sealed ORDER BY c.position, c.point_id) AS addresses,
        array_agg(c.verified_at ORDER BY c.position, c.point_id) AS verified_at
    FROM contact_points AS c
    WHERE c.merchant_id = w.merchant_id AND c.customer_id = w.customer_id AND c.valid_to IS NULL
) AS a
CROSS JOIN LATERAL (
    SELECT
        array_agg(o.channel ORDER BY o.seq DESC) AS consent_channels,
        array_agg(o.token ORDER BY o.seq DESC) AS consent_tokens,
        array_agg(o.state ORDER BY o.seq DESC) AS states,
        array_agg(o.by_guardian ORDER BY o.seq DESC) AS by_guardian
    FROM consents AS o
    WHERE
        o.merchant_id = w.merchant_id AND o.customer_id = w.customer_id
        AND o.purpose = w.purpose AND o.ended_at IS NULL
) AS e;

-- name: held_address$
-- The token of an address that a customer holds over a channel now.
SELECT token FROM contact_points
WHERE
    merchant_id = :merchant_id AND customer_id = :customer_id AND channel = :channel
    AND token = ANY(:tokens::bytea[]) AND valid_to IS NULL
LIMIT 1;

-- name: append_consent!
-- Append evidence.
INSERT INTO consents (
    merchant_id, customer_id, consent_id, purpose, channel, token, key_version, sealed, state,
    notice_version, notice_language, method, evidence_ref, by_guardian, origin, recorded_at
)
VALUES (
    :merchant_id, :customer_id, :consent_id::uuid, :purpose, :channel, :token, :key_version, :sealed, :state,
    :notice_version, :notice_language, :method, :evidence_ref, :by_guardian, :origin, :now
);

-- name: consent^
-- One piece of evidence.
SELECT * FROM consents
WHERE merchant_id = :merchant_id AND customer_id = :customer_id AND consent_id = :consent_id::uuid;

-- name: list_consents
-- A page of evidence, newest first, before a position.
SELECT * FROM consents
WHERE merchant_id = :merchant_id AND customer_id = :customer_id AND seq < :before
ORDER BY seq DESC
LIMIT :size;

-- name: born_on
-- Customers behind the tokens of a month and day, by id, after one of them, in the vault.
SELECT DISTINCT customer_id
FROM search_index
WHERE
    merchant_id = :merchant_id AND kind = 'birth_date' AND token = ANY(:tokens::bytea[])
    AND customer_id > :after
ORDER BY customer_id
LIMIT :size;

-- name: celebrating
-- Which of these customers have a birthday of their own now, and where, in the customers database.
SELECT c.customer_id, c.time_zone, c.home_store_id
FROM unnest(:customers::text[]) AS w (customer_id)
INNER JOIN customers AS c ON c.merchant_id = :merchant_id AND c.customer_id = w.customer_id
WHERE c.kind = 'PERSON' AND c.status = 'ACTIVE'
ORDER BY c.customer_id;
