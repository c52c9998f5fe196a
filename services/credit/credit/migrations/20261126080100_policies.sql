-- squawk-ignore-file require-concurrent-index-creation, require-concurrent-index-deletion
-- migrate:up

-- The newest version of each merchant's policy: the row that SetPolicy locks.
CREATE TABLE policy_heads (
    merchant_id text NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT policy_heads_pkey PRIMARY KEY (merchant_id)
);

-- Immutable versions; content is the Policy message as ProtoJSON.
CREATE TABLE policies (
    merchant_id text NOT NULL,
    version bigint NOT NULL,
    request_id uuid NOT NULL,
    fingerprint bytea NOT NULL,
    effective_from timestamptz NOT NULL,
    set_at timestamptz NOT NULL,
    content jsonb NOT NULL,
    CONSTRAINT policies_pkey PRIMARY KEY (merchant_id, version),
    CONSTRAINT policies_request_key UNIQUE (merchant_id, request_id)
);

-- Authorize asks which version is in force.
CREATE INDEX policies_in_force ON policies (merchant_id, effective_from, version);

-- migrate:down
DROP TABLE policies;
DROP TABLE policy_heads;
