CREATE TABLE public.account_changes (
    merchant_id text NOT NULL,
    kind text NOT NULL,
    request_id uuid NOT NULL,
    customer_id text NOT NULL,
    fingerprint bytea NOT NULL,
    credit_limit bigint NOT NULL,
    net_days integer NOT NULL,
    reason text NOT NULL,
    staff_ref text NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    status text DEFAULT ''::text NOT NULL,
    due_day integer DEFAULT 0 NOT NULL,
    override_limit bigint,
    override_until timestamp with time zone,
    revision bigint DEFAULT 0 NOT NULL,
    limit_policy bigint DEFAULT 0 NOT NULL,
    store_id text DEFAULT ''::text NOT NULL,
    store_limit bigint,
    absorbed_from text,
    merged_customer_id text
);

CREATE TABLE public.accounts (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    status text DEFAULT 'UNOPENED'::text NOT NULL,
    currency_code text DEFAULT ''::text NOT NULL,
    minor_digits integer DEFAULT 0 NOT NULL,
    time_zone text DEFAULT 'UTC'::text NOT NULL,
    credit_limit bigint DEFAULT 0 NOT NULL,
    posted bigint DEFAULT 0 NOT NULL,
    held bigint DEFAULT 0 NOT NULL,
    credit_balance bigint DEFAULT 0 NOT NULL,
    net_days integer DEFAULT 0 NOT NULL,
    limit_wished bigint DEFAULT 0 NOT NULL,
    erased_at timestamp with time zone,
    merged_into text DEFAULT ''::text NOT NULL,
    opened_at timestamp with time zone,
    revision bigint DEFAULT 0 NOT NULL,
    override_limit bigint,
    override_until timestamp with time zone,
    due_day integer DEFAULT 0 NOT NULL,
    limit_policy bigint DEFAULT 0 NOT NULL,
    limit_again_on date,
    store_limited boolean DEFAULT false NOT NULL,
    CONSTRAINT accounts_credit_not_negative CHECK ((credit_balance >= 0)),
    CONSTRAINT accounts_held_not_negative CHECK ((held >= 0)),
    CONSTRAINT accounts_limit_not_negative CHECK ((credit_limit >= 0)),
    CONSTRAINT accounts_posted_not_negative CHECK ((posted >= 0))
)
WITH (fillfactor='80');

CREATE TABLE public.allowance_uses (
    merchant_id text NOT NULL,
    use_id uuid NOT NULL,
    allowance_id uuid NOT NULL,
    customer_id text NOT NULL,
    kind text NOT NULL,
    amount bigint NOT NULL,
    excess bigint NOT NULL,
    mark text NOT NULL,
    used_at timestamp with time zone NOT NULL,
    given_back_at timestamp with time zone,
    absorbed_from text,
    CONSTRAINT allowance_uses_amounts CHECK (((amount > 0) AND ((excess >= 0) AND (excess <= amount)))),
    CONSTRAINT allowance_uses_kind_known CHECK ((kind = ANY (ARRAY['SALE'::text, 'HOLD'::text]))),
    CONSTRAINT allowance_uses_mark_known CHECK ((mark = ANY (ARRAY[''::text, 'OVER_ALLOWANCE'::text, 'UNAUTHORISED'::text])))
);

CREATE TABLE public.allowances (
    merchant_id text NOT NULL,
    allowance_id uuid NOT NULL,
    store_id text NOT NULL,
    currency_code text NOT NULL,
    minor_digits integer NOT NULL,
    time_zone text NOT NULL,
    amount bigint NOT NULL,
    customer_limit bigint,
    valid_from timestamp with time zone NOT NULL,
    valid_until timestamp with time zone NOT NULL,
    used bigint DEFAULT 0 NOT NULL,
    excess bigint DEFAULT 0 NOT NULL,
    fingerprint bytea NOT NULL,
    staff_ref text NOT NULL,
    granted_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    ended_by text DEFAULT ''::text NOT NULL,
    end_request_id uuid,
    end_fingerprint bytea,
    CONSTRAINT allowances_amounts CHECK (((amount > 0) AND ((used >= 0) AND (used <= amount)) AND (excess >= 0))),
    CONSTRAINT allowances_customer_limit CHECK ((customer_limit > 0)),
    CONSTRAINT allowances_validity CHECK ((valid_from < valid_until))
)
WITH (fillfactor='80');

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
    entry_id bigint NOT NULL,
    cause_type text NOT NULL,
    cause_id uuid NOT NULL,
    line text NOT NULL,
    effect text NOT NULL,
    invoice_id uuid,
    posted bigint NOT NULL,
    credit bigint NOT NULL,
    effective_at timestamp with time zone NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    absorbed_from text
);
ALTER TABLE ONLY public.entries ALTER COLUMN customer_id SET (n_distinct=-0.1);

