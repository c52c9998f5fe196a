-- squawk-ignore-file require-concurrent-index-creation, require-concurrent-index-deletion
-- migrate:up

-- The audit, and what else looks at one customer's books, reads them by customer. None of these columns ever
-- changes. Not CONCURRENTLY: see 20261126010100.
CREATE INDEX holds_of_customer ON holds (merchant_id, customer_id, decided_at, hold_id);
CREATE INDEX invoice_exceptions_of_customer ON invoice_exceptions (merchant_id, customer_id, invoice_id);

-- migrate:down
DROP INDEX invoice_exceptions_of_customer;
DROP INDEX holds_of_customer;
