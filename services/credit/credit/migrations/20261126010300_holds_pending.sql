-- squawk-ignore-file require-concurrent-index-creation, require-concurrent-index-deletion
-- migrate:up

-- Which holds are over. As small as what is pending; a hold leaves it once, when it is used, given back or
-- expires: that one update is not a heap-only one. Not CONCURRENTLY: see 20261126010100.
CREATE INDEX holds_pending ON holds (expires_at, merchant_id, customer_id) WHERE state = 'PENDING';

-- migrate:down
DROP INDEX holds_pending;
