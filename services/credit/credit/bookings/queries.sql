-- name: bookings
-- Invoices of purchases, and what the entries of each charge; a captured hold's entry is the capture's.
SELECT
    i.purchase_id, i.tender_id, i.customer_id, i.invoice_id, i.amount, i.exception,
    coalesce(e.charged, 0)::bigint AS entries_charged
FROM unnest(:customer_ids::text[], :purchase_ids::uuid[]) AS w (customer_id, purchase_id)
INNER JOIN invoices AS i
    ON i.merchant_id = :merchant_id AND i.purchase_id = w.purchase_id AND i.customer_id = w.customer_id
CROSS JOIN LATERAL (
    SELECT sum(n.posted) AS charged FROM entries AS n
    WHERE
        n.merchant_id = :merchant_id AND n.customer_id = i.customer_id AND n.effect = 'CHARGED'
        AND n.invoice_id = i.invoice_id
        AND (
            (n.cause_type = 'PURCHASE' AND n.cause_id = i.purchase_id)
            OR (n.cause_type = 'CAPTURE' AND n.cause_id = i.hold_id)
        )
) AS e;

-- name: returns
-- What the entries of returns give back on each invoice.
SELECT
    n.invoice_id, n.cause_id AS return_id,
    sum(n.credit - n.posted)::bigint AS entries_returned
FROM unnest(:customer_ids::text[], :return_ids::uuid[]) AS w (customer_id, return_id)
INNER JOIN entries AS n
    ON
        n.merchant_id = :merchant_id AND n.customer_id = w.customer_id AND n.cause_type = 'RETURN'
        AND n.cause_id = w.return_id AND n.effect <> 'WRITE_OFF_UNDONE'
GROUP BY n.invoice_id, n.cause_id;

-- name: surpluses
-- What returns refunded beyond their invoice: listed for staff, not booked.
SELECT x.invoice_id, x.cause_id AS return_id, sum(x.amount)::bigint AS surplus
FROM unnest(:customer_ids::text[], :return_ids::uuid[]) AS w (customer_id, return_id)
INNER JOIN invoice_exceptions AS x
    ON
        x.merchant_id = :merchant_id AND x.customer_id = w.customer_id
        AND x.kind = 'RETURN_EXCEEDS_INVOICE' AND x.cause_id = w.return_id
GROUP BY x.invoice_id, x.cause_id;
