-- squawk-ignore-file require-concurrent-index-creation, require-concurrent-index-deletion
-- migrate:up

-- Which version of the policy decided the limit, 0: it was set by hand; and from which local date on it is
-- decided again, null: never.
ALTER TABLE accounts ADD COLUMN limit_policy bigint NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN limit_again_on date;
ALTER TABLE accounts ADD CONSTRAINT accounts_limit_policy_whole
CHECK ((limit_policy = 0) = (limit_again_on IS NULL)) NOT VALID;
ALTER TABLE account_changes ADD COLUMN limit_policy bigint NOT NULL DEFAULT 0;

-- Not CONCURRENTLY: see 20261126010100. An account moves in it once a month, and is in it only if it is under the
-- policy.
CREATE INDEX accounts_limit_again ON accounts (time_zone, limit_again_on) WHERE limit_again_on IS NOT NULL;

-- What each purchase added to what its customer bought in a local month, and each return took off; minor units.
-- Append-only, each cause once. Not under the account's lock: it decides nothing until a limit is decided.
CREATE TABLE spend (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    month date NOT NULL,
    cause_id uuid NOT NULL,
    amount bigint NOT NULL,
    CONSTRAINT spend_pkey PRIMARY KEY (merchant_id, customer_id, month, cause_id)
);

-- migrate:down
DROP TABLE spend;
DROP INDEX accounts_limit_again;
ALTER TABLE account_changes DROP COLUMN limit_policy;
ALTER TABLE accounts DROP COLUMN limit_again_on;
ALTER TABLE accounts DROP COLUMN limit_policy;
