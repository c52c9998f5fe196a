-- migrate:up
-- One row a customer: the wrapped data key, and the version that customers.revision follows.
-- Locked FOR NO KEY UPDATE, in id order, after the advisory locks of contact tokens.
CREATE TABLE people (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    version bigint NOT NULL,
    key_version integer NOT NULL,
    kek_id text NOT NULL,
    wrapped_key bytea NOT NULL,
    PRIMARY KEY (merchant_id, customer_id)
) WITH (fillfactor = 80);

-- AES-256-GCM under the data key: nonce, ciphertext, tag. AAD: merchant, customer, field, key version.
CREATE TABLE sealed_fields (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    field text NOT NULL,
    key_version integer NOT NULL,
    sealed bytea NOT NULL,
    PRIMARY KEY (merchant_id, customer_id, field)
);

-- Addresses, those that ended included. token: the blind index of the address under index_version.
CREATE TABLE contact_points (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    point_id bigint GENERATED ALWAYS AS IDENTITY,
    position integer NOT NULL,
    channel text NOT NULL,
    token bytea NOT NULL,
    index_version integer NOT NULL,
    key_version integer NOT NULL,
    sealed bytea NOT NULL,
    shared boolean NOT NULL,
    verified_at timestamptz,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz,
    PRIMARY KEY (merchant_id, customer_id, point_id)
);

-- Who holds an address now. Kind: number (phone and WhatsApp) or email.
CREATE TABLE contact_index (
    merchant_id text NOT NULL,
    kind text NOT NULL,
    token bytea NOT NULL,
    customer_id text NOT NULL,
    index_version integer NOT NULL,
    shared boolean NOT NULL,
    PRIMARY KEY (merchant_id, kind, token, customer_id)
);

-- One holder a merchant, unless the point is shared.
CREATE UNIQUE INDEX contact_index_one_holder ON contact_index (merchant_id, kind, token) WHERE NOT shared;
CREATE INDEX contact_index_customer ON contact_index (merchant_id, customer_id);

-- Words of full_name and nickname, month and day of birth_date; the kind is the field.
CREATE TABLE search_index (
    merchant_id text NOT NULL,
    kind text NOT NULL,
    token bytea NOT NULL,
    customer_id text NOT NULL,
    index_version integer NOT NULL,
    PRIMARY KEY (merchant_id, kind, token, customer_id)
);

CREATE INDEX search_index_customer ON search_index (merchant_id, customer_id);

-- Writes by request_id; the fingerprint is keyed, for it is made of personal data.
CREATE TABLE requests (
    merchant_id text NOT NULL,
    kind text NOT NULL,
    request_id uuid NOT NULL,
    customer_id text NOT NULL,
    index_version integer NOT NULL,
    fingerprint bytea NOT NULL,
    PRIMARY KEY (merchant_id, kind, request_id)
);

CREATE INDEX requests_customer ON requests (merchant_id, customer_id);

-- What the customers database still has to learn: neutral fields only. touched_at is wall time, a lease.
CREATE TABLE pending (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    version bigint NOT NULL,
    change jsonb NOT NULL,
    touched_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (merchant_id, customer_id, version)
);

CREATE INDEX pending_touched ON pending (touched_at);

-- Evidence, appended; only ended_at is ever set afterwards, when the address goes to another holder.
CREATE TABLE consents (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    consent_id uuid NOT NULL,
    purpose text NOT NULL,
    channel text NOT NULL,
    token bytea,
    key_version integer NOT NULL,
    sealed bytea,
    state text NOT NULL,
    notice_version text NOT NULL,
    notice_language text NOT NULL,
    method text NOT NULL,
    evidence_ref text NOT NULL,
    by_guardian boolean NOT NULL,
    origin bytea NOT NULL,
    recorded_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (merchant_id, customer_id, seq),
    CONSTRAINT consents_state_known CHECK (state IN ('GIVEN', 'WITHDRAWN'))
);

-- Who read what, why; a row a batch and reader, written before the answer. Wall time.
CREATE TABLE access_log (
    at timestamptz NOT NULL DEFAULT now(),
    merchant_id text NOT NULL,
    subject text NOT NULL,
    store_id text NOT NULL,
    register_id text NOT NULL,
    staff_ref text NOT NULL,
    action text NOT NULL,
    reason text NOT NULL,
    customer_ids text [] NOT NULL,
    asked integer NOT NULL
);

CREATE INDEX access_log_at ON access_log USING brin (at);

-- Misses of Identify a register and window of wall time.
CREATE TABLE identify_misses (
    merchant_id text NOT NULL,
    store_id text NOT NULL,
    register_id text NOT NULL,
    window_start bigint NOT NULL,
    misses integer NOT NULL,
    PRIMARY KEY (merchant_id, store_id, register_id, window_start)
) WITH (fillfactor = 80);

-- migrate:down
DROP TABLE identify_misses;
DROP TABLE access_log;
DROP TABLE consents;
DROP TABLE pending;
DROP TABLE requests;
DROP TABLE search_index;
DROP TABLE contact_index;
DROP TABLE contact_points;
DROP TABLE sealed_fields;
DROP TABLE people;
