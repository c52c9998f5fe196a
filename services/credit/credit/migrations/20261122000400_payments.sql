-- migrate:up

-- Where a payment went is in the ledger: entries with its cause.
CREATE TABLE payments (
    merchant_id text NOT NULL,
    payment_id uuid NOT NULL,
    customer_id text NOT NULL,
    amount bigint NOT NULL,
    method integer NOT NULL,
    reference text NOT NULL,
    unapplied bigint NOT NULL,
    outstanding_after bigint NOT NULL,
    fingerprint bytea NOT NULL,
    store_id text NOT NULL,
    register_id text NOT NULL,
    staff_ref text NOT NULL,
    effective_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    CONSTRAINT payments_pkey PRIMARY KEY (merchant_id, payment_id),
    CONSTRAINT payments_amount_positive CHECK (amount > 0 AND unapplied >= 0)
);

CREATE INDEX payments_of_customer ON payments (merchant_id, customer_id, effective_at, payment_id);

-- migrate:down
DROP TABLE payments;
