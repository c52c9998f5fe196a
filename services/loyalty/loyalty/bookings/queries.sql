-- name: bookings
-- What was noted with purchases, and what the entries of each say. Of a merged customer the survivor has the
-- purchase, and the entries are where they were booked: in the ledger of one of the two.
select
    p.purchase_id,
    p.points,
    coalesce(e.earned, 0)::bigint as entries_earned,
    coalesce(r.redeemed, 0)::bigint as redeemed,
    coalesce(e.redeemed, 0)::bigint as entries_redeemed
from unnest(:customer_ids::text[], :purchase_ids::uuid[]) as w (customer_id, purchase_id)
inner join accounts as named on named.merchant_id = :merchant_id and named.customer_id = w.customer_id
inner join purchases as p
    on
        p.merchant_id = :merchant_id
        and p.customer_id = coalesce(named.merged_into, named.customer_id)
        and p.purchase_id = w.purchase_id
cross join lateral (
    select
        sum(n.points) filter (where n.kind = 'EARN') as earned,
        -sum(n.points) filter (where n.kind = 'REDEEM') as redeemed
    from accounts as o
    inner join entries as n on n.merchant_id = o.merchant_id and n.customer_id = o.customer_id
    where
        o.merchant_id = :merchant_id
        and (o.customer_id = p.customer_id or o.merged_into = p.customer_id)
        and n.cause_id = p.purchase_id::text and n.cause = 'PURCHASE'
) as e
cross join lateral (
    select sum(d.points) as redeemed from redemptions as d
    where
        d.merchant_id = :merchant_id and d.customer_id = p.customer_id
        and d.purchase_id = p.purchase_id
) as r;

-- name: returns
-- What was noted with returns, and what the entries of each say; see bookings for those of merged customers.
select
    t.purchase_id,
    t.return_id,
    t.taken_back,
    t.restored,
    coalesce(e.taken_back, 0)::bigint as entries_taken_back,
    coalesce(e.restored, 0)::bigint as entries_restored
from unnest(:customer_ids::text[], :return_ids::uuid[]) as w (customer_id, return_id)
inner join accounts as named on named.merchant_id = :merchant_id and named.customer_id = w.customer_id
inner join returns as t
    on
        t.merchant_id = :merchant_id
        and t.customer_id = coalesce(named.merged_into, named.customer_id)
        and t.return_id = w.return_id
cross join lateral (
    select
        -sum(n.points) filter (where n.kind = 'TAKE_BACK') as taken_back,
        sum(n.points) filter (where n.kind = 'RESTORE') as restored
    from accounts as o
    inner join entries as n on n.merchant_id = o.merchant_id and n.customer_id = o.customer_id
    where
        o.merchant_id = :merchant_id
        and (o.customer_id = t.customer_id or o.merged_into = t.customer_id)
        and n.cause_id = t.return_id::text and n.cause = 'RETURN'
) as e;
