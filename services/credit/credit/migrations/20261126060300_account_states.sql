-- squawk-ignore-file ban-drop-constraint
-- migrate:up

-- Closed accounts, a limit for a time, and terms by the day of the month (0: net_days decides). The checks know
-- more than before, so no row can break them.
ALTER TABLE accounts ADD COLUMN override_limit bigint;
ALTER TABLE accounts ADD COLUMN override_until timestamptz;
ALTER TABLE accounts ADD COLUMN due_day integer NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD CONSTRAINT accounts_override_whole
CHECK ((override_limit IS NULL) = (override_until IS NULL) AND coalesce(override_limit, 0) >= 0) NOT VALID;
ALTER TABLE accounts ADD CONSTRAINT accounts_due_day_of_month CHECK (due_day BETWEEN 0 AND 31) NOT VALID;
ALTER TABLE accounts ADD CONSTRAINT accounts_terms_one CHECK (due_day = 0 OR net_days = 0) NOT VALID;
ALTER TABLE accounts DROP CONSTRAINT accounts_status_known;
ALTER TABLE accounts ADD CONSTRAINT accounts_status_known
CHECK (status IN ('UNOPENED', 'SUSPENDED', 'ACTIVE', 'CLOSED')) NOT VALID;

-- What held after each change. An empty status and revision 0: written by a release that did not say.
ALTER TABLE account_changes ADD COLUMN status text NOT NULL DEFAULT '';
ALTER TABLE account_changes ADD COLUMN due_day integer NOT NULL DEFAULT 0;
ALTER TABLE account_changes ADD COLUMN override_limit bigint;
ALTER TABLE account_changes ADD COLUMN override_until timestamptz;
ALTER TABLE account_changes ADD COLUMN revision bigint NOT NULL DEFAULT 0;
ALTER TABLE account_changes DROP CONSTRAINT account_changes_kind_known;
ALTER TABLE account_changes ADD CONSTRAINT account_changes_kind_known CHECK (
    kind IN ('OPEN', 'LIMIT', 'TERMS', 'OVERRIDE', 'SUSPEND', 'RESUME', 'CLOSE', 'SALE', 'ERASED')
) NOT VALID;

-- Which till had a hold kept for longer.
ALTER TABLE holds ADD COLUMN extended_origin bytea;

-- migrate:down
ALTER TABLE holds DROP COLUMN extended_origin;
ALTER TABLE account_changes DROP CONSTRAINT account_changes_kind_known;
ALTER TABLE account_changes ADD CONSTRAINT account_changes_kind_known
CHECK (kind IN ('OPEN', 'LIMIT', 'TERMS')) NOT VALID;
ALTER TABLE account_changes DROP COLUMN revision;
ALTER TABLE account_changes DROP COLUMN override_until;
ALTER TABLE account_changes DROP COLUMN override_limit;
ALTER TABLE account_changes DROP COLUMN due_day;
ALTER TABLE account_changes DROP COLUMN status;
ALTER TABLE accounts DROP CONSTRAINT accounts_status_known;
ALTER TABLE accounts ADD CONSTRAINT accounts_status_known
CHECK (status IN ('UNOPENED', 'SUSPENDED', 'ACTIVE')) NOT VALID;
ALTER TABLE accounts DROP COLUMN due_day;
ALTER TABLE accounts DROP COLUMN override_until;
ALTER TABLE accounts DROP COLUMN override_limit;
