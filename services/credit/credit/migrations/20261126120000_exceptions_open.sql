-- squawk-ignore-file require-concurrent-index-creation, require-concurrent-index-deletion
-- migrate:up

-- How many are open is asked every half minute; few are, of all that there ever were. Not CONCURRENTLY: see
-- 20261126010100.
CREATE INDEX invoice_exceptions_open ON invoice_exceptions (kind) WHERE resolved_at IS NULL;

-- migrate:down
DROP INDEX invoice_exceptions_open;
