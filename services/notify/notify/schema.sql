CREATE TABLE public.audits (
    name text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone NOT NULL,
    looked_at bigint NOT NULL,
    differences bigint NOT NULL,
    passed_at timestamp with time zone
);

CREATE TABLE public.heard (
    topic text NOT NULL,
    partition integer NOT NULL,
    partitions integer NOT NULL,
    until timestamp with time zone NOT NULL
)
WITH (fillfactor='50');

CREATE TABLE public.inbox (
    day date NOT NULL,
    event_id uuid NOT NULL
)
PARTITION BY RANGE (day);

CREATE TABLE public.inbox_default (
    day date CONSTRAINT inbox_day_not_null NOT NULL,
    event_id uuid CONSTRAINT inbox_event_id_not_null NOT NULL
);

CREATE TABLE public.merchants (
    merchant_id text NOT NULL
);

CREATE TABLE public.messages (
    merchant_id text NOT NULL,
    message_id uuid NOT NULL,
    customer_id text NOT NULL,
    kind text NOT NULL,
    cause text NOT NULL,
    template text NOT NULL,
    template_version integer NOT NULL,
    variables jsonb NOT NULL,
    wanted_channel text DEFAULT ''::text NOT NULL,
    fingerprint bytea,
    state text DEFAULT 'PENDING'::text NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    last_failure text DEFAULT ''::text NOT NULL,
    channel text DEFAULT ''::text NOT NULL,
    language text DEFAULT ''::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    due_at timestamp with time zone DEFAULT now() NOT NULL,
    made_at timestamp with time zone DEFAULT now() NOT NULL,
    created_at timestamp with time zone NOT NULL,
    not_after timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    family text DEFAULT ''::text NOT NULL,
    until date,
    invoices text[] DEFAULT '{}'::text[] NOT NULL,
    not_before timestamp with time zone,
    given_up text[] DEFAULT '{}'::text[] NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    traceparent text DEFAULT ''::text NOT NULL,
    CONSTRAINT messages_final_check CHECK (((state = ANY (ARRAY['SENT'::text, 'FAILED'::text, 'SKIPPED'::text])) = (finished_at IS NOT NULL))),
    CONSTRAINT messages_reason_check CHECK (((state = ANY (ARRAY['FAILED'::text, 'SKIPPED'::text])) = (reason <> ''::text))),
    CONSTRAINT messages_state_check CHECK ((state = ANY (ARRAY['PENDING'::text, 'SENDING'::text, 'SENT'::text, 'FAILED'::text, 'SKIPPED'::text])))
)
WITH (fillfactor='80');

COMMENT ON COLUMN public.messages.fingerprint IS 'Content of a SendMessage; NULL for messages made from events.';

COMMENT ON COLUMN public.messages.due_at IS 'Wall time: next attempt of a PENDING, end of the lease of a SENDING.';

COMMENT ON COLUMN public.messages.made_at IS 'Wall time of the insert; created_at and not_after are business time.';

COMMENT ON COLUMN public.messages.family IS 'A newer message of the family replaces older unsent ones; empty: none.';

COMMENT ON COLUMN public.messages.until IS 'The last local date of its use; not_after follows at the first attempt.';

COMMENT ON COLUMN public.messages.invoices IS 'What credit is asked about at every attempt, UUIDs.';

COMMENT ON COLUMN public.messages.not_before IS 'Business time; a held message has it, and due_at infinity.';

COMMENT ON COLUMN public.messages.given_up IS 'Routes that refused for good: channel, way, the how-manieth of it.';

COMMENT ON COLUMN public.messages.failures IS 'Attempts that a channel may yet make good, over all routes.';

CREATE TABLE public.occasion_rounds (
    merchant_id text NOT NULL,
    occasion text NOT NULL,
    asked_at timestamp with time zone NOT NULL
)
WITH (fillfactor='80');

CREATE TABLE public.outbox (
    id bigint NOT NULL,
    topic text NOT NULL,
    event_id uuid NOT NULL,
    type text NOT NULL,
    merchant_id text NOT NULL,
    key text NOT NULL,
    "time" timestamp with time zone NOT NULL,
    traceparent text DEFAULT ''::text NOT NULL,
    payload bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
)
WITH (autovacuum_vacuum_threshold='5000', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_insert_threshold='-1', autovacuum_analyze_threshold='50000', autovacuum_analyze_scale_factor='0', autovacuum_vacuum_cost_delay='0');
ALTER TABLE ONLY public.outbox ALTER COLUMN payload SET STORAGE EXTERNAL;

