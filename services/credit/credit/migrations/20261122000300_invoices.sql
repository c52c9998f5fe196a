-- migrate:up

CREATE TABLE invoices (
    merchant_id text NOT NULL,
    invoice_id uuid NOT NULL,
    customer_id text NOT NULL,
    purchase_id uuid,
    tender_id text NOT NULL DEFAULT '',
    hold_id uuid,
    amount bigint NOT NULL,
    paid bigint NOT NULL DEFAULT 0,
    returned bigint NOT NULL DEFAULT 0,
    outstanding bigint GENERATED ALWAYS AS (amount - paid - returned) STORED,
    issued_on date NOT NULL,
    due_on date NOT NULL,
    issued_at timestamptz NOT NULL,
    settled_at timestamptz,
    exception text NOT NULL DEFAULT '',
    CONSTRAINT invoices_pkey PRIMARY KEY (merchant_id, invoice_id),
    CONSTRAINT invoices_amounts_add_up
    CHECK (amount > 0 AND paid >= 0 AND returned >= 0 AND paid + returned <= amount)
) WITH (fillfactor = 80);

-- A tender makes one invoice; returns find it by the tender.
CREATE UNIQUE INDEX invoices_tender ON invoices (merchant_id, purchase_id, tender_id)
WHERE purchase_id IS NOT NULL;
CREATE INDEX invoices_of_customer ON invoices (merchant_id, customer_id, issued_at, invoice_id);
-- Payments take the oldest first; overdue is what lies before today.
CREATE INDEX invoices_open ON invoices (merchant_id, customer_id, issued_at, invoice_id)
WHERE settled_at IS NULL;

-- What was posted although business would have refused it, until staff resolve it.
CREATE TABLE invoice_exceptions (
    merchant_id text NOT NULL,
    exception_id uuid NOT NULL,
    customer_id text NOT NULL,
    invoice_id uuid NOT NULL,
    purchase_id uuid,
    cause_id uuid NOT NULL,
    kind text NOT NULL,
    amount bigint NOT NULL,
    marked_at timestamptz NOT NULL,
    resolved_at timestamptz,
    note text NOT NULL DEFAULT '',
    staff_ref text NOT NULL DEFAULT '',
    request_id uuid,
    fingerprint bytea,
    CONSTRAINT invoice_exceptions_pkey PRIMARY KEY (merchant_id, exception_id),
    CONSTRAINT invoice_exceptions_kind_known CHECK (
        kind IN ('OVER_HOLD', 'LATE', 'VOIDED_THEN_SOLD', 'UNAUTHORISED', 'RETURN_EXCEEDS_INVOICE')
    )
);

CREATE INDEX invoice_exceptions_newest ON invoice_exceptions (merchant_id, marked_at, exception_id);
CREATE UNIQUE INDEX invoice_exceptions_request ON invoice_exceptions (merchant_id, request_id)
WHERE request_id IS NOT NULL;

-- migrate:down
DROP TABLE invoice_exceptions;
DROP TABLE invoices;
