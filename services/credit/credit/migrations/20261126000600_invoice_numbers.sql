-- migrate:up

-- The order in which invoices were booked. Two sales of one second are of the same age; the one that was
-- booked first is paid first. Null: booked before there were numbers.
CREATE SEQUENCE invoices_number_seq AS bigint;
ALTER TABLE invoices ADD COLUMN number bigint;
ALTER TABLE invoices ALTER COLUMN number SET DEFAULT nextval('invoices_number_seq');
ALTER SEQUENCE invoices_number_seq OWNED BY invoices.number;

-- migrate:down
ALTER TABLE invoices DROP COLUMN number;