ALTER TABLE public.outbox ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.outbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.parked_events (
    merchant_id text NOT NULL,
    key text NOT NULL,
    id bigint NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    record_time timestamp with time zone NOT NULL,
    event_id uuid NOT NULL,
    type text NOT NULL,
    "time" timestamp with time zone NOT NULL,
    traceparent text DEFAULT ''::text NOT NULL,
    payload bytea NOT NULL,
    status text NOT NULL,
    error_type text DEFAULT ''::text NOT NULL,
    error text DEFAULT ''::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    retry_at timestamp with time zone DEFAULT now() NOT NULL,
    parked_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT parked_events_status_check CHECK ((status = ANY (ARRAY['POISONED'::text, 'NOT_YET'::text, 'BEHIND'::text])))
);

ALTER TABLE public.parked_events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.parked_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.recipients (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    erased_at timestamp with time zone,
    merged_into text
);

COMMENT ON TABLE public.recipients IS 'One row a customer: the lock that guards all messages of that customer.';

COMMENT ON COLUMN public.recipients.merged_into IS 'The customer that absorbed this one; later messages go there.';

CREATE TABLE public.template_versions (
    merchant_id text NOT NULL,
    template text NOT NULL,
    version integer NOT NULL,
    based_on integer NOT NULL,
    texts jsonb NOT NULL,
    request_id uuid NOT NULL,
    fingerprint bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT template_versions_own_check CHECK ((version > 1000))
);

COMMENT ON COLUMN public.template_versions.based_on IS 'The version of the product whose variables the texts show.';

COMMENT ON COLUMN public.template_versions.texts IS 'By language: the subject, a line end, the body.';

ALTER TABLE ONLY public.inbox ATTACH PARTITION public.inbox_default DEFAULT;

ALTER TABLE ONLY public.audits
    ADD CONSTRAINT audits_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.heard
    ADD CONSTRAINT heard_pkey PRIMARY KEY (topic, partition);

ALTER TABLE ONLY public.inbox
    ADD CONSTRAINT inbox_pkey PRIMARY KEY (day, event_id);

ALTER TABLE ONLY public.inbox_default
    ADD CONSTRAINT inbox_default_pkey PRIMARY KEY (day, event_id);

ALTER TABLE ONLY public.merchants
    ADD CONSTRAINT merchants_pkey PRIMARY KEY (merchant_id);

ALTER TABLE ONLY public.messages
    ADD CONSTRAINT messages_cause_key UNIQUE (merchant_id, kind, cause);

ALTER TABLE ONLY public.messages
    ADD CONSTRAINT messages_pkey PRIMARY KEY (merchant_id, message_id);

ALTER TABLE ONLY public.occasion_rounds
    ADD CONSTRAINT occasion_rounds_pkey PRIMARY KEY (merchant_id, occasion);

ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.parked_events
    ADD CONSTRAINT parked_events_pkey PRIMARY KEY (merchant_id, key, id);

ALTER TABLE ONLY public.recipients
    ADD CONSTRAINT recipients_pkey PRIMARY KEY (merchant_id, customer_id);

ALTER TABLE ONLY public.template_versions
    ADD CONSTRAINT template_versions_pkey PRIMARY KEY (merchant_id, template, version);

ALTER TABLE ONLY public.template_versions
    ADD CONSTRAINT template_versions_request_key UNIQUE (merchant_id, request_id);

CREATE INDEX messages_created_idx ON public.messages USING btree (merchant_id, created_at, message_id);

CREATE INDEX messages_customer_idx ON public.messages USING btree (merchant_id, customer_id, created_at, message_id);

CREATE INDEX messages_due_idx ON public.messages USING btree (due_at) WHERE (state = ANY (ARRAY['PENDING'::text, 'SENDING'::text]));

CREATE INDEX messages_merchant_due_idx ON public.messages USING btree (merchant_id, due_at) WHERE (state = ANY (ARRAY['PENDING'::text, 'SENDING'::text]));

CREATE INDEX messages_merchant_held_idx ON public.messages USING btree (merchant_id, not_before) WHERE (not_before IS NOT NULL);

CREATE INDEX parked_events_not_yet ON public.parked_events USING btree (retry_at) WHERE (status = 'NOT_YET'::text);

ALTER INDEX public.inbox_pkey ATTACH PARTITION public.inbox_default_pkey;
