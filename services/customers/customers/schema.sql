CREATE TABLE public.audits (
    name text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone NOT NULL,
    looked_at bigint NOT NULL,
    differences bigint NOT NULL,
    passed_at timestamp with time zone
);

CREATE TABLE public.customer_statistics (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    visits bigint NOT NULL,
    spend bigint NOT NULL,
    first_purchase_at timestamp with time zone,
    last_purchase_at timestamp with time zone,
    CONSTRAINT customer_statistics_not_negative CHECK (((visits >= 0) AND (spend >= 0)))
)
WITH (fillfactor='80');

CREATE TABLE public.customers (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    kind text NOT NULL,
    gender text DEFAULT ''::text NOT NULL,
    city text DEFAULT ''::text NOT NULL,
    province text DEFAULT ''::text NOT NULL,
    status text DEFAULT 'ACTIVE'::text NOT NULL,
    category text DEFAULT ''::text NOT NULL,
    category_revision bigint DEFAULT 0 NOT NULL,
    credit_limit_wished bigint DEFAULT 0 NOT NULL,
    language text NOT NULL,
    time_zone text DEFAULT ''::text NOT NULL,
    acquisition_source text DEFAULT ''::text NOT NULL,
    home_store_id text DEFAULT ''::text NOT NULL,
    registered_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    revision bigint NOT NULL,
    CONSTRAINT customers_kind_known CHECK ((kind = ANY (ARRAY['PERSON'::text, 'ORGANISATION'::text]))),
    CONSTRAINT customers_status_known CHECK ((status = ANY (ARRAY['ACTIVE'::text, 'INACTIVE'::text, 'RESTRICTED'::text, 'ERASING'::text, 'ERASED'::text])))
)
WITH (fillfactor='80');

