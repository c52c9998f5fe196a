-- migrate:up

-- Purchases of customers merged before now learn which lot their own has become, and what had expired of it.
with recursive homes as (
    select a.merchant_id, a.merged_into as owner, e.customer_id, e.entry_no, e.purchase_id
    from accounts as a
    join entries as e on e.merchant_id = a.merchant_id and e.customer_id = a.customer_id
    where a.merged_into is not null and e.kind = 'EARN'
    union all
    select h.merchant_id, h.owner, e.customer_id, e.entry_no, h.purchase_id
    from homes as h
    join accounts as o
        on o.merchant_id = h.merchant_id and (o.customer_id = h.owner or o.merged_into = h.owner)
    join entries as e
        on
            e.merchant_id = o.merchant_id and e.customer_id = o.customer_id
            and e.cause_id = h.customer_id and e.line_id = h.entry_no::text
            and e.kind = 'MERGE' and e.cause = 'MERGE' and e.points > 0
),

folds as (
    select
        h.merchant_id, h.owner, h.purchase_id,
        coalesce(max(h.entry_no) filter (where h.customer_id = h.owner), 0) as entry_no,
        coalesce(sum(x.expired) filter (where h.customer_id <> h.owner), 0) as expired
    from homes as h
    cross join lateral (
        select -sum(e.points) as expired
        from entries as e
        where
            e.merchant_id = h.merchant_id and e.customer_id = h.customer_id
            and e.cause_id = h.entry_no::text and e.kind = 'EXPIRE' and e.cause = 'EXPIRY'
    ) as x
    group by h.merchant_id, h.owner, h.purchase_id
)

update purchases as p
set entry_no = f.entry_no, expired = f.expired
from folds as f
where
    p.merchant_id = f.merchant_id and p.customer_id = f.owner
    and p.purchase_id = f.purchase_id::uuid;

-- migrate:down

select 1;
