-- name: hear_of_merchants!
-- Notes merchants that events came from.
INSERT INTO merchants (merchant_id)
SELECT DISTINCT merchant_id FROM unnest(:merchant_ids::text[]) AS heard (merchant_id)
ORDER BY merchant_id
ON CONFLICT DO NOTHING;

-- name: rounds
-- Every merchant behind one of them, in order, and when the occasion was last asked for.
SELECT m.merchant_id, r.asked_at
FROM merchants AS m
LEFT JOIN occasion_rounds AS r ON r.merchant_id = m.merchant_id AND r.occasion = :occasion
WHERE m.merchant_id > :after
ORDER BY m.merchant_id
LIMIT :limit;

-- name: asked!
-- Notes that an occasion was asked for, whole; never earlier than another worker did.
INSERT INTO occasion_rounds AS r (merchant_id, occasion, asked_at)
VALUES (:merchant_id, :occasion, :asked_at::timestamptz)
ON CONFLICT (merchant_id, occasion) DO UPDATE SET asked_at = greatest(r.asked_at, excluded.asked_at);

-- name: greeted
-- Which customers have a message of the kind in a period already, that of one they absorbed included.
SELECT DISTINCT customer_id FROM messages
WHERE merchant_id = :merchant_id AND customer_id = ANY(:customer_ids::text[]) AND kind = :kind
    AND split_part(cause, '/', 2) = :period;
