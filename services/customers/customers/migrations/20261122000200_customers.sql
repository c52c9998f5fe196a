-- migrate:up
-- The customer row is the lock of everything that belongs to the customer: FOR NO KEY UPDATE, in id order.
-- Nothing here names the person; that lies in the vault under the same id.
CREATE TABLE customers (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    kind text NOT NULL,
    gender text NOT NULL DEFAULT '',
    city text NOT NULL DEFAULT '',
    province text NOT NULL DEFAULT '',
    status text NOT NULL DEFAULT 'ACTIVE',
    category text NOT NULL DEFAULT '',
    category_revision bigint NOT NULL DEFAULT 0,
    credit_limit_wished bigint NOT NULL DEFAULT 0,
    language text NOT NULL,
    time_zone text NOT NULL DEFAULT '',
    acquisition_source text NOT NULL DEFAULT '',
    home_store_id text NOT NULL DEFAULT '',
    registered_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    revision bigint NOT NULL,
    PRIMARY KEY (merchant_id, customer_id),
    CONSTRAINT customers_kind_known CHECK (kind IN ('PERSON', 'ORGANISATION')),
    CONSTRAINT customers_status_known
    CHECK (status IN ('ACTIVE', 'INACTIVE', 'RESTRICTED', 'ERASING', 'ERASED'))
) WITH (fillfactor = 80);

-- Replaceable aliases of the id; upper case.
CREATE TABLE member_codes (
    merchant_id text NOT NULL,
    code text NOT NULL,
    customer_id text NOT NULL,
    PRIMARY KEY (merchant_id, code)
);

CREATE INDEX member_codes_customer ON member_codes (merchant_id, customer_id);

-- Codes that a write is about to take, so that the later of two is refused before the vault knows of it.
-- Claimer: the customer, or the request that registers one. claimed_at is wall time, a lease.
CREATE TABLE member_code_claims (
    merchant_id text NOT NULL,
    code text NOT NULL,
    claimer text NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (merchant_id, code)
);

-- migrate:down
DROP TABLE member_code_claims;
DROP TABLE member_codes;
DROP TABLE customers;
