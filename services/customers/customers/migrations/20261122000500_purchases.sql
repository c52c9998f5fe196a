-- migrate:up

-- A sale as it was recorded. The customer's row in customers is its lock; an anonymous sale is guarded by
-- its own row. body is the serialized purchase-completed event with the tenders as the till sent them (what
-- is published says less of them): lines and tenders are read back whole or not at all, so one row a sale
-- is enough; rows a line would cost a basket of 161 lines 161 index entries.
CREATE TABLE purchases (
    merchant_id text NOT NULL,
    purchase_id uuid NOT NULL,
    -- Empty: anonymous.
    customer_id text NOT NULL,
    store_id text NOT NULL,
    receipt_number text NOT NULL,
    -- The serialized Origin as the till sent it: what the event does not say of it is kept here.
    origin bytea NOT NULL,
    effective_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    -- Minor units, as sold and after returns.
    total bigint NOT NULL,
    total_left bigint NOT NULL,
    status text NOT NULL DEFAULT 'COMPLETED',
    revision bigint NOT NULL DEFAULT 1,
    fingerprint bytea NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (merchant_id, purchase_id),
    CONSTRAINT purchases_left_within_total CHECK (total_left BETWEEN 0 AND total),
    CONSTRAINT purchases_status_known
    CHECK (status IN ('COMPLETED', 'PARTLY_RETURNED', 'RETURNED', 'VOIDED'))
);

CREATE INDEX purchases_customer ON purchases (merchant_id, customer_id, effective_at, purchase_id)
WHERE customer_id <> '';
CREATE INDEX purchases_receipt ON purchases (merchant_id, receipt_number, effective_at, purchase_id)
WHERE receipt_number <> '';
CREATE INDEX purchases_store ON purchases (merchant_id, store_id, effective_at, purchase_id);
CREATE INDEX purchases_time ON purchases (merchant_id, effective_at, purchase_id);

-- What was taken back of a sale. body is the serialized purchase-returned event.
CREATE TABLE purchase_returns (
    merchant_id text NOT NULL,
    return_id uuid NOT NULL,
    purchase_id uuid NOT NULL,
    -- The purchase's revision after this return.
    revision bigint NOT NULL,
    receipt_number text NOT NULL,
    -- As in purchases.
    origin bytea NOT NULL,
    received_at timestamptz NOT NULL,
    -- Minor units: refunded, and left of the purchase afterwards.
    total bigint NOT NULL,
    total_left bigint NOT NULL,
    fingerprint bytea NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (merchant_id, return_id),
    CONSTRAINT purchase_returns_one_a_revision UNIQUE (merchant_id, purchase_id, revision)
);

-- Visits and spend of a customer: purchases worth more than 0 of which something is left; minor units.
CREATE TABLE customer_statistics (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    visits bigint NOT NULL,
    spend bigint NOT NULL,
    first_purchase_at timestamptz,
    last_purchase_at timestamptz,
    PRIMARY KEY (merchant_id, customer_id),
    CONSTRAINT customer_statistics_not_negative CHECK (visits >= 0 AND spend >= 0)
) WITH (fillfactor = 80);

-- What staff should look at; exception_id is derived from purchase and reason.
CREATE TABLE purchase_exceptions (
    merchant_id text NOT NULL,
    exception_id uuid NOT NULL,
    purchase_id uuid NOT NULL,
    reason text NOT NULL,
    subject text NOT NULL,
    store_id text NOT NULL,
    noticed_at timestamptz NOT NULL,
    resolution text NOT NULL DEFAULT '',
    resolved_by text NOT NULL DEFAULT '',
    resolved_at timestamptz,
    PRIMARY KEY (merchant_id, exception_id),
    CONSTRAINT purchase_exceptions_reason_known
    CHECK (reason IN ('CUSTOMER_UNKNOWN', 'TENDER_WITHOUT_CUSTOMER')),
    CONSTRAINT purchase_exceptions_resolution_known
    CHECK (resolution IN ('', 'ACCEPTED', 'CORRECTED'))
);

CREATE INDEX purchase_exceptions_open ON purchase_exceptions (merchant_id, noticed_at, exception_id)
WHERE resolved_at IS NULL;
CREATE INDEX purchase_exceptions_all ON purchase_exceptions (merchant_id, noticed_at, exception_id);

-- migrate:down
DROP TABLE purchase_exceptions;
DROP TABLE customer_statistics;
DROP TABLE purchase_returns;
DROP TABLE purchases;
