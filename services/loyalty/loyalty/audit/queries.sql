-- name: customers
-- The customers behind one, in order.
select merchant_id, customer_id
from accounts
where (merchant_id, customer_id) > (:merchant_id, :customer_id)
order by merchant_id, customer_id
limit :size;

-- name: accounts
-- Cached figures that are not the fold of entries, lots and held reservations. Balance = in_lots - negative.
select a.merchant_id, a.customer_id, v.what, v.must::text as must, v.found::text as found
from unnest(:merchants::text[], :customers::text[]) as k (merchant_id, customer_id)
join accounts as a on a.merchant_id = k.merchant_id and a.customer_id = k.customer_id
cross join lateral (
    select coalesce(sum(points), 0) as points, coalesce(max(entry_no), 0) as last_entry
    from entries
    where merchant_id = k.merchant_id and customer_id = k.customer_id
) as e
cross join lateral (
    select coalesce(sum(points_left), 0) as points
    from lots
    where merchant_id = k.merchant_id and customer_id = k.customer_id
) as l
cross join lateral (
    select coalesce(sum(points), 0) as points
    from reservations
    where merchant_id = k.merchant_id and customer_id = k.customer_id and state = 'HELD'
) as r
cross join lateral (
    values
    ('balance, by the entries', e.points, a.in_lots - a.negative),
    ('in_lots, by the lots', l.points, a.in_lots),
    ('negative, by lots and entries', l.points - e.points, a.negative),
    ('reserved, by the held reservations', r.points, a.reserved),
    ('last_entry, by the entries', e.last_entry, a.last_entry)
) as v (what, must, found)
where v.must <> v.found;

-- name: entries
-- Entries that do not follow the one before: by number, or by the balance after it.
select
    e.merchant_id, e.customer_id, v.what || ' entry ' || e.entry_no as what, v.must::text as must,
    v.found::text as found
from (
    select
        x.merchant_id, x.customer_id, x.entry_no, x.points, x.balance_after,
        lag(x.entry_no, 1, 0) over ledger as number_before,
        lag(x.balance_after, 1, 0) over ledger as balance_before
    from unnest(:merchants::text[], :customers::text[]) as k (merchant_id, customer_id)
    join entries as x on x.merchant_id = k.merchant_id and x.customer_id = k.customer_id
    window ledger as (partition by x.merchant_id, x.customer_id order by x.entry_no)
) as e
cross join lateral (
    values
    ('number of', e.number_before + 1, e.entry_no),
    ('balance_after', e.balance_before + e.points, e.balance_after)
) as v (what, must, found)
where v.must <> v.found;

-- name: lots
-- Lots that are not what their entry gave (a RESTORE may give back into older lots), that are missing, or
-- have more left than has not expired; an expiry that a return undid gave nothing to a lot. Both sides are gathered and grouped once, here and below: a join of
-- two folds would be planned blindly, and badly for customers with much.
with lines as (
    select l.merchant_id, l.customer_id, l.entry_no::text as lot, l.points, l.points_left, null as given,
        null as kind, null as expired
    from unnest(:merchants::text[], :customers::text[]) as k (merchant_id, customer_id)
    join lots as l on l.merchant_id = k.merchant_id and l.customer_id = k.customer_id
    union all
    select e.merchant_id, e.customer_id,
        case when e.kind = 'EXPIRE' then e.cause_id else e.entry_no::text end,
        null, null, case when e.points > 0 then e.points end,
        case when e.kind <> 'EXPIRE' then e.kind end, case when e.kind = 'EXPIRE' then -e.points end
    from unnest(:merchants::text[], :customers::text[]) as k (merchant_id, customer_id)
    join entries as e on e.merchant_id = k.merchant_id and e.customer_id = k.customer_id
    where (e.points > 0 or e.kind = 'EXPIRE') and not (e.kind = 'EXPIRE' and e.cause = 'RETURN')
),

folds as (
    select
        merchant_id, customer_id, lot, sum(points) as points, sum(points_left) as points_left,
        coalesce(sum(given), 0) as given, coalesce(max(kind), '') as kind,
        coalesce(sum(expired), 0) as expired
    from lines
    group by merchant_id, customer_id, lot
)

