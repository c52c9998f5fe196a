-- migrate:up
-- Messages that wait for an hour, replace one another, remind of invoices, and take another way.
ALTER TABLE messages ADD COLUMN family text NOT NULL DEFAULT '';
ALTER TABLE messages ADD COLUMN until date;
ALTER TABLE messages ADD COLUMN invoices text[] NOT NULL DEFAULT '{}';
ALTER TABLE messages ADD COLUMN not_before timestamptz;
ALTER TABLE messages ADD COLUMN given_up text[] NOT NULL DEFAULT '{}';
ALTER TABLE messages ADD COLUMN failures integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN messages.family IS 'A newer message of the family replaces older unsent ones; empty: none.';
COMMENT ON COLUMN messages.until IS 'The last local date of its use; not_after follows at the first attempt.';
COMMENT ON COLUMN messages.invoices IS 'What credit is asked about at every attempt, UUIDs.';
COMMENT ON COLUMN messages.not_before IS 'Business time; a held message has it, and due_at infinity.';
COMMENT ON COLUMN messages.given_up IS 'Routes that refused for good: channel, way, the how-manieth of it.';
COMMENT ON COLUMN messages.failures IS 'Attempts that a channel may yet make good, over all routes.';

-- Only what is held, looked at from its soonest. Until then nothing looks at a held message.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX messages_held_idx ON messages (not_before) WHERE not_before IS NOT NULL;

-- Texts of merchants' own. A version never changes: messages name it.
CREATE TABLE template_versions (
    merchant_id text NOT NULL,
    template text NOT NULL,
    version integer NOT NULL,
    based_on integer NOT NULL,
    texts jsonb NOT NULL,
    request_id uuid NOT NULL,
    fingerprint bytea NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT template_versions_pkey PRIMARY KEY (merchant_id, template, version),
    CONSTRAINT template_versions_request_key UNIQUE (merchant_id, request_id),
    CONSTRAINT template_versions_own_check CHECK (version > 1000)
);
COMMENT ON COLUMN template_versions.based_on IS 'The version of the product whose variables the texts show.';
COMMENT ON COLUMN template_versions.texts IS 'By language: the subject, a line end, the body.';

-- Merchants that were heard of, and when each occasion was last asked for, in business time.
CREATE TABLE merchants (
    merchant_id text NOT NULL,
    CONSTRAINT merchants_pkey PRIMARY KEY (merchant_id)
);
CREATE TABLE occasion_rounds (
    merchant_id text NOT NULL,
    occasion text NOT NULL,
    asked_at timestamptz NOT NULL,
    CONSTRAINT occasion_rounds_pkey PRIMARY KEY (merchant_id, occasion)
) WITH (fillfactor = 80);

-- migrate:down
DROP TABLE occasion_rounds;
DROP TABLE merchants;
DROP TABLE template_versions;
ALTER TABLE messages DROP COLUMN failures;
ALTER TABLE messages DROP COLUMN given_up;
ALTER TABLE messages DROP COLUMN not_before;
ALTER TABLE messages DROP COLUMN invoices;
ALTER TABLE messages DROP COLUMN until;
ALTER TABLE messages DROP COLUMN family;
