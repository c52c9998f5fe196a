-- squawk-ignore-file require-concurrent-index-creation, require-concurrent-index-deletion, ban-drop-constraint
-- migrate:up

-- Whose a row was before its customer was merged into another; null: nobody else's. Kept from the first merge on.
ALTER TABLE account_changes ADD COLUMN absorbed_from text;
ALTER TABLE allowance_uses ADD COLUMN absorbed_from text;
ALTER TABLE entries ADD COLUMN absorbed_from text;
ALTER TABLE holds ADD COLUMN absorbed_from text;
ALTER TABLE invoices ADD COLUMN absorbed_from text;
ALTER TABLE invoice_exceptions ADD COLUMN absorbed_from text;
ALTER TABLE notices ADD COLUMN absorbed_from text;
ALTER TABLE payments ADD COLUMN absorbed_from text;
ALTER TABLE payment_changes ADD COLUMN absorbed_from text;
ALTER TABLE payouts ADD COLUMN absorbed_from text;
ALTER TABLE reminders ADD COLUMN absorbed_from text;
ALTER TABLE write_offs ADD COLUMN absorbed_from text;

-- A merge is a change of the survivor's account, and names whom it absorbed.
ALTER TABLE account_changes ADD COLUMN merged_customer_id text;
ALTER TABLE account_changes DROP CONSTRAINT account_changes_kind_known;
ALTER TABLE account_changes ADD CONSTRAINT account_changes_kind_known CHECK (
    kind IN (
        'OPEN', 'LIMIT', 'TERMS', 'OVERRIDE', 'SUSPEND', 'RESUME', 'CLOSE', 'SALE', 'ERASED', 'STORE_LIMIT',
        'MERGED'
    )
) NOT VALID;

-- Who was merged into a customer: few are. Not CONCURRENTLY: see 20261126010100.
CREATE INDEX accounts_merged ON accounts (merchant_id, merged_into) WHERE merged_into <> '';

-- Merges of accounts that are too large to be moved beside what else a poll brings, until a sweep has moved them.
CREATE TABLE merges_waiting (
    merchant_id text NOT NULL,
    absorbed_customer_id text NOT NULL,
    surviving_customer_id text NOT NULL,
    merged_at timestamptz NOT NULL,
    tried_at timestamptz,
    PRIMARY KEY (merchant_id, absorbed_customer_id)
);

-- migrate:down
DROP TABLE merges_waiting;
DROP INDEX accounts_merged;
ALTER TABLE account_changes DROP CONSTRAINT account_changes_kind_known;
ALTER TABLE account_changes ADD CONSTRAINT account_changes_kind_known CHECK (
    kind IN ('OPEN', 'LIMIT', 'TERMS', 'OVERRIDE', 'SUSPEND', 'RESUME', 'CLOSE', 'SALE', 'ERASED', 'STORE_LIMIT')
) NOT VALID;
ALTER TABLE account_changes DROP COLUMN merged_customer_id;
ALTER TABLE write_offs DROP COLUMN absorbed_from;
ALTER TABLE reminders DROP COLUMN absorbed_from;
ALTER TABLE payouts DROP COLUMN absorbed_from;
ALTER TABLE payment_changes DROP COLUMN absorbed_from;
ALTER TABLE payments DROP COLUMN absorbed_from;
ALTER TABLE notices DROP COLUMN absorbed_from;
ALTER TABLE invoice_exceptions DROP COLUMN absorbed_from;
ALTER TABLE invoices DROP COLUMN absorbed_from;
ALTER TABLE holds DROP COLUMN absorbed_from;
ALTER TABLE entries DROP COLUMN absorbed_from;
ALTER TABLE allowance_uses DROP COLUMN absorbed_from;
ALTER TABLE account_changes DROP COLUMN absorbed_from;
