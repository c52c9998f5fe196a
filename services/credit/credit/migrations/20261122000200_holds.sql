-- migrate:up

-- amount is null for a hold that was voided before it was authorised and where there was no account;
-- fingerprint is null for the former alone.
CREATE TABLE holds (
    merchant_id text NOT NULL,
    hold_id uuid NOT NULL,
    customer_id text NOT NULL,
    state text NOT NULL,
    amount bigint,
    captured bigint NOT NULL DEFAULT 0,
    reason text NOT NULL DEFAULT '',
    available bigint NOT NULL DEFAULT 0,
    invoice_id uuid,
    fingerprint bytea,
    store_id text NOT NULL,
    register_id text NOT NULL,
    staff_ref text NOT NULL,
    recognised_by integer NOT NULL,
    decided_at timestamptz NOT NULL,
    expires_at timestamptz,
    CONSTRAINT holds_pkey PRIMARY KEY (merchant_id, hold_id),
    CONSTRAINT holds_state_known
    CHECK (state IN ('PENDING', 'DECLINED', 'CAPTURED', 'VOIDED', 'EXPIRED')),
    CONSTRAINT holds_pending_amount CHECK (state <> 'PENDING' OR amount > 0)
) WITH (fillfactor = 80);

-- migrate:down
DROP TABLE holds;