ALTER TABLE public.entries ALTER COLUMN entry_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.entries_entry_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.heard (
    topic text NOT NULL,
    partition integer NOT NULL,
    partitions integer NOT NULL,
    until timestamp with time zone NOT NULL
)
WITH (fillfactor='50');

CREATE TABLE public.holds (
    merchant_id text NOT NULL,
    hold_id uuid NOT NULL,
    customer_id text NOT NULL,
    state text NOT NULL,
    amount bigint,
    captured bigint DEFAULT 0 NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    available bigint DEFAULT 0 NOT NULL,
    invoice_id uuid,
    fingerprint bytea,
    store_id text NOT NULL,
    register_id text NOT NULL,
    staff_ref text NOT NULL,
    recognised_by integer NOT NULL,
    decided_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    origin bytea,
    closed_origin bytea,
    extended_origin bytea,
    store_limited boolean DEFAULT false NOT NULL,
    allowance_id uuid,
    absorbed_from text,
    CONSTRAINT holds_pending_amount CHECK (((state <> 'PENDING'::text) OR (amount > 0))),
    CONSTRAINT holds_state_known CHECK ((state = ANY (ARRAY['PENDING'::text, 'DECLINED'::text, 'CAPTURED'::text, 'VOIDED'::text, 'EXPIRED'::text])))
)
WITH (fillfactor='80');
ALTER TABLE ONLY public.holds ALTER COLUMN customer_id SET (n_distinct=-0.1);

CREATE TABLE public.inbox (
    day date NOT NULL,
    event_id uuid NOT NULL
)
PARTITION BY RANGE (day);

CREATE TABLE public.inbox_default (
    day date CONSTRAINT inbox_day_not_null NOT NULL,
    event_id uuid CONSTRAINT inbox_event_id_not_null NOT NULL
);

CREATE TABLE public.invoice_exceptions (
    merchant_id text NOT NULL,
    exception_id uuid NOT NULL,
    customer_id text NOT NULL,
    invoice_id uuid NOT NULL,
    purchase_id uuid,
    cause_id uuid NOT NULL,
    kind text NOT NULL,
    amount bigint NOT NULL,
    marked_at timestamp with time zone NOT NULL,
    resolved_at timestamp with time zone,
    note text DEFAULT ''::text NOT NULL,
    staff_ref text DEFAULT ''::text NOT NULL,
    request_id uuid,
    fingerprint bytea,
    currency_code text DEFAULT ''::text NOT NULL,
    minor_digits integer DEFAULT 0 NOT NULL,
    absorbed_from text
);

CREATE TABLE public.invoices (
    merchant_id text NOT NULL,
    invoice_id uuid NOT NULL,
    customer_id text NOT NULL,
    purchase_id uuid,
    tender_id text DEFAULT ''::text NOT NULL,
    hold_id uuid,
    amount bigint NOT NULL,
    paid bigint DEFAULT 0 NOT NULL,
    returned bigint DEFAULT 0 NOT NULL,
    outstanding bigint GENERATED ALWAYS AS (((amount - paid) - returned)) STORED,
    issued_on date NOT NULL,
    due_on date NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    settled_at timestamp with time zone,
    exception text DEFAULT ''::text NOT NULL,
    number bigint,
    written_off bigint DEFAULT 0 NOT NULL,
    store_id text DEFAULT ''::text NOT NULL,
    absorbed_from text,
    CONSTRAINT invoices_amounts_add_up CHECK (((amount > 0) AND (paid >= 0) AND (returned >= 0) AND ((paid + returned) <= amount)))
)
WITH (fillfactor='80');
ALTER TABLE ONLY public.invoices ALTER COLUMN customer_id SET (n_distinct=-0.1);

