-- name: find^
-- One payment.
SELECT *
FROM payments
WHERE merchant_id = :merchant_id AND payment_id = :payment_id;

-- name: add$
-- Write a payment; no row: another customer's request took the id meanwhile.
INSERT INTO payments (
    merchant_id, payment_id, customer_id, amount, method, reference, unapplied, outstanding_after, fingerprint,
    store_id, register_id, staff_ref, origin, effective_at, received_at
)
VALUES (
    :merchant_id, :payment_id, :customer_id, :amount, :method, :reference, :unapplied, :outstanding_after,
    :fingerprint, :store_id, :register_id, :staff_ref, :origin, :effective_at, :received_at
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
