-- migrate:up
-- Nothing here names a person: no address, no name, no text that was sent.
CREATE TABLE recipients (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    erased_at timestamptz,
    merged_into text,
    CONSTRAINT recipients_pkey PRIMARY KEY (merchant_id, customer_id)
);
COMMENT ON TABLE recipients IS 'One row a customer: the lock that guards all messages of that customer.';
COMMENT ON COLUMN recipients.merged_into IS 'The customer that absorbed this one; later messages go there.';

CREATE TABLE messages (
    merchant_id text NOT NULL,
    message_id uuid NOT NULL,
    customer_id text NOT NULL,
    kind text NOT NULL,
    cause text NOT NULL,
    template text NOT NULL,
    template_version integer NOT NULL,
    variables jsonb NOT NULL,
    wanted_channel text NOT NULL DEFAULT '',
    fingerprint bytea,
    state text NOT NULL DEFAULT 'PENDING',
    reason text NOT NULL DEFAULT '',
    last_failure text NOT NULL DEFAULT '',
    channel text NOT NULL DEFAULT '',
    language text NOT NULL DEFAULT '',
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    made_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL,
    not_after timestamptz NOT NULL,
    finished_at timestamptz,
    CONSTRAINT messages_pkey PRIMARY KEY (merchant_id, message_id),
    CONSTRAINT messages_cause_key UNIQUE (merchant_id, kind, cause),
    CONSTRAINT messages_state_check CHECK (state IN ('PENDING', 'SENDING', 'SENT', 'FAILED', 'SKIPPED')),
    CONSTRAINT messages_final_check CHECK (
        (state IN ('SENT', 'FAILED', 'SKIPPED')) = (finished_at IS NOT NULL)
    ),
    CONSTRAINT messages_reason_check CHECK ((state IN ('FAILED', 'SKIPPED')) = (reason <> ''))
) WITH (fillfactor = 80);
COMMENT ON COLUMN messages.due_at IS 'Wall time: next attempt of a PENDING, end of the lease of a SENDING.';
COMMENT ON COLUMN messages.made_at IS 'Wall time of the insert; created_at and not_after are business time.';
COMMENT ON COLUMN messages.fingerprint IS 'Content of a SendMessage; NULL for messages made from events.';

-- Small, for it holds only what is still to be sent. It costs each message two updates that are not HOT.
CREATE INDEX messages_due_idx ON messages (due_at) WHERE state IN ('PENDING', 'SENDING');
CREATE INDEX messages_customer_idx ON messages (merchant_id, customer_id, created_at, message_id);
CREATE INDEX messages_created_idx ON messages (merchant_id, created_at, message_id);

-- migrate:down
DROP TABLE messages;
DROP TABLE recipients;
