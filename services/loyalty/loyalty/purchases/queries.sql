-- name: ground_of
-- What sales are booked on: the accounts behind their customers (survivors in place of aliases), whether
-- they have been booked, and the versions of the merchant's program: few, and read by every poll, so that
-- a new one counts at once.
select
    w.customer_id as asked, w.purchase_id, a.*,
    exists (
        select 1 from purchases as p
        where
            p.merchant_id = a.merchant_id and p.customer_id = a.customer_id
            and p.purchase_id = w.purchase_id
    ) as booked,
    array(select p.version from programs as p where p.merchant_id = w.merchant_id) as versions
from unnest(:merchant_ids::text[], :customer_ids::text[], :purchase_ids::uuid[])
    as w (merchant_id, customer_id, purchase_id)
join accounts as named on named.merchant_id = w.merchant_id and named.customer_id = w.customer_id
join accounts as a
    on
        a.merchant_id = named.merchant_id
        and a.customer_id = coalesce(named.merged_into, named.customer_id);

-- name: insert_purchases!
-- Keep what sales counted and earned.
insert into purchases (
    merchant_id, customer_id, purchase_id, effective_at, spend, spend_left, points, line_points,
    entry_no, tier, multiplier_bp, program_version
)
select
    w.merchant_id, w.customer_id, w.purchase_id, w.effective_at, w.spend, w.spend, w.points,
    w.line_points::jsonb, w.entry_no, w.tier, w.multiplier_bp, w.program_version
from unnest(
    :merchant_ids::text[], :customer_ids::text[], :purchase_ids::uuid[], :effective_ats::timestamptz[],
    :spends::bigint[], :points::bigint[], :line_points::text[], :entry_nos::bigint[], :tiers::text[],
    :multipliers::integer[], :versions::bigint[]
) as w (
    merchant_id, customer_id, purchase_id, effective_at, spend, points, line_points, entry_no, tier,
    multiplier_bp, program_version
);

-- name: purchases_of
-- The purchases that returns name, and what has expired of their lots in this ledger.
select
    p.*, p.line_points::text as line_points_text,
    (
        select coalesce(-sum(e.points), 0)::bigint
        from entries as e
        where
            e.merchant_id = p.merchant_id and e.customer_id = p.customer_id
            and e.cause_id = p.entry_no::text and e.kind = 'EXPIRE' and e.cause = 'EXPIRY'
    ) as expired_now
from purchases as p
join unnest(:merchant_ids::text[], :customer_ids::text[], :purchase_ids::uuid[])
    as w (merchant_id, customer_id, purchase_id)
    on
        p.merchant_id = w.merchant_id and p.customer_id = w.customer_id
        and p.purchase_id = w.purchase_id;

-- name: update_purchases!
-- Write what returns have left of purchases.
update purchases as p
set spend_left = w.spend_left, line_points = w.line_points::jsonb, spared = w.spared
from unnest(
    :merchant_ids::text[], :customer_ids::text[], :purchase_ids::uuid[], :lefts::bigint[],
    :line_points::text[], :spareds::bigint[]
) as w (merchant_id, customer_id, purchase_id, spend_left, line_points, spared)
where
    p.merchant_id = w.merchant_id and p.customer_id = w.customer_id
    and p.purchase_id = w.purchase_id;

-- name: known_returns
-- Which of these returns have been booked.
select r.merchant_id, r.customer_id, r.return_id
from returns as r
join unnest(:merchant_ids::text[], :customer_ids::text[], :return_ids::uuid[])
    as w (merchant_id, customer_id, return_id)
    on
        r.merchant_id = w.merchant_id and r.customer_id = w.customer_id
        and r.return_id = w.return_id;

-- name: insert_returns!
-- Keep what returns did.
insert into returns (
    merchant_id, customer_id, return_id, purchase_id, effective_at, taken_back, restored
)
select *
from unnest(
    :merchant_ids::text[], :customer_ids::text[], :return_ids::uuid[], :purchase_ids::uuid[],
    :effective_ats::timestamptz[], :taken_backs::bigint[], :restoreds::bigint[]
);
