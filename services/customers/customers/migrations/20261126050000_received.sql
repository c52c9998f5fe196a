-- squawk-ignore-file require-concurrent-index-creation, require-concurrent-index-deletion
-- migrate:up

-- What was received when: republish and reconcile read by it, in the order in which it came. One more entry
-- a sale, always at the right edge; the columns never change. On a table that is large already, make them
-- by hand with CONCURRENTLY before this release: IF NOT EXISTS finds them.
CREATE INDEX IF NOT EXISTS purchases_received ON purchases (received_at, purchase_id);
CREATE INDEX IF NOT EXISTS purchase_returns_received ON purchase_returns (received_at, purchase_id, revision);

-- migrate:down
DROP INDEX purchase_returns_received;
DROP INDEX purchases_received;