CREATE SEQUENCE public.invoices_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.invoices_number_seq OWNED BY public.invoices.number;

CREATE TABLE public.merges_waiting (
    merchant_id text NOT NULL,
    absorbed_customer_id text NOT NULL,
    surviving_customer_id text NOT NULL,
    merged_at timestamp with time zone NOT NULL,
    tried_at timestamp with time zone
);

CREATE TABLE public.notices (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    local_date date NOT NULL,
    kind text NOT NULL,
    said_at timestamp with time zone NOT NULL,
    absorbed_from text,
    CONSTRAINT notices_kind_known CHECK ((kind = ANY (ARRAY['DUE'::text, 'OVERDUE'::text])))
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

CREATE TABLE public.payment_changes (
    merchant_id text NOT NULL,
    request_id uuid NOT NULL,
    customer_id text NOT NULL,
    payment_id uuid NOT NULL,
    kind text NOT NULL,
    fingerprint bytea NOT NULL,
    note text NOT NULL,
    staff_ref text NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    absorbed_from text,
    CONSTRAINT payment_changes_kind_known CHECK ((kind = ANY (ARRAY['CONFIRM'::text, 'REVERSE'::text])))
);

CREATE TABLE public.payments (
    merchant_id text NOT NULL,
    payment_id uuid NOT NULL,
    customer_id text NOT NULL,
    amount bigint NOT NULL,
    method integer NOT NULL,
    reference text NOT NULL,
    unapplied bigint NOT NULL,
    outstanding_after bigint NOT NULL,
    fingerprint bytea NOT NULL,
    store_id text NOT NULL,
    register_id text NOT NULL,
    staff_ref text NOT NULL,
    effective_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    origin bytea,
    state text DEFAULT 'RECEIVED'::text NOT NULL,
    named uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    cleared_at timestamp with time zone,
    reversed_at timestamp with time zone,
    reversal_reason text DEFAULT ''::text NOT NULL,
    absorbed_from text,
    CONSTRAINT payments_amount_positive CHECK (((amount > 0) AND (unapplied >= 0)))
);
ALTER TABLE ONLY public.payments ALTER COLUMN customer_id SET (n_distinct=-0.1);

CREATE TABLE public.payouts (
    merchant_id text NOT NULL,
    payout_id uuid NOT NULL,
    customer_id text NOT NULL,
    amount bigint NOT NULL,
    method integer NOT NULL,
    reference text NOT NULL,
    credit_balance_after bigint NOT NULL,
    fingerprint bytea NOT NULL,
    origin bytea NOT NULL,
    paid_out_at timestamp with time zone NOT NULL,
    absorbed_from text,
    CONSTRAINT payouts_amount_positive CHECK (((amount > 0) AND (credit_balance_after >= 0)))
);

CREATE TABLE public.policies (
    merchant_id text NOT NULL,
    version bigint NOT NULL,
    request_id uuid NOT NULL,
    fingerprint bytea NOT NULL,
    effective_from timestamp with time zone NOT NULL,
    set_at timestamp with time zone NOT NULL,
    content jsonb NOT NULL
);

CREATE TABLE public.policy_heads (
    merchant_id text NOT NULL,
    version bigint NOT NULL
);

CREATE TABLE public.reminders (
    merchant_id text NOT NULL,
    request_id uuid NOT NULL,
    customer_id text NOT NULL,
    local_date date NOT NULL,
    kind text NOT NULL,
    staff_ref text NOT NULL,
    fingerprint bytea NOT NULL,
    said_at timestamp with time zone NOT NULL,
    absorbed_from text,
    CONSTRAINT reminders_kind_known CHECK ((kind = ANY (ARRAY['DUE'::text, 'OVERDUE'::text])))
);

CREATE TABLE public.spend (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    month date NOT NULL,
    cause_id uuid NOT NULL,
    amount bigint NOT NULL
);

CREATE TABLE public.store_limits (
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    store_id text NOT NULL,
    credit_limit bigint NOT NULL,
    CONSTRAINT store_limits_not_negative CHECK ((credit_limit >= 0))
);

CREATE TABLE public.write_offs (
    merchant_id text NOT NULL,
    request_id uuid NOT NULL,
    customer_id text NOT NULL,
    invoice_id uuid NOT NULL,
    amount bigint NOT NULL,
    reason text NOT NULL,
    staff_ref text NOT NULL,
    fingerprint bytea NOT NULL,
    written_off_at timestamp with time zone NOT NULL,
    absorbed_from text,
    CONSTRAINT write_offs_amount_positive CHECK ((amount > 0))
);

ALTER TABLE ONLY public.inbox ATTACH PARTITION public.inbox_default DEFAULT;

ALTER TABLE ONLY public.invoices ALTER COLUMN number SET DEFAULT nextval('public.invoices_number_seq'::regclass);

ALTER TABLE public.account_changes
    ADD CONSTRAINT account_changes_kind_known CHECK ((kind = ANY (ARRAY['OPEN'::text, 'LIMIT'::text, 'TERMS'::text, 'OVERRIDE'::text, 'SUSPEND'::text, 'RESUME'::text, 'CLOSE'::text, 'SALE'::text, 'ERASED'::text, 'STORE_LIMIT'::text, 'MERGED'::text]))) NOT VALID;

ALTER TABLE ONLY public.account_changes
    ADD CONSTRAINT account_changes_pkey PRIMARY KEY (merchant_id, kind, request_id);

ALTER TABLE public.accounts
    ADD CONSTRAINT accounts_due_day_of_month CHECK (((due_day >= 0) AND (due_day <= 31))) NOT VALID;

ALTER TABLE public.accounts
    ADD CONSTRAINT accounts_limit_policy_whole CHECK (((limit_policy = 0) = (limit_again_on IS NULL))) NOT VALID;

ALTER TABLE public.accounts
    ADD CONSTRAINT accounts_override_whole CHECK ((((override_limit IS NULL) = (override_until IS NULL)) AND (COALESCE(override_limit, (0)::bigint) >= 0))) NOT VALID;

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (merchant_id, customer_id);

ALTER TABLE public.accounts
    ADD CONSTRAINT accounts_status_known CHECK ((status = ANY (ARRAY['UNOPENED'::text, 'SUSPENDED'::text, 'ACTIVE'::text, 'CLOSED'::text]))) NOT VALID;

ALTER TABLE public.accounts
    ADD CONSTRAINT accounts_terms_one CHECK (((due_day = 0) OR (net_days = 0))) NOT VALID;

ALTER TABLE ONLY public.allowance_uses
    ADD CONSTRAINT allowance_uses_pkey PRIMARY KEY (merchant_id, kind, use_id);

ALTER TABLE ONLY public.allowances
    ADD CONSTRAINT allowances_pkey PRIMARY KEY (merchant_id, allowance_id);

ALTER TABLE ONLY public.audits
    ADD CONSTRAINT audits_pkey PRIMARY KEY (name);

ALTER TABLE public.entries
    ADD CONSTRAINT entries_cause_known CHECK ((cause_type = ANY (ARRAY['PURCHASE'::text, 'CAPTURE'::text, 'RETURN'::text, 'PAYMENT'::text, 'REVERSAL'::text, 'PAYOUT'::text, 'WRITE_OFF'::text]))) NOT VALID;

ALTER TABLE ONLY public.entries
    ADD CONSTRAINT entries_cause_once UNIQUE (merchant_id, customer_id, cause_type, cause_id, line, effect);

ALTER TABLE public.entries
    ADD CONSTRAINT entries_effect_known CHECK ((effect = ANY (ARRAY['CHARGED'::text, 'CREDIT_USED'::text, 'PAID'::text, 'RETURNED'::text, 'CREDIT_ADDED'::text, 'UNPAID'::text, 'CREDIT_UNUSED'::text, 'CREDIT_TAKEN'::text, 'PAID_OUT'::text, 'WRITTEN_OFF'::text, 'WRITE_OFF_UNDONE'::text]))) NOT VALID;

ALTER TABLE ONLY public.entries
    ADD CONSTRAINT entries_pkey PRIMARY KEY (merchant_id, customer_id, entry_id);

ALTER TABLE ONLY public.heard
    ADD CONSTRAINT heard_pkey PRIMARY KEY (topic, partition);

ALTER TABLE ONLY public.holds
    ADD CONSTRAINT holds_pkey PRIMARY KEY (merchant_id, hold_id);

ALTER TABLE ONLY public.inbox
    ADD CONSTRAINT inbox_pkey PRIMARY KEY (day, event_id);

ALTER TABLE ONLY public.inbox_default
    ADD CONSTRAINT inbox_default_pkey PRIMARY KEY (day, event_id);

ALTER TABLE public.invoice_exceptions
    ADD CONSTRAINT invoice_exceptions_kind_known CHECK ((kind = ANY (ARRAY['OVER_HOLD'::text, 'LATE'::text, 'VOIDED_THEN_SOLD'::text, 'UNAUTHORISED'::text, 'RETURN_EXCEEDS_INVOICE'::text, 'OVER_ALLOWANCE'::text]))) NOT VALID;

ALTER TABLE ONLY public.invoice_exceptions
    ADD CONSTRAINT invoice_exceptions_pkey PRIMARY KEY (merchant_id, exception_id);

ALTER TABLE ONLY public.invoices
    ADD CONSTRAINT invoices_pkey PRIMARY KEY (merchant_id, invoice_id);

ALTER TABLE public.invoices
    ADD CONSTRAINT invoices_written_off_fits CHECK (((written_off >= 0) AND (((paid + returned) + written_off) <= amount))) NOT VALID;

ALTER TABLE ONLY public.merges_waiting
    ADD CONSTRAINT merges_waiting_pkey PRIMARY KEY (merchant_id, absorbed_customer_id);

ALTER TABLE ONLY public.notices
    ADD CONSTRAINT notices_pkey PRIMARY KEY (merchant_id, customer_id, local_date);

ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.parked_events
    ADD CONSTRAINT parked_events_pkey PRIMARY KEY (merchant_id, key, id);

ALTER TABLE ONLY public.payment_changes
    ADD CONSTRAINT payment_changes_once UNIQUE (merchant_id, customer_id, payment_id, kind);

ALTER TABLE ONLY public.payment_changes
    ADD CONSTRAINT payment_changes_pkey PRIMARY KEY (merchant_id, request_id);

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_pkey PRIMARY KEY (merchant_id, payment_id);

ALTER TABLE public.payments
    ADD CONSTRAINT payments_reversed_with_reason CHECK (((state = 'REVERSED'::text) = ((reversed_at IS NOT NULL) AND (reversal_reason <> ''::text)))) NOT VALID;

ALTER TABLE public.payments
    ADD CONSTRAINT payments_state_known CHECK ((state = ANY (ARRAY['PENDING'::text, 'RECEIVED'::text, 'REVERSED'::text]))) NOT VALID;

ALTER TABLE ONLY public.payouts
    ADD CONSTRAINT payouts_pkey PRIMARY KEY (merchant_id, payout_id);

ALTER TABLE ONLY public.policies
    ADD CONSTRAINT policies_pkey PRIMARY KEY (merchant_id, version);

ALTER TABLE ONLY public.policies
    ADD CONSTRAINT policies_request_key UNIQUE (merchant_id, request_id);

ALTER TABLE ONLY public.policy_heads
    ADD CONSTRAINT policy_heads_pkey PRIMARY KEY (merchant_id);

ALTER TABLE ONLY public.reminders
    ADD CONSTRAINT reminders_pkey PRIMARY KEY (merchant_id, request_id);

ALTER TABLE ONLY public.spend
    ADD CONSTRAINT spend_pkey PRIMARY KEY (merchant_id, customer_id, month, cause_id);

ALTER TABLE ONLY public.store_limits
    ADD CONSTRAINT store_limits_pkey PRIMARY KEY (merchant_id, customer_id, store_id);

ALTER TABLE ONLY public.write_offs
    ADD CONSTRAINT write_offs_pkey PRIMARY KEY (merchant_id, request_id);

CREATE INDEX account_changes_of_customer ON public.account_changes USING btree (merchant_id, customer_id, kind, request_id);

CREATE INDEX accounts_limit_again ON public.accounts USING btree (time_zone, limit_again_on) WHERE (limit_again_on IS NOT NULL);

CREATE INDEX accounts_merged ON public.accounts USING btree (merchant_id, merged_into) WHERE (merged_into <> ''::text);

CREATE INDEX accounts_zone ON public.accounts USING btree (time_zone);

CREATE INDEX allowance_uses_of_allowance ON public.allowance_uses USING btree (merchant_id, allowance_id, customer_id);

CREATE INDEX allowance_uses_of_customer ON public.allowance_uses USING btree (merchant_id, customer_id, used_at, use_id);

CREATE UNIQUE INDEX allowances_end_request ON public.allowances USING btree (merchant_id, end_request_id) WHERE (end_request_id IS NOT NULL);

CREATE INDEX allowances_newest ON public.allowances USING btree (merchant_id, valid_from, allowance_id);

CREATE INDEX allowances_of_store ON public.allowances USING btree (merchant_id, store_id, valid_from, allowance_id);

CREATE INDEX holds_of_customer ON public.holds USING btree (merchant_id, customer_id, decided_at, hold_id);

CREATE INDEX holds_pending ON public.holds USING btree (expires_at, merchant_id, customer_id) WHERE (state = 'PENDING'::text);

CREATE INDEX holds_pending_of_store ON public.holds USING btree (merchant_id, customer_id, store_id) WHERE ((state = 'PENDING'::text) AND store_limited);

CREATE INDEX invoice_exceptions_newest ON public.invoice_exceptions USING btree (merchant_id, marked_at, exception_id);

CREATE INDEX invoice_exceptions_of_customer ON public.invoice_exceptions USING btree (merchant_id, customer_id, invoice_id);

CREATE INDEX invoice_exceptions_open ON public.invoice_exceptions USING btree (kind) WHERE (resolved_at IS NULL);

CREATE UNIQUE INDEX invoice_exceptions_request ON public.invoice_exceptions USING btree (merchant_id, request_id) WHERE (request_id IS NOT NULL);

CREATE INDEX invoices_due ON public.invoices USING btree (due_on, merchant_id, customer_id) WHERE (settled_at IS NULL);

CREATE INDEX invoices_of_customer ON public.invoices USING btree (merchant_id, customer_id, issued_at, invoice_id);

CREATE INDEX invoices_oldest_due ON public.invoices USING btree (merchant_id, customer_id, due_on) WHERE (settled_at IS NULL);

CREATE INDEX invoices_open ON public.invoices USING btree (merchant_id, customer_id, issued_at, invoice_id) WHERE (settled_at IS NULL);

CREATE INDEX invoices_open_of_shop ON public.invoices USING btree (merchant_id, issued_at, invoice_id) WHERE (settled_at IS NULL);

CREATE UNIQUE INDEX invoices_tender ON public.invoices USING btree (merchant_id, purchase_id, tender_id) WHERE (purchase_id IS NOT NULL);

CREATE INDEX invoices_unauthorised ON public.invoices USING btree (merchant_id, hold_id) WHERE ((exception = 'UNAUTHORISED'::text) AND (hold_id IS NOT NULL));

CREATE INDEX parked_events_not_yet ON public.parked_events USING btree (retry_at) WHERE (status = 'NOT_YET'::text);

CREATE INDEX payments_of_customer ON public.payments USING btree (merchant_id, customer_id, effective_at, payment_id);

CREATE INDEX payouts_of_customer ON public.payouts USING btree (merchant_id, customer_id, paid_out_at, payout_id);

CREATE INDEX policies_in_force ON public.policies USING btree (merchant_id, effective_from, version);

CREATE INDEX reminders_of_customer ON public.reminders USING btree (merchant_id, customer_id, said_at, request_id);

CREATE INDEX write_offs_of_customer ON public.write_offs USING btree (merchant_id, customer_id, written_off_at, request_id);

ALTER INDEX public.inbox_pkey ATTACH PARTITION public.inbox_default_pkey;
