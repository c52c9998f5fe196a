-- squawk-ignore-file require-concurrent-index-creation, require-concurrent-index-deletion
-- migrate:up

-- What was said of what is owed: one event a customer and local day, whatever is repeated or runs at once.
CREATE TABLE notices (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    local_date date NOT NULL,
    kind text NOT NULL,
    said_at timestamptz NOT NULL,
    CONSTRAINT notices_pkey PRIMARY KEY (merchant_id, customer_id, local_date),
    CONSTRAINT notices_kind_known CHECK (kind IN ('DUE', 'OVERDUE'))
);

-- Not CONCURRENTLY: it waits for every transaction that is open, and so for each other migrator that waits for
-- this one's lock. A million invoices are indexed in about a second, while writes wait.

-- Notices look for what is due on a few days. An invoice leaves the index once, when it is settled.
CREATE INDEX invoices_due ON invoices (due_on, merchant_id, customer_id) WHERE settled_at IS NULL;
-- Authorize asks since when the longest due of an account's open invoices is due.
CREATE INDEX invoices_oldest_due ON invoices (merchant_id, customer_id, due_on) WHERE settled_at IS NULL;
-- Which zones there are; an account's zone is fixed once anything is booked.
CREATE INDEX accounts_zone ON accounts (time_zone);

-- migrate:down
DROP INDEX accounts_zone;
DROP INDEX invoices_oldest_due;
DROP INDEX invoices_due;
DROP TABLE notices;
