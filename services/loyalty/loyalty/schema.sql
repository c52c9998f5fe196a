CREATE TABLE public.accounts (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    currency_code text DEFAULT ''::text NOT NULL,
    minor_digits integer DEFAULT 0 NOT NULL,
    time_zone text DEFAULT ''::text NOT NULL,
    in_lots bigint DEFAULT 0 NOT NULL,
    reserved bigint DEFAULT 0 NOT NULL,
    negative bigint DEFAULT 0 NOT NULL,
    last_entry bigint DEFAULT 0 NOT NULL,
    tier text DEFAULT ''::text NOT NULL,
    tier_since timestamp with time zone,
    tier_revision bigint DEFAULT 0 NOT NULL,
    pinned boolean DEFAULT false NOT NULL,
    pinned_until timestamp with time zone,
    last_sale_at timestamp with time zone,
    merged_into text,
    erased_at timestamp with time zone,
    opened_at timestamp with time zone NOT NULL,
    swept_on date,
    day_at timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    CONSTRAINT accounts_negative_check CHECK (((negative >= 0) AND ((negative = 0) OR (in_lots = reserved)))),
    CONSTRAINT accounts_reserved_check CHECK (((reserved >= 0) AND (reserved <= in_lots)))
)
WITH (fillfactor='80');

COMMENT ON COLUMN public.accounts.in_lots IS 'Points left in all lots, the reserved ones included.';

COMMENT ON COLUMN public.accounts.negative IS 'Points owed. Balance = in_lots - negative.';

COMMENT ON COLUMN public.accounts.merged_into IS 'The customer that absorbed this one; never itself an alias.';

COMMENT ON COLUMN public.accounts.day_at IS 'When the local day after swept_on begins: the next that is due.';

CREATE TABLE public.adjustments (
    merchant_id text NOT NULL,
    adjustment_id uuid NOT NULL,
    customer_id text NOT NULL,
    fingerprint bytea NOT NULL,
    entry_no bigint NOT NULL,
    reason text NOT NULL,
    origin bytea NOT NULL
);

COMMENT ON COLUMN public.adjustments.origin IS 'A serialized types.v1.Origin; empty: none was given.';

CREATE TABLE public.audits (
    name text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone NOT NULL,
    looked_at bigint NOT NULL,
    differences bigint NOT NULL,
    passed_at timestamp with time zone
);

