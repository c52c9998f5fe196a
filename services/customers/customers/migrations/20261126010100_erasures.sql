-- migrate:up

-- Who asked to be erased, and how far that has come; rows stay, for a restore has to do it again.
-- Guarded by the customer's row. retry_at is wall time, the lease of whoever works on it.
CREATE TABLE erasures (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    state text NOT NULL,
    reason text NOT NULL,
    subject text NOT NULL,
    -- A serialized types.v1.Origin; empty: none was given.
    origin bytea NOT NULL,
    asked_at timestamptz NOT NULL,
    erased_at timestamptz,
    retry_at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, customer_id),
    CONSTRAINT erasures_state_known CHECK (state IN ('ASKED', 'OPEN_BALANCE', 'ERASING', 'ERASED')),
    CONSTRAINT erasures_end_known CHECK ((state = 'ERASED') = (erased_at IS NOT NULL))
);

CREATE INDEX erasures_due ON erasures (retry_at) WHERE erased_at IS NULL;

-- migrate:down
DROP TABLE erasures;
