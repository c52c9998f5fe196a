-- squawk-ignore-file require-concurrent-index-creation, require-concurrent-index-deletion
-- migrate:up

-- Who read what of one person, for exports. An inverted index is cheap to write here: new entries gather
-- in its pending list, and a batch of reads is one row.
CREATE INDEX access_log_customers ON access_log USING gin (customer_ids);

-- migrate:down
DROP INDEX access_log_customers;
