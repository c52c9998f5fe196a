-- squawk-ignore-file ban-drop-constraint
-- migrate:up

-- Payments that clear later, and payments that turn out to be none. A null cleared_at of a RECEIVED payment: it
-- was written by a release that knew no other time than effective_at.
ALTER TABLE payments ADD COLUMN state text NOT NULL DEFAULT 'RECEIVED';
ALTER TABLE payments ADD COLUMN named uuid [] NOT NULL DEFAULT '{}';
ALTER TABLE payments ADD COLUMN cleared_at timestamptz;
ALTER TABLE payments ADD COLUMN reversed_at timestamptz;
ALTER TABLE payments ADD COLUMN reversal_reason text NOT NULL DEFAULT '';
ALTER TABLE payments ADD CONSTRAINT payments_state_known
CHECK (state IN ('PENDING', 'RECEIVED', 'REVERSED')) NOT VALID;
ALTER TABLE payments ADD CONSTRAINT payments_reversed_with_reason
CHECK ((state = 'REVERSED') = (reversed_at IS NOT NULL AND reversal_reason <> '')) NOT VALID;

-- What was asked to become of a payment, and by whom; each payment is confirmed once and reversed once.
CREATE TABLE payment_changes (
    merchant_id text NOT NULL,
    request_id uuid NOT NULL,
    customer_id text NOT NULL,
    payment_id uuid NOT NULL,
    kind text NOT NULL,
    fingerprint bytea NOT NULL,
    note text NOT NULL,
    staff_ref text NOT NULL,
    changed_at timestamptz NOT NULL,
    CONSTRAINT payment_changes_pkey PRIMARY KEY (merchant_id, request_id),
    CONSTRAINT payment_changes_once UNIQUE (merchant_id, customer_id, payment_id, kind),
    CONSTRAINT payment_changes_kind_known CHECK (kind IN ('CONFIRM', 'REVERSE'))
);

-- Credit balance that was returned to customers.
CREATE TABLE payouts (
    merchant_id text NOT NULL,
    payout_id uuid NOT NULL,
    customer_id text NOT NULL,
    amount bigint NOT NULL,
    method integer NOT NULL,
    reference text NOT NULL,
    credit_balance_after bigint NOT NULL,
    fingerprint bytea NOT NULL,
    origin bytea NOT NULL,
    paid_out_at timestamptz NOT NULL,
    CONSTRAINT payouts_pkey PRIMARY KEY (merchant_id, payout_id),
    CONSTRAINT payouts_amount_positive CHECK (amount > 0 AND credit_balance_after >= 0)
);
CREATE INDEX payouts_of_customer ON payouts (merchant_id, customer_id, paid_out_at, payout_id);

-- More is known than before, so no row can break it: not validated, for that would read the whole ledger.
ALTER TABLE entries DROP CONSTRAINT entries_cause_known;
ALTER TABLE entries ADD CONSTRAINT entries_cause_known CHECK (
    cause_type IN ('PURCHASE', 'CAPTURE', 'RETURN', 'PAYMENT', 'REVERSAL', 'PAYOUT', 'WRITE_OFF')
) NOT VALID;
ALTER TABLE entries DROP CONSTRAINT entries_effect_known;
ALTER TABLE entries ADD CONSTRAINT entries_effect_known CHECK (
    effect IN (
        'CHARGED', 'CREDIT_USED', 'PAID', 'RETURNED', 'CREDIT_ADDED',
        'UNPAID', 'CREDIT_UNUSED', 'CREDIT_TAKEN', 'PAID_OUT', 'WRITTEN_OFF', 'WRITE_OFF_UNDONE'
    )
) NOT VALID;

-- migrate:down
ALTER TABLE entries DROP CONSTRAINT entries_effect_known;
ALTER TABLE entries ADD CONSTRAINT entries_effect_known CHECK (
    effect IN ('CHARGED', 'CREDIT_USED', 'PAID', 'RETURNED', 'CREDIT_ADDED')
) NOT VALID;
ALTER TABLE entries DROP CONSTRAINT entries_cause_known;
ALTER TABLE entries ADD CONSTRAINT entries_cause_known CHECK (
    cause_type IN ('PURCHASE', 'CAPTURE', 'RETURN', 'PAYMENT')
) NOT VALID;
DROP TABLE payouts;
DROP TABLE payment_changes;
ALTER TABLE payments DROP COLUMN reversal_reason;
ALTER TABLE payments DROP COLUMN reversed_at;
ALTER TABLE payments DROP COLUMN cleared_at;
ALTER TABLE payments DROP COLUMN named;
ALTER TABLE payments DROP COLUMN state;