select f.merchant_id, f.customer_id, v.what || f.lot as what, v.must, v.found
from folds as f
cross join lateral (
    values
    ('lot ', 'a lot', 'none', f.points is not null or (f.kind = 'RESTORE' and f.expired = 0)),
    (
        'points of lot ', f.given::text, f.points::text,
        f.points = f.given or (f.kind = 'RESTORE' and f.points <= f.given)
    ),
    (
        'points_left of lot ', 'at most ' || (f.points - f.expired), f.points_left::text,
        f.points_left <= f.points - f.expired
    )
) as v (what, must, found, holds)
where not v.holds;

-- name: purchases
-- Purchases whose earned points are not their EARN entry, whose lines have not left what TAKE_BACK entries
-- left of it, or whose spared points are not those whose expiry EXPIRE entries undid, or more than expired.
-- The entries of a merged customer's purchase are in the ledgers of both.
with owners as (
    select k.merchant_id, k.customer_id as owner, k.customer_id
    from unnest(:merchants::text[], :customers::text[]) as k (merchant_id, customer_id)
    union all
    select a.merchant_id, a.merged_into, a.customer_id
    from unnest(:merchants::text[], :customers::text[]) as k (merchant_id, customer_id)
    join accounts as a on a.merchant_id = k.merchant_id and a.merged_into = k.customer_id
),

lines as (
    select
        p.merchant_id, p.customer_id, p.purchase_id::text as purchase_id, p.points,
        (select coalesce(sum(value::bigint), 0) from jsonb_each_text(p.line_points)) as points_left,
        0 as earned, 0 as remaining, p.spared, 0 as undone,
        -- Read only where a return undid an expiry: few of all.
        case when p.spared > 0 then p.expired + (
            select coalesce(-sum(e.points), 0)
            from entries as e
            where
                e.merchant_id = p.merchant_id and e.customer_id = p.customer_id
                and e.cause_id = p.entry_no::text and e.kind = 'EXPIRE' and e.cause = 'EXPIRY'
        ) else 0 end as expired
    from unnest(:merchants::text[], :customers::text[]) as k (merchant_id, customer_id)
    join purchases as p on p.merchant_id = k.merchant_id and p.customer_id = k.customer_id
    union all
    select
        o.merchant_id, o.owner, e.purchase_id, null, null,
        case when e.kind = 'EARN' then e.points else 0 end,
        case when e.kind <> 'EXPIRE' then e.points else 0 end,
        null, case when e.kind = 'EXPIRE' then e.points else 0 end, 0
    from owners as o
    join entries as e on e.merchant_id = o.merchant_id and e.customer_id = o.customer_id
    join accounts as a on a.merchant_id = o.merchant_id and a.customer_id = o.owner
    where
        (e.kind in ('EARN', 'TAKE_BACK') or (e.kind = 'EXPIRE' and e.cause = 'RETURN'))
        and a.merged_into is null
),

folds as (
    select
        merchant_id, customer_id, purchase_id, sum(points) as points, sum(points_left) as points_left,
        sum(earned) as earned, sum(remaining) as remaining, sum(spared) as spared, sum(undone) as undone,
        sum(expired) as expired
    from lines
    group by merchant_id, customer_id, purchase_id
)

select f.merchant_id, f.customer_id, v.what || f.purchase_id as what, v.must, v.found
from folds as f
cross join lateral (
    values
    ('purchase ', 'one that earned ' || f.earned, 'none', f.points is not null),
    ('points of purchase ', f.earned::text, f.points::text, f.points = f.earned),
    (
        'points left of the lines of purchase ', f.remaining::text, f.points_left::text,
        f.points_left = f.remaining
    ),
    ('spared points of purchase ', f.undone::text, f.spared::text, f.spared = f.undone),
    (
        'spared points of purchase ', 'at most ' || f.expired, f.spared::text,
        f.spared <= f.expired
    )
) as v (what, must, found, holds)
where not v.holds;

-- name: moved_purchases
-- Purchases of merged customers that do not name the lot that their own has become, or whose expired points
-- are not those that expired of it on its way, before the ledger that it is in now.
with recursive owners as (
    select a.merchant_id, a.merged_into as owner, a.customer_id
    from unnest(:merchants::text[], :customers::text[]) as k (merchant_id, customer_id)
    join accounts as a on a.merchant_id = k.merchant_id and a.merged_into = k.customer_id
),

