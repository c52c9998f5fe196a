-- migrate:up

-- One row a customer; its lock guards everything of that customer in this database.
-- UNOPENED: the customer is known here (a wish, an erasure, a declined hold) but has no account.
-- posted, held and credit_balance are cached folds of entries and of pending holds.
CREATE TABLE accounts (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    status text NOT NULL DEFAULT 'UNOPENED',
    currency_code text NOT NULL DEFAULT '',
    minor_digits integer NOT NULL DEFAULT 0,
    time_zone text NOT NULL DEFAULT 'UTC',
    credit_limit bigint NOT NULL DEFAULT 0,
    posted bigint NOT NULL DEFAULT 0,
    held bigint NOT NULL DEFAULT 0,
    credit_balance bigint NOT NULL DEFAULT 0,
    net_days integer NOT NULL DEFAULT 0,
    limit_wished bigint NOT NULL DEFAULT 0,
    erased_at timestamptz,
    merged_into text NOT NULL DEFAULT '',
    opened_at timestamptz,
    revision bigint NOT NULL DEFAULT 0,
    CONSTRAINT accounts_pkey PRIMARY KEY (merchant_id, customer_id),
    CONSTRAINT accounts_status_known CHECK (status IN ('UNOPENED', 'SUSPENDED', 'ACTIVE')),
    CONSTRAINT accounts_limit_not_negative CHECK (credit_limit >= 0),
    CONSTRAINT accounts_posted_not_negative CHECK (posted >= 0),
    CONSTRAINT accounts_held_not_negative CHECK (held >= 0),
    CONSTRAINT accounts_credit_not_negative CHECK (credit_balance >= 0)
) WITH (fillfactor = 80);

-- What opened an account and changed its limit or terms; append-only, and the memory of request ids.
CREATE TABLE account_changes (
    merchant_id text NOT NULL,
    kind text NOT NULL,
    request_id uuid NOT NULL,
    customer_id text NOT NULL,
    fingerprint bytea NOT NULL,
    credit_limit bigint NOT NULL,
    net_days integer NOT NULL,
    reason text NOT NULL,
    staff_ref text NOT NULL,
    changed_at timestamptz NOT NULL,
    CONSTRAINT account_changes_pkey PRIMARY KEY (merchant_id, kind, request_id),
    CONSTRAINT account_changes_kind_known CHECK (kind IN ('OPEN', 'LIMIT', 'TERMS'))
);

-- The ledger; append-only. Each entry names its cause: (cause_type, cause_id, line, effect) is its identity.
-- posted and credit are signed changes in minor units.
CREATE TABLE entries (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    entry_id bigint GENERATED ALWAYS AS IDENTITY,
    cause_type text NOT NULL,
    cause_id uuid NOT NULL,
    line text NOT NULL,
    effect text NOT NULL,
    invoice_id uuid,
    posted bigint NOT NULL,
    credit bigint NOT NULL,
    effective_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT entries_pkey PRIMARY KEY (merchant_id, customer_id, entry_id),
    CONSTRAINT entries_cause_once UNIQUE (merchant_id, customer_id, cause_type, cause_id, line, effect),
    CONSTRAINT entries_cause_known CHECK (cause_type IN ('PURCHASE', 'CAPTURE', 'RETURN', 'PAYMENT')),
    CONSTRAINT entries_effect_known
    CHECK (effect IN ('CHARGED', 'CREDIT_USED', 'PAID', 'RETURNED', 'CREDIT_ADDED'))
);

-- migrate:down
DROP TABLE entries;
DROP TABLE account_changes;
DROP TABLE accounts;
