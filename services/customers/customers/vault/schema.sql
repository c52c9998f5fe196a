CREATE TABLE public.access_log (
    at timestamp with time zone DEFAULT now() NOT NULL,
    merchant_id text NOT NULL,
    subject text NOT NULL,
    store_id text NOT NULL,
    register_id text NOT NULL,
    staff_ref text NOT NULL,
    action text NOT NULL,
    reason text NOT NULL,
    customer_ids text[] NOT NULL,
    asked integer NOT NULL
);

CREATE TABLE public.consents (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    seq bigint NOT NULL,
    consent_id uuid NOT NULL,
    purpose text NOT NULL,
    channel text NOT NULL,
    token bytea,
    key_version integer NOT NULL,
    sealed bytea,
    state text NOT NULL,
    notice_version text NOT NULL,
    notice_language text NOT NULL,
    method text NOT NULL,
    evidence_ref text NOT NULL,
    by_guardian boolean NOT NULL,
    origin bytea NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT consents_state_known CHECK ((state = ANY (ARRAY['GIVEN'::text, 'WITHDRAWN'::text])))
);

ALTER TABLE public.consents ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.consents_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.contact_index (
    merchant_id text NOT NULL,
    kind text NOT NULL,
    token bytea NOT NULL,
    customer_id text NOT NULL,
    index_version integer NOT NULL,
    shared boolean NOT NULL
);

CREATE TABLE public.contact_points (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    point_id bigint NOT NULL,
    "position" integer NOT NULL,
    channel text NOT NULL,
    token bytea NOT NULL,
    index_version integer NOT NULL,
    key_version integer NOT NULL,
    sealed bytea NOT NULL,
    shared boolean NOT NULL,
    verified_at timestamp with time zone,
    valid_from timestamp with time zone NOT NULL,
    valid_to timestamp with time zone
);

ALTER TABLE public.contact_points ALTER COLUMN point_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.contact_points_point_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.identify_misses (
    merchant_id text NOT NULL,
    store_id text NOT NULL,
    register_id text NOT NULL,
    window_start bigint NOT NULL,
    misses integer NOT NULL
)
WITH (fillfactor='80');

CREATE TABLE public.pending (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    version bigint NOT NULL,
    change jsonb NOT NULL,
    touched_at timestamp with time zone DEFAULT now() NOT NULL,
    made_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.people (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    version bigint NOT NULL,
    key_version integer NOT NULL,
    kek_id text NOT NULL,
    wrapped_key bytea NOT NULL
)
WITH (fillfactor='80');

CREATE TABLE public.requests (
    merchant_id text NOT NULL,
    kind text NOT NULL,
    request_id uuid NOT NULL,
    customer_id text NOT NULL,
    index_version integer NOT NULL,
    fingerprint bytea NOT NULL
);

CREATE TABLE public.sealed_fields (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    field text NOT NULL,
    key_version integer NOT NULL,
    sealed bytea NOT NULL
);

CREATE TABLE public.search_index (
    merchant_id text NOT NULL,
    kind text NOT NULL,
    token bytea NOT NULL,
    customer_id text NOT NULL,
    index_version integer NOT NULL
);

ALTER TABLE ONLY public.consents
    ADD CONSTRAINT consents_pkey PRIMARY KEY (merchant_id, customer_id, seq);

ALTER TABLE ONLY public.contact_index
    ADD CONSTRAINT contact_index_pkey PRIMARY KEY (merchant_id, kind, token, customer_id);

ALTER TABLE ONLY public.contact_points
    ADD CONSTRAINT contact_points_pkey PRIMARY KEY (merchant_id, customer_id, point_id);

ALTER TABLE ONLY public.identify_misses
    ADD CONSTRAINT identify_misses_pkey PRIMARY KEY (merchant_id, store_id, register_id, window_start);

ALTER TABLE ONLY public.pending
    ADD CONSTRAINT pending_pkey PRIMARY KEY (merchant_id, customer_id, version);

ALTER TABLE ONLY public.people
    ADD CONSTRAINT people_pkey PRIMARY KEY (merchant_id, customer_id);

ALTER TABLE ONLY public.requests
    ADD CONSTRAINT requests_pkey PRIMARY KEY (merchant_id, kind, request_id);

ALTER TABLE ONLY public.sealed_fields
    ADD CONSTRAINT sealed_fields_pkey PRIMARY KEY (merchant_id, customer_id, field);

ALTER TABLE ONLY public.search_index
    ADD CONSTRAINT search_index_pkey PRIMARY KEY (merchant_id, kind, token, customer_id);

CREATE INDEX access_log_at ON public.access_log USING brin (at);

CREATE INDEX access_log_customers ON public.access_log USING gin (customer_ids);

CREATE INDEX contact_index_customer ON public.contact_index USING btree (merchant_id, customer_id);

CREATE UNIQUE INDEX contact_index_one_holder ON public.contact_index USING btree (merchant_id, kind, token) WHERE (NOT shared);

CREATE INDEX pending_touched ON public.pending USING btree (touched_at);

CREATE INDEX requests_customer ON public.requests USING btree (merchant_id, customer_id);

CREATE INDEX search_index_customer ON public.search_index USING btree (merchant_id, customer_id);
