-- squawk-ignore-file require-concurrent-index-creation, require-concurrent-index-deletion
-- migrate:up

-- What was given up of an invoice. The generated column outstanding knows nothing of it, for a new expression
-- would write the table anew: what is still owed is outstanding - written_off.
ALTER TABLE invoices ADD COLUMN written_off bigint NOT NULL DEFAULT 0;
ALTER TABLE invoices ADD CONSTRAINT invoices_written_off_fits
CHECK (written_off >= 0 AND paid + returned + written_off <= amount) NOT VALID;

CREATE TABLE write_offs (
    merchant_id text NOT NULL,
    request_id uuid NOT NULL,
    customer_id text NOT NULL,
    invoice_id uuid NOT NULL,
    amount bigint NOT NULL,
    reason text NOT NULL,
    staff_ref text NOT NULL,
    fingerprint bytea NOT NULL,
    written_off_at timestamptz NOT NULL,
    CONSTRAINT write_offs_pkey PRIMARY KEY (merchant_id, request_id),
    CONSTRAINT write_offs_amount_positive CHECK (amount > 0)
);
CREATE INDEX write_offs_of_customer ON write_offs (merchant_id, customer_id, written_off_at, request_id);

-- What staff said by hand of what is owed.
CREATE TABLE reminders (
    merchant_id text NOT NULL,
    request_id uuid NOT NULL,
    customer_id text NOT NULL,
    local_date date NOT NULL,
    kind text NOT NULL,
    staff_ref text NOT NULL,
    fingerprint bytea NOT NULL,
    said_at timestamptz NOT NULL,
    CONSTRAINT reminders_pkey PRIMARY KEY (merchant_id, request_id),
    CONSTRAINT reminders_kind_known CHECK (kind IN ('DUE', 'OVERDUE'))
);
CREATE INDEX reminders_of_customer ON reminders (merchant_id, customer_id, said_at, request_id);

-- What a whole shop is owed, newest first. An invoice leaves it when it is settled. Not CONCURRENTLY: see
-- 20261126010100.
CREATE INDEX invoices_open_of_shop ON invoices (merchant_id, issued_at, invoice_id) WHERE settled_at IS NULL;

-- migrate:down
DROP INDEX invoices_open_of_shop;
DROP TABLE reminders;
DROP TABLE write_offs;
ALTER TABLE invoices DROP COLUMN written_off;
