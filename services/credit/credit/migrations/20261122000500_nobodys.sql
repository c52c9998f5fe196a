-- migrate:up

-- An on-account tender whose sale names no customer (customer_id '') has no account to take the currency
-- from: its exception carries it. Its invoice_id is the one that it would have had.
ALTER TABLE invoice_exceptions ADD COLUMN currency_code text NOT NULL DEFAULT '';
ALTER TABLE invoice_exceptions ADD COLUMN minor_digits integer NOT NULL DEFAULT 0;

-- migrate:down
ALTER TABLE invoice_exceptions DROP COLUMN minor_digits;
ALTER TABLE invoice_exceptions DROP COLUMN currency_code;
