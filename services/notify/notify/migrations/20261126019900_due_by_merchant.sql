-- migrate:up
-- Merchants take turns in what is sent: each one's due messages are found by an index of their own.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX messages_merchant_due_idx ON messages (merchant_id, due_at)
WHERE state IN ('PENDING', 'SENDING');

-- migrate:down
-- squawk-ignore require-concurrent-index-deletion
DROP INDEX messages_merchant_due_idx;