CREATE TABLE public.erasures (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    state text NOT NULL,
    reason text NOT NULL,
    subject text NOT NULL,
    origin bytea NOT NULL,
    asked_at timestamp with time zone NOT NULL,
    erased_at timestamp with time zone,
    retry_at timestamp with time zone NOT NULL,
    CONSTRAINT erasures_end_known CHECK (((state = 'ERASED'::text) = (erased_at IS NOT NULL))),
    CONSTRAINT erasures_state_known CHECK ((state = ANY (ARRAY['ASKED'::text, 'OPEN_BALANCE'::text, 'ERASING'::text, 'ERASED'::text])))
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

CREATE TABLE public.member_code_claims (
    merchant_id text NOT NULL,
    code text NOT NULL,
    claimer text NOT NULL,
    claimed_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.member_codes (
    merchant_id text NOT NULL,
    code text NOT NULL,
    customer_id text NOT NULL
);

CREATE TABLE public.merchants (
    merchant_id text NOT NULL,
    name text NOT NULL,
    currency_code text NOT NULL,
    minor_digits integer NOT NULL,
    time_zone text NOT NULL,
    locale text NOT NULL,
    quiet_from time without time zone NOT NULL,
    quiet_to time without time zone NOT NULL,
    greeting_from time without time zone NOT NULL,
    greeting_to time without time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);

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

CREATE TABLE public.purchase_exceptions (
    merchant_id text NOT NULL,
    exception_id uuid NOT NULL,
    purchase_id uuid NOT NULL,
    reason text NOT NULL,
    subject text NOT NULL,
    store_id text NOT NULL,
    noticed_at timestamp with time zone NOT NULL,
    resolution text DEFAULT ''::text NOT NULL,
    resolved_by text DEFAULT ''::text NOT NULL,
    resolved_at timestamp with time zone,
    CONSTRAINT purchase_exceptions_reason_known CHECK ((reason = ANY (ARRAY['CUSTOMER_UNKNOWN'::text, 'TENDER_WITHOUT_CUSTOMER'::text]))),
    CONSTRAINT purchase_exceptions_resolution_known CHECK ((resolution = ANY (ARRAY[''::text, 'ACCEPTED'::text, 'CORRECTED'::text])))
);

CREATE TABLE public.purchase_returns (
    merchant_id text NOT NULL,
    return_id uuid NOT NULL,
    purchase_id uuid NOT NULL,
    revision bigint NOT NULL,
    receipt_number text NOT NULL,
    origin bytea NOT NULL,
    received_at timestamp with time zone NOT NULL,
    total bigint NOT NULL,
    total_left bigint NOT NULL,
    fingerprint bytea NOT NULL,
    body bytea NOT NULL
);

CREATE TABLE public.purchases (
    merchant_id text NOT NULL,
    purchase_id uuid NOT NULL,
    customer_id text NOT NULL,
    store_id text NOT NULL,
    receipt_number text NOT NULL,
    origin bytea NOT NULL,
    effective_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    total bigint NOT NULL,
    total_left bigint NOT NULL,
    status text DEFAULT 'COMPLETED'::text NOT NULL,
    revision bigint DEFAULT 1 NOT NULL,
    fingerprint bytea NOT NULL,
    body bytea NOT NULL,
    CONSTRAINT purchases_left_within_total CHECK (((total_left >= 0) AND (total_left <= total))),
    CONSTRAINT purchases_status_known CHECK ((status = ANY (ARRAY['COMPLETED'::text, 'PARTLY_RETURNED'::text, 'RETURNED'::text, 'VOIDED'::text])))
);

CREATE TABLE public.requests (
    merchant_id text NOT NULL,
    kind text NOT NULL,
    request_id uuid NOT NULL,
    fingerprint bytea NOT NULL,
    recorded_at timestamp with time zone NOT NULL
);

CREATE TABLE public.stores (
    merchant_id text NOT NULL,
    store_id text NOT NULL,
    name text DEFAULT ''::text NOT NULL,
    time_zone text DEFAULT ''::text NOT NULL,
    city text DEFAULT ''::text NOT NULL,
    province text DEFAULT ''::text NOT NULL,
    quiet_from time without time zone,
    quiet_to time without time zone,
    greeting_from time without time zone,
    greeting_to time without time zone,
    self_registered boolean NOT NULL,
    updated_at timestamp with time zone NOT NULL
);

ALTER TABLE ONLY public.inbox ATTACH PARTITION public.inbox_default DEFAULT;

ALTER TABLE ONLY public.audits
    ADD CONSTRAINT audits_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.customer_statistics
    ADD CONSTRAINT customer_statistics_pkey PRIMARY KEY (merchant_id, customer_id);

ALTER TABLE ONLY public.customers
    ADD CONSTRAINT customers_pkey PRIMARY KEY (merchant_id, customer_id);

ALTER TABLE ONLY public.erasures
    ADD CONSTRAINT erasures_pkey PRIMARY KEY (merchant_id, customer_id);

ALTER TABLE ONLY public.heard
    ADD CONSTRAINT heard_pkey PRIMARY KEY (topic, partition);

ALTER TABLE ONLY public.inbox
    ADD CONSTRAINT inbox_pkey PRIMARY KEY (day, event_id);

ALTER TABLE ONLY public.inbox_default
    ADD CONSTRAINT inbox_default_pkey PRIMARY KEY (day, event_id);

ALTER TABLE ONLY public.member_code_claims
    ADD CONSTRAINT member_code_claims_pkey PRIMARY KEY (merchant_id, code);

ALTER TABLE ONLY public.member_codes
    ADD CONSTRAINT member_codes_pkey PRIMARY KEY (merchant_id, code);

ALTER TABLE ONLY public.merchants
    ADD CONSTRAINT merchants_pkey PRIMARY KEY (merchant_id);

ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.parked_events
    ADD CONSTRAINT parked_events_pkey PRIMARY KEY (merchant_id, key, id);

ALTER TABLE ONLY public.purchase_exceptions
    ADD CONSTRAINT purchase_exceptions_pkey PRIMARY KEY (merchant_id, exception_id);

ALTER TABLE ONLY public.purchase_returns
    ADD CONSTRAINT purchase_returns_one_a_revision UNIQUE (merchant_id, purchase_id, revision);

ALTER TABLE ONLY public.purchase_returns
    ADD CONSTRAINT purchase_returns_pkey PRIMARY KEY (merchant_id, return_id);

ALTER TABLE ONLY public.purchases
    ADD CONSTRAINT purchases_pkey PRIMARY KEY (merchant_id, purchase_id);

ALTER TABLE ONLY public.requests
    ADD CONSTRAINT requests_pkey PRIMARY KEY (merchant_id, kind, request_id);

ALTER TABLE ONLY public.stores
    ADD CONSTRAINT stores_pkey PRIMARY KEY (merchant_id, store_id);

CREATE INDEX erasures_due ON public.erasures USING btree (retry_at) WHERE (erased_at IS NULL);

CREATE INDEX member_codes_customer ON public.member_codes USING btree (merchant_id, customer_id);

CREATE INDEX parked_events_not_yet ON public.parked_events USING btree (retry_at) WHERE (status = 'NOT_YET'::text);

CREATE INDEX purchase_exceptions_all ON public.purchase_exceptions USING btree (merchant_id, noticed_at, exception_id);

CREATE INDEX purchase_exceptions_open ON public.purchase_exceptions USING btree (merchant_id, noticed_at, exception_id) WHERE (resolved_at IS NULL);

CREATE INDEX purchase_returns_received ON public.purchase_returns USING btree (received_at, purchase_id, revision);

CREATE INDEX purchases_customer ON public.purchases USING btree (merchant_id, customer_id, effective_at, purchase_id) WHERE (customer_id <> ''::text);

CREATE INDEX purchases_receipt ON public.purchases USING btree (merchant_id, receipt_number, effective_at, purchase_id) WHERE (receipt_number <> ''::text);

CREATE INDEX purchases_received ON public.purchases USING btree (received_at, purchase_id);

CREATE INDEX purchases_store ON public.purchases USING btree (merchant_id, store_id, effective_at, purchase_id);

CREATE INDEX purchases_time ON public.purchases USING btree (merchant_id, effective_at, purchase_id);

ALTER INDEX public.inbox_pkey ATTACH PARTITION public.inbox_default_pkey;
