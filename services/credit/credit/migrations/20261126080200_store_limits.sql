-- squawk-ignore-file require-concurrent-index-creation, require-concurrent-index-deletion, ban-drop-constraint
-- migrate:up

-- How much of what a customer owes may come from one store. accounts.store_limited says whether there is any, so
-- that whoever authorises looks here only then.
CREATE TABLE store_limits (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    store_id text NOT NULL,
    credit_limit bigint NOT NULL,
    CONSTRAINT store_limits_pkey PRIMARY KEY (merchant_id, customer_id, store_id),
    CONSTRAINT store_limits_not_negative CHECK (credit_limit >= 0)
);
ALTER TABLE accounts ADD COLUMN store_limited boolean NOT NULL DEFAULT false;

ALTER TABLE account_changes ADD COLUMN store_id text NOT NULL DEFAULT '';
ALTER TABLE account_changes ADD COLUMN store_limit bigint;
ALTER TABLE account_changes DROP CONSTRAINT account_changes_kind_known;
ALTER TABLE account_changes ADD CONSTRAINT account_changes_kind_known CHECK (
    kind IN ('OPEN', 'LIMIT', 'TERMS', 'OVERRIDE', 'SUSPEND', 'RESUME', 'CLOSE', 'SALE', 'ERASED', 'STORE_LIMIT')
) NOT VALID;

-- Empty: issued by a release that did not keep it, or not in a store.
ALTER TABLE invoices ADD COLUMN store_id text NOT NULL DEFAULT '';

-- Pending holds by store, of accounts with limits per store alone: holds of all others never enter the index. A
-- hold that comes to such an account otherwise than by Authorize must be marked as well; the audit looks.
ALTER TABLE holds ADD COLUMN store_limited boolean NOT NULL DEFAULT false;
CREATE INDEX holds_pending_of_store ON holds (merchant_id, customer_id, store_id) WHERE state = 'PENDING' AND store_limited;

-- migrate:down
DROP INDEX holds_pending_of_store;
ALTER TABLE holds DROP COLUMN store_limited;
ALTER TABLE invoices DROP COLUMN store_id;
ALTER TABLE account_changes DROP CONSTRAINT account_changes_kind_known;
ALTER TABLE account_changes ADD CONSTRAINT account_changes_kind_known CHECK (
    kind IN ('OPEN', 'LIMIT', 'TERMS', 'OVERRIDE', 'SUSPEND', 'RESUME', 'CLOSE', 'SALE', 'ERASED')
) NOT VALID;
ALTER TABLE account_changes DROP COLUMN store_limit;
ALTER TABLE account_changes DROP COLUMN store_id;
ALTER TABLE accounts DROP COLUMN store_limited;
DROP TABLE store_limits;
