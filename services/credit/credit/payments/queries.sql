-- name: find^
-- One payment.
SELECT *
FROM payments
WHERE merchant_id = :merchant_id AND payment_id = :payment_id;

-- name: add$
-- Write a payment; no row: another customer's request took the id meanwhile.
INSERT INTO payments (
    merchant_id, payment_id, customer_id, amount, method, reference, unapplied, outstanding_after, fingerprint,
    store_id, register_id, staff_ref, origin, effective_at, received_at, state, named, cleared_at
)
VALUES (
    :merchant_id, :payment_id, :customer_id, :amount, :method, :reference, :unapplied, :outstanding_after,
    :fingerprint, :store_id, :register_id, :staff_ref, :origin, :effective_at, :received_at, :state,
    :named::uuid[], :cleared_at
)
ON CONFLICT (merchant_id, payment_id) DO NOTHING
RETURNING true;

-- name: allocations
-- Where payments of a customer went, in the order booked.
SELECT cause_id, invoice_id, -posted AS amount
FROM entries
WHERE
    merchant_id = :merchant_id
    AND customer_id = :customer_id
    AND cause_type = 'PAYMENT'
    AND cause_id = any(:payment_ids::uuid[])
    AND effect = 'PAID'
ORDER BY entry_id;

-- name: page
-- A page of a customer's payments, newest first.
SELECT *
FROM payments
WHERE
    merchant_id = :merchant_id
    AND customer_id = :customer_id
    AND (effective_at, payment_id) < (:before_at::timestamptz, :before_id::uuid)
ORDER BY effective_at DESC, payment_id DESC
LIMIT :size;

-- name: find_change^
-- What a request id asked of a payment.
SELECT fingerprint
FROM payment_changes
WHERE merchant_id = :merchant_id AND request_id = :request_id;

-- name: add_change$
-- Remember what a request id asked; no row: somebody took the id meanwhile.
INSERT INTO payment_changes (
    merchant_id, request_id, customer_id, payment_id, kind, fingerprint, note, staff_ref, changed_at
)
VALUES (
    :merchant_id, :request_id, :customer_id, :payment_id, :kind, :fingerprint, :note, :staff_ref, :changed_at
)
ON CONFLICT (merchant_id, request_id) DO NOTHING
RETURNING true;

-- name: move!
-- Write where a payment of a locked account stands now.
UPDATE payments
SET
    state = :state,
    unapplied = :unapplied,
    outstanding_after = :outstanding_after,
    cleared_at = :cleared_at,
    reversed_at = :reversed_at,
    reversal_reason = :reversal_reason
WHERE merchant_id = :merchant_id AND payment_id = :payment_id;

-- name: credit_uses
-- The invoices that used credit balance since a payment was booked, and what of that no reversal has given
-- back; newest first. Reads one customer's ledger.
SELECT
    e.invoice_id,
    -sum(e.posted)::bigint AS used
FROM entries AS e
WHERE
    e.merchant_id = :merchant_id
    AND e.customer_id = :customer_id
    AND e.effect IN ('CREDIT_USED', 'CREDIT_UNUSED')
    AND e.entry_id > (
        SELECT min(b.entry_id)
        FROM entries AS b
        WHERE
            b.merchant_id = :merchant_id
            AND b.customer_id = :customer_id
            AND b.cause_type = 'PAYMENT'
            AND b.cause_id = :payment_id
    )
GROUP BY e.invoice_id
HAVING sum(e.posted) < 0
ORDER BY max(e.entry_id) FILTER (WHERE e.effect = 'CREDIT_USED') DESC;

-- name: undone
-- What a reversal booked, in the order booked.
SELECT effect, invoice_id, posted, credit
FROM entries
WHERE
    merchant_id = :merchant_id
    AND customer_id = :customer_id
    AND cause_type = 'REVERSAL'
    AND cause_id = :payment_id
ORDER BY entry_id;

-- name: find_payout^
-- One payout.
SELECT *
FROM payouts
WHERE merchant_id = :merchant_id AND payout_id = :payout_id;

-- name: payouts_page
-- A page of a customer's payouts, newest first.
SELECT *
FROM payouts
WHERE
    merchant_id = :merchant_id
    AND customer_id = :customer_id
    AND (paid_out_at, payout_id) < (:before_at::timestamptz, :before_id::uuid)
ORDER BY paid_out_at DESC, payout_id DESC
LIMIT :size;

-- name: add_payout$
-- Write a payout; no row: another customer's request took the id meanwhile.
INSERT INTO payouts (
    merchant_id, payout_id, customer_id, amount, method, reference, credit_balance_after, fingerprint, origin,
    paid_out_at
)
VALUES (
    :merchant_id, :payout_id, :customer_id, :amount, :method, :reference, :credit_balance_after, :fingerprint,
    :origin, :paid_out_at
)
ON CONFLICT (merchant_id, payout_id) DO NOTHING
RETURNING true;
