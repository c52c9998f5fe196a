-- squawk-ignore-file require-concurrent-index-creation, require-concurrent-index-deletion, ban-drop-constraint
-- migrate:up

-- What the tills of a store may sell on account while they cannot ask. Its counters are moved under its own row's
-- lock, which is taken after those of accounts; nothing that asks first ever touches it.
CREATE TABLE allowances (
    merchant_id text NOT NULL,
    allowance_id uuid NOT NULL,
    store_id text NOT NULL,
    currency_code text NOT NULL,
    minor_digits integer NOT NULL,
    time_zone text NOT NULL,
    amount bigint NOT NULL,
    customer_limit bigint,
    valid_from timestamptz NOT NULL,
    valid_until timestamptz NOT NULL,
    used bigint NOT NULL DEFAULT 0,
    excess bigint NOT NULL DEFAULT 0,
    fingerprint bytea NOT NULL,
    staff_ref text NOT NULL,
    granted_at timestamptz NOT NULL,
    ended_at timestamptz,
    ended_by text NOT NULL DEFAULT '',
    end_request_id uuid,
    end_fingerprint bytea,
    CONSTRAINT allowances_pkey PRIMARY KEY (merchant_id, allowance_id),
    CONSTRAINT allowances_amounts CHECK (amount > 0 AND used BETWEEN 0 AND amount AND excess >= 0),
    CONSTRAINT allowances_customer_limit CHECK (customer_limit > 0),
    CONSTRAINT allowances_validity CHECK (valid_from < valid_until)
) WITH (fillfactor = 80);
CREATE INDEX allowances_newest ON allowances (merchant_id, valid_from, allowance_id);
CREATE INDEX allowances_of_store ON allowances (merchant_id, store_id, valid_from, allowance_id);
CREATE UNIQUE INDEX allowances_end_request ON allowances (merchant_id, end_request_id)
WHERE end_request_id IS NOT NULL;

-- What took from an allowance: a sale's tender (use_id is its invoice) or a hold that was handed in (its id). Each
-- counts once.
CREATE TABLE allowance_uses (
    merchant_id text NOT NULL,
    use_id uuid NOT NULL,
    allowance_id uuid NOT NULL,
    customer_id text NOT NULL,
    kind text NOT NULL,
    amount bigint NOT NULL,
    excess bigint NOT NULL,
    mark text NOT NULL,
    used_at timestamptz NOT NULL,
    given_back_at timestamptz,
    CONSTRAINT allowance_uses_pkey PRIMARY KEY (merchant_id, kind, use_id),
    CONSTRAINT allowance_uses_amounts CHECK (amount > 0 AND excess BETWEEN 0 AND amount),
    CONSTRAINT allowance_uses_kind_known CHECK (kind IN ('SALE', 'HOLD')),
    CONSTRAINT allowance_uses_mark_known CHECK (mark IN ('', 'OVER_ALLOWANCE', 'UNAUTHORISED'))
);
CREATE INDEX allowance_uses_of_allowance ON allowance_uses (merchant_id, allowance_id, customer_id);
CREATE INDEX allowance_uses_of_customer ON allowance_uses (merchant_id, customer_id, used_at, use_id);

-- Under which a till without a line made a hold; null: it was authorised.
ALTER TABLE holds ADD COLUMN allowance_id uuid;

ALTER TABLE invoice_exceptions DROP CONSTRAINT invoice_exceptions_kind_known;
ALTER TABLE invoice_exceptions ADD CONSTRAINT invoice_exceptions_kind_known CHECK (
    kind IN ('OVER_HOLD', 'LATE', 'VOIDED_THEN_SOLD', 'UNAUTHORISED', 'RETURN_EXCEEDS_INVOICE', 'OVER_ALLOWANCE')
) NOT VALID;

-- Finds what was sold under a hold that is handed in only now; other invoices never enter it.
CREATE INDEX invoices_unauthorised ON invoices (merchant_id, hold_id)
WHERE exception = 'UNAUTHORISED' AND hold_id IS NOT NULL;

-- migrate:down
DROP INDEX invoices_unauthorised;
ALTER TABLE invoice_exceptions DROP CONSTRAINT invoice_exceptions_kind_known;
ALTER TABLE invoice_exceptions ADD CONSTRAINT invoice_exceptions_kind_known CHECK (
    kind IN ('OVER_HOLD', 'LATE', 'VOIDED_THEN_SOLD', 'UNAUTHORISED', 'RETURN_EXCEEDS_INVOICE')
) NOT VALID;
ALTER TABLE holds DROP COLUMN allowance_id;
DROP TABLE allowance_uses;
DROP TABLE allowances;
