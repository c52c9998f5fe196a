-- squawk-ignore-file require-concurrent-index-creation, require-concurrent-index-deletion
-- migrate:up

-- By customer, for exports of a person; limits and terms change rarely, so
-- that a lock while the index is made holds up nobody for long.
CREATE INDEX account_changes_of_customer ON account_changes (merchant_id, customer_id, kind, request_id);

-- migrate:down
DROP INDEX account_changes_of_customer;