CREATE TABLE public.entries (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    entry_no bigint NOT NULL,
    kind text NOT NULL,
    points bigint NOT NULL,
    balance_after bigint NOT NULL,
    cause text NOT NULL,
    cause_id text NOT NULL,
    line_id text DEFAULT ''::text NOT NULL,
    purchase_id text DEFAULT ''::text NOT NULL,
    program_version bigint DEFAULT 0 NOT NULL,
    effective_at timestamp with time zone NOT NULL,
    booked_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT entries_cause_check CHECK ((cause = ANY (ARRAY['PURCHASE'::text, 'RETURN'::text, 'ADJUSTMENT'::text, 'MERGE'::text, 'EXPIRY'::text]))),
    CONSTRAINT entries_kind_check CHECK ((kind = ANY (ARRAY['EARN'::text, 'TAKE_BACK'::text, 'REDEEM'::text, 'RESTORE'::text, 'ADJUST'::text, 'EXPIRE'::text, 'MERGE'::text]))),
    CONSTRAINT entries_points_check CHECK ((points <> 0))
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

CREATE TABLE public.lots (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    entry_no bigint NOT NULL,
    points bigint NOT NULL,
    points_left bigint NOT NULL,
    expires_on date,
    noticed_on date,
    CONSTRAINT lots_left_check CHECK (((points_left >= 0) AND (points_left <= points)))
)
WITH (fillfactor='80');

COMMENT ON COLUMN public.lots.noticed_on IS 'The local day whose sweep told that these points will expire.';

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

CREATE TABLE public.program_heads (
    merchant_id text NOT NULL,
    version bigint NOT NULL
);

CREATE TABLE public.programs (
    merchant_id text NOT NULL,
    version bigint NOT NULL,
    request_id uuid NOT NULL,
    fingerprint bytea NOT NULL,
    effective_from timestamp with time zone NOT NULL,
    set_at timestamp with time zone NOT NULL,
    content jsonb NOT NULL
);

COMMENT ON COLUMN public.programs.content IS 'The Program message as ProtoJSON.';

CREATE TABLE public.purchases (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    purchase_id uuid NOT NULL,
    effective_at timestamp with time zone NOT NULL,
    spend bigint NOT NULL,
    spend_left bigint NOT NULL,
    points bigint NOT NULL,
    line_points jsonb NOT NULL,
    entry_no bigint NOT NULL,
    tier text NOT NULL,
    multiplier_bp integer NOT NULL,
    program_version bigint NOT NULL,
    expired bigint DEFAULT 0 NOT NULL,
    spared bigint DEFAULT 0 NOT NULL,
    CONSTRAINT purchases_spend_check CHECK (((spend_left >= 0) AND (spend_left <= spend)))
)
WITH (fillfactor='90');

COMMENT ON COLUMN public.purchases.spend IS 'Net of GOODS and SERVICE lines, minor units.';

COMMENT ON COLUMN public.purchases.line_points IS 'Points left of each line that earned, by line_id.';

COMMENT ON COLUMN public.purchases.entry_no IS 'The EARN entry and its lot, or the MERGE entry that moved the lot here; 0: nothing earned or moved.';

COMMENT ON COLUMN public.purchases.expired IS 'Points of its lot that expired in the ledgers of customers merged since; see entries for the rest.';

COMMENT ON COLUMN public.purchases.spared IS 'Points whose expiry returns have undone, because they took them back.';

CREATE TABLE public.redemption_exceptions (
    merchant_id text NOT NULL,
    exception_id uuid NOT NULL,
    mark text NOT NULL,
    customer_id text NOT NULL,
    purchase_id uuid NOT NULL,
    tender_id text NOT NULL,
    reservation_id uuid NOT NULL,
    points bigint NOT NULL,
    value bigint NOT NULL,
    currency_code text NOT NULL,
    minor_digits integer NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    resolution text DEFAULT ''::text NOT NULL,
    resolved_at timestamp with time zone,
    resolve_request_id uuid,
    resolve_origin bytea,
    CONSTRAINT redemption_exceptions_mark_check CHECK ((mark = ANY (ARRAY['OVER_HOLD'::text, 'LATE'::text, 'VOIDED_THEN_SOLD'::text, 'UNAUTHORISED'::text])))
);

CREATE TABLE public.redemptions (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    purchase_id uuid NOT NULL,
    tender_id text NOT NULL,
    reservation_id uuid NOT NULL,
    points bigint NOT NULL,
    points_left bigint NOT NULL,
    value bigint NOT NULL,
    sources jsonb NOT NULL,
    expires_on date,
    program_version bigint NOT NULL,
    CONSTRAINT redemptions_left_check CHECK (((points_left >= 0) AND (points_left <= points)))
);

COMMENT ON COLUMN public.redemptions.sources IS 'Lots used, in order: [entry_no, points not yet restored, expires_on].';

COMMENT ON COLUMN public.redemptions.expires_on IS 'Expiry of restored points that had come from no lot.';

CREATE TABLE public.reservations (
    merchant_id text NOT NULL,
    reservation_id uuid NOT NULL,
    customer_id text NOT NULL,
    state text NOT NULL,
    points bigint NOT NULL,
    value bigint NOT NULL,
    program_version bigint NOT NULL,
    decline_reason text DEFAULT ''::text NOT NULL,
    fingerprint bytea,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    purchase_id uuid,
    points_redeemed bigint DEFAULT 0 NOT NULL,
    origin bytea,
    recognised_by integer DEFAULT 0 NOT NULL,
    release_origin bytea,
    CONSTRAINT reservations_decline_check CHECK (((state = 'DECLINED'::text) = (decline_reason <> ''::text))),
    CONSTRAINT reservations_state_check CHECK ((state = ANY (ARRAY['HELD'::text, 'DECLINED'::text, 'RELEASED'::text, 'REDEEMED'::text, 'EXPIRED'::text])))
)
WITH (fillfactor='80');

COMMENT ON COLUMN public.reservations.value IS 'What the points are worth, minor units of the program''s currency.';

COMMENT ON COLUMN public.reservations.fingerprint IS 'NULL until a Reserve came: a Release or a sale was first.';

COMMENT ON COLUMN public.reservations.origin IS 'Of the Reserve, a serialized types.v1.Origin.';

COMMENT ON COLUMN public.reservations.recognised_by IS 'A types.v1.RecognisedBy.';

COMMENT ON COLUMN public.reservations.release_origin IS 'Of the Release that gave the points back or came first.';

CREATE TABLE public.returns (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    return_id uuid NOT NULL,
    purchase_id uuid NOT NULL,
    effective_at timestamp with time zone NOT NULL,
    taken_back bigint NOT NULL,
    restored bigint NOT NULL
);

CREATE TABLE public.tier_changes (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    revision bigint NOT NULL,
    from_tier text NOT NULL,
    to_tier text NOT NULL,
    cause text NOT NULL,
    cause_id text NOT NULL,
    effective_at timestamp with time zone NOT NULL,
    CONSTRAINT tier_changes_cause_check CHECK ((cause = ANY (ARRAY['PLUGIN'::text, 'PINNED'::text])))
);

CREATE TABLE public.tier_pins (
    merchant_id text NOT NULL,
    request_id uuid NOT NULL,
    customer_id text NOT NULL,
    fingerprint bytea NOT NULL,
    tier text NOT NULL,
    until timestamp with time zone,
    reason text NOT NULL,
    origin bytea NOT NULL,
    set_at timestamp with time zone NOT NULL
);

COMMENT ON COLUMN public.tier_pins.origin IS 'A serialized types.v1.Origin; empty: none was given.';

ALTER TABLE ONLY public.inbox ATTACH PARTITION public.inbox_default DEFAULT;

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (merchant_id, customer_id);

ALTER TABLE ONLY public.adjustments
    ADD CONSTRAINT adjustments_pkey PRIMARY KEY (merchant_id, adjustment_id);

ALTER TABLE ONLY public.audits
    ADD CONSTRAINT audits_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.entries
    ADD CONSTRAINT entries_cause_key UNIQUE (merchant_id, customer_id, cause_id, line_id, kind, cause);

ALTER TABLE ONLY public.entries
    ADD CONSTRAINT entries_pkey PRIMARY KEY (merchant_id, customer_id, entry_no);

ALTER TABLE ONLY public.heard
    ADD CONSTRAINT heard_pkey PRIMARY KEY (topic, partition);

ALTER TABLE ONLY public.inbox
    ADD CONSTRAINT inbox_pkey PRIMARY KEY (day, event_id);

ALTER TABLE ONLY public.inbox_default
    ADD CONSTRAINT inbox_default_pkey PRIMARY KEY (day, event_id);

ALTER TABLE ONLY public.lots
    ADD CONSTRAINT lots_pkey PRIMARY KEY (merchant_id, customer_id, entry_no);

ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.parked_events
    ADD CONSTRAINT parked_events_pkey PRIMARY KEY (merchant_id, key, id);

ALTER TABLE ONLY public.program_heads
    ADD CONSTRAINT program_heads_pkey PRIMARY KEY (merchant_id);

ALTER TABLE ONLY public.programs
    ADD CONSTRAINT programs_pkey PRIMARY KEY (merchant_id, version);

ALTER TABLE ONLY public.programs
    ADD CONSTRAINT programs_request_key UNIQUE (merchant_id, request_id);

ALTER TABLE ONLY public.purchases
    ADD CONSTRAINT purchases_pkey PRIMARY KEY (merchant_id, customer_id, purchase_id);

ALTER TABLE ONLY public.redemption_exceptions
    ADD CONSTRAINT redemption_exceptions_pkey PRIMARY KEY (merchant_id, exception_id);

ALTER TABLE ONLY public.redemption_exceptions
    ADD CONSTRAINT redemption_exceptions_request_key UNIQUE (merchant_id, resolve_request_id);

ALTER TABLE ONLY public.redemptions
    ADD CONSTRAINT redemptions_pkey PRIMARY KEY (merchant_id, customer_id, purchase_id, tender_id);

ALTER TABLE ONLY public.reservations
    ADD CONSTRAINT reservations_pkey PRIMARY KEY (merchant_id, reservation_id);

ALTER TABLE ONLY public.returns
    ADD CONSTRAINT returns_pkey PRIMARY KEY (merchant_id, customer_id, return_id);

ALTER TABLE ONLY public.tier_changes
    ADD CONSTRAINT tier_changes_pkey PRIMARY KEY (merchant_id, customer_id, revision);

ALTER TABLE ONLY public.tier_pins
    ADD CONSTRAINT tier_pins_pkey PRIMARY KEY (merchant_id, request_id);

CREATE INDEX accounts_day ON public.accounts USING btree (day_at) WHERE (merged_into IS NULL);

CREATE INDEX accounts_merged ON public.accounts USING btree (merchant_id, merged_into) WHERE (merged_into IS NOT NULL);

CREATE INDEX adjustments_of_customer ON public.adjustments USING btree (merchant_id, customer_id, adjustment_id);

CREATE INDEX parked_events_not_yet ON public.parked_events USING btree (retry_at) WHERE (status = 'NOT_YET'::text);

CREATE INDEX purchases_time ON public.purchases USING btree (merchant_id, customer_id, effective_at);

CREATE INDEX redemption_exceptions_of_customer ON public.redemption_exceptions USING btree (merchant_id, customer_id, exception_id);

CREATE INDEX redemption_exceptions_open ON public.redemption_exceptions USING btree (mark) WHERE (resolved_at IS NULL);

CREATE INDEX redemption_exceptions_time ON public.redemption_exceptions USING btree (merchant_id, occurred_at DESC, exception_id DESC);

CREATE INDEX reservations_customer ON public.reservations USING btree (merchant_id, customer_id);

CREATE INDEX reservations_due ON public.reservations USING btree (expires_at) WHERE (state = 'HELD'::text);

CREATE INDEX tier_pins_of_customer ON public.tier_pins USING btree (merchant_id, customer_id, request_id);

ALTER INDEX public.inbox_pkey ATTACH PARTITION public.inbox_default_pkey;
