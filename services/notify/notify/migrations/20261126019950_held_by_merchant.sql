-- migrate:up
-- Merchants take turns also in what was held: each one's is found by an index of its own.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX messages_merchant_held_idx ON messages (merchant_id, not_before) WHERE not_before IS NOT NULL;

-- squawk-ignore require-concurrent-index-deletion
DROP INDEX messages_held_idx;

-- migrate:down
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX messages_held_idx ON messages (not_before) WHERE not_before IS NOT NULL;

-- squawk-ignore require-concurrent-index-deletion
DROP INDEX messages_merchant_held_idx;
