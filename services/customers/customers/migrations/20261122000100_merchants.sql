-- migrate:up
CREATE TABLE merchants (
    merchant_id text PRIMARY KEY,
    name text NOT NULL,
    currency_code text NOT NULL,
    minor_digits integer NOT NULL,
    time_zone text NOT NULL,
    locale text NOT NULL,
    quiet_from time NOT NULL,
    quiet_to time NOT NULL,
    greeting_from time NOT NULL,
    greeting_to time NOT NULL,
    updated_at timestamptz NOT NULL
);

-- Empty text and null hours: the merchant's.
CREATE TABLE stores (
    merchant_id text NOT NULL,
    store_id text NOT NULL,
    name text NOT NULL DEFAULT '',
    time_zone text NOT NULL DEFAULT '',
    city text NOT NULL DEFAULT '',
    province text NOT NULL DEFAULT '',
    quiet_from time,
    quiet_to time,
    greeting_from time,
    greeting_to time,
    self_registered boolean NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, store_id)
);

-- Writes that carry a request_id and hold no personal data.
CREATE TABLE requests (
    merchant_id text NOT NULL,
    kind text NOT NULL,
    request_id uuid NOT NULL,
    fingerprint bytea NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, kind, request_id)
);

-- migrate:down
DROP TABLE requests;
DROP TABLE stores;
DROP TABLE merchants;