homes as (
    select o.merchant_id, o.owner, e.customer_id, e.entry_no, e.purchase_id
    from owners as o
    join entries as e on e.merchant_id = o.merchant_id and e.customer_id = o.customer_id
    where e.kind = 'EARN'
    union all
    select h.merchant_id, h.owner, e.customer_id, e.entry_no, h.purchase_id
    from homes as h
    join accounts as o
        on
            o.merchant_id = h.merchant_id and (o.customer_id = h.owner or o.merged_into = h.owner)
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

select p.merchant_id, p.customer_id, v.what || p.purchase_id as what, v.must::text as must, v.found::text as found
from folds as f
join purchases as p
    on p.merchant_id = f.merchant_id and p.customer_id = f.owner and p.purchase_id = f.purchase_id::uuid
cross join lateral (
    values
    ('lot of purchase ', f.entry_no, p.entry_no),
    ('expired points of purchase ', f.expired, p.expired)
) as v (what, must, found)
where v.must <> v.found;

-- name: returns
-- Returns whose figures are not the fold of their entries; see purchases for those of merged customers.
with owners as (
    select k.merchant_id, k.customer_id as owner, k.customer_id
    from unnest(:merchants::text[], :customers::text[]) as k (merchant_id, customer_id)
    union all
    select a.merchant_id, a.merged_into, a.customer_id
    from unnest(:merchants::text[], :customers::text[]) as k (merchant_id, customer_id)
    join accounts as a on a.merchant_id = k.merchant_id and a.merged_into = k.customer_id
),

lines as (
    select
        r.merchant_id, r.customer_id, r.return_id::text as return_id, r.taken_back, r.restored,
        0 as taken, 0 as given
    from unnest(:merchants::text[], :customers::text[]) as k (merchant_id, customer_id)
    join returns as r on r.merchant_id = k.merchant_id and r.customer_id = k.customer_id
    union all
    select
        o.merchant_id, o.owner, e.cause_id, null, null,
        case when e.kind = 'TAKE_BACK' then -e.points else 0 end,
        case when e.kind = 'RESTORE' then e.points else 0 end
    from owners as o
    join entries as e on e.merchant_id = o.merchant_id and e.customer_id = o.customer_id
    join accounts as a on a.merchant_id = o.merchant_id and a.customer_id = o.owner
    where e.cause = 'RETURN' and a.merged_into is null
),

folds as (
    select
        merchant_id, customer_id, return_id, sum(taken_back) as taken_back, sum(restored) as restored,
        sum(taken) as taken, sum(given) as given
    from lines
    group by merchant_id, customer_id, return_id
)

select f.merchant_id, f.customer_id, v.what || f.return_id as what, v.must, v.found
from folds as f
cross join lateral (
    values
    ('return ', 'a return', 'none', f.taken_back is not null),
    ('taken_back of return ', f.taken::text, f.taken_back::text, f.taken_back = f.taken),
    ('restored of return ', f.given::text, f.restored::text, f.restored = f.given)
) as v (what, must, found, holds)
where not v.holds;

-- name: redemptions
-- Redemptions whose figures are not the fold of their entries; see purchases for those of merged customers.
with owners as (
    select k.merchant_id, k.customer_id as owner, k.customer_id
    from unnest(:merchants::text[], :customers::text[]) as k (merchant_id, customer_id)
    union all
    select a.merchant_id, a.merged_into, a.customer_id
    from unnest(:merchants::text[], :customers::text[]) as k (merchant_id, customer_id)
    join accounts as a on a.merchant_id = k.merchant_id and a.merged_into = k.customer_id
),

lines as (
    select
        r.merchant_id, r.customer_id, r.purchase_id::text as purchase_id, r.tender_id, r.points,
        r.points_left,
        (select coalesce(sum((source ->> 1)::bigint), 0) from jsonb_array_elements(r.sources) as source)
            as in_sources,
        0 as used, 0 as remaining
    from unnest(:merchants::text[], :customers::text[]) as k (merchant_id, customer_id)
    join redemptions as r on r.merchant_id = k.merchant_id and r.customer_id = k.customer_id
    union all
    select
        o.merchant_id, o.owner, e.purchase_id, e.line_id, null, null, null,
        case when e.kind = 'REDEEM' then -e.points else 0 end, -e.points
    from owners as o
    join entries as e on e.merchant_id = o.merchant_id and e.customer_id = o.customer_id
    join accounts as a on a.merchant_id = o.merchant_id and a.customer_id = o.owner
    where e.kind in ('REDEEM', 'RESTORE') and a.merged_into is null
),

folds as (
    select
        merchant_id, customer_id, 'tender ' || tender_id || ' of purchase ' || purchase_id as tender,
        sum(points) as points, sum(points_left) as points_left, sum(in_sources) as in_sources,
        sum(used) as used, sum(remaining) as remaining
    from lines
    group by merchant_id, customer_id, purchase_id, tender_id
)

select f.merchant_id, f.customer_id, v.what || f.tender as what, v.must, v.found
from folds as f
cross join lateral (
    values
    ('redemption by ', 'one of ' || f.used, 'none', f.points is not null),
    ('points of ', f.used::text, f.points::text, f.points = f.used),
    ('points_left of ', f.remaining::text, f.points_left::text, f.points_left = f.remaining),
    ('points of the sources of ', f.points_left::text, f.in_sources::text, f.in_sources = f.points_left)
) as v (what, must, found, holds)
where not v.holds;

-- name: reservations
-- Redeemed reservations whose purchase did not use the points that they name.
select
    r.merchant_id, r.customer_id, 'points_redeemed of reservation ' || r.reservation_id as what,
    'points of a tender of purchase ' || coalesce(r.purchase_id::text, 'none') as must,
    r.points_redeemed::text as found
from unnest(:merchants::text[], :customers::text[]) as k (merchant_id, customer_id)
join reservations as r on r.merchant_id = k.merchant_id and r.customer_id = k.customer_id
where
    r.state = 'REDEEMED' and r.points_redeemed <> 0
    and not exists (
        select 1 from redemptions as d
        where
            d.merchant_id = r.merchant_id and d.customer_id = r.customer_id
            and d.purchase_id = r.purchase_id and d.reservation_id = r.reservation_id
            and d.points = r.points_redeemed
    );

-- name: programs
-- Versions of the program that something names and that are not there.
select
    n.merchant_id, n.customer_id, 'program of ' || n.what as what, 'version ' || n.version as must,
    'none' as found
from (
    select e.merchant_id, e.customer_id, 'entry ' || e.entry_no as what, e.program_version as version
    from unnest(:merchants::text[], :customers::text[]) as k (merchant_id, customer_id)
    join entries as e on e.merchant_id = k.merchant_id and e.customer_id = k.customer_id
    union all
    select p.merchant_id, p.customer_id, 'purchase ' || p.purchase_id, p.program_version
    from unnest(:merchants::text[], :customers::text[]) as k (merchant_id, customer_id)
    join purchases as p on p.merchant_id = k.merchant_id and p.customer_id = k.customer_id
    union all
    select r.merchant_id, r.customer_id, 'reservation ' || r.reservation_id, r.program_version
    from unnest(:merchants::text[], :customers::text[]) as k (merchant_id, customer_id)
    join reservations as r on r.merchant_id = k.merchant_id and r.customer_id = k.customer_id
) as n
where
    n.version <> 0
    and not exists (
        select 1 from programs as p
        where p.merchant_id = n.merchant_id and p.version = n.version
    );

-- name: tiers
-- Tiers that are not where their last change led, and changes that do not follow the one before.
select a.merchant_id, a.customer_id, v.what, v.must, v.found
from unnest(:merchants::text[], :customers::text[]) as k (merchant_id, customer_id)
join accounts as a on a.merchant_id = k.merchant_id and a.customer_id = k.customer_id
left join lateral (
    select to_tier, revision, effective_at
    from tier_changes
    where merchant_id = k.merchant_id and customer_id = k.customer_id
    order by revision desc
    limit 1
) as c on true
cross join lateral (
    values
    ('tier, by its last change', coalesce(c.to_tier, ''), a.tier),
    ('tier_revision, by its last change', coalesce(c.revision, 0)::text, a.tier_revision::text),
    ('tier_since, by its last change', coalesce(c.effective_at::text, ''), coalesce(a.tier_since::text, ''))
) as v (what, must, found)
where v.must <> v.found
union all
select
    t.merchant_id, t.customer_id, 'from_tier of revision ' || t.revision, t.tier_before, t.from_tier
from (
    select
        c.merchant_id, c.customer_id, c.revision, c.from_tier,
        lag(c.to_tier, 1, '') over (
            partition by c.merchant_id, c.customer_id order by c.revision
        ) as tier_before
    from unnest(:merchants::text[], :customers::text[]) as k (merchant_id, customer_id)
    join tier_changes as c on c.merchant_id = k.merchant_id and c.customer_id = k.customer_id
) as t
where t.tier_before <> t.from_tier;
