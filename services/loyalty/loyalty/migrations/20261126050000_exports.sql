-- squawk-ignore-file require-concurrent-index-creation, require-concurrent-index-deletion
-- migrate:up

-- By customer, for exports of a person; each of these tables is written rarely, so
-- that a lock while the index is made holds up nobody for long.
CREATE INDEX adjustments_of_customer ON adjustments (merchant_id, customer_id, adjustment_id);
CREATE INDEX tier_pins_of_customer ON tier_pins (merchant_id, customer_id, request_id);
CREATE INDEX redemption_exceptions_of_customer
ON redemption_exceptions (merchant_id, customer_id, exception_id);

-- migrate:down
DROP INDEX redemption_exceptions_of_customer;
DROP INDEX tier_pins_of_customer;
DROP INDEX adjustments_of_customer;
