-- name: open_accounts!
-- Open the accounts that are missing, in id order; what is there keeps what it was opened with.
insert into accounts (
    merchant_id, customer_id, currency_code, minor_digits, time_zone, opened_at, swept_on, day_at
)
select distinct on (w.merchant_id, w.customer_id) w.*
from unnest(
    :merchant_ids::text[], :customer_ids::text[], :currency_codes::text[], :minor_digits::integer[],
    :time_zones::text[], :opened_ats::timestamptz[], :swept_ons::date[], :day_ats::timestamptz[]
) as w (merchant_id, customer_id, currency_code, minor_digits, time_zone, opened_at, swept_on, day_at)
order by w.merchant_id, w.customer_id, w.currency_code desc
on conflict do nothing;

-- name: lock_accounts
-- Lock these accounts in id order and wait for each; an alias names its survivor.
select a.merchant_id, a.customer_id, a.merged_into
from accounts as a
join unnest(:merchant_ids::text[], :customer_ids::text[]) as w (merchant_id, customer_id)
    on a.merchant_id = w.merchant_id and a.customer_id = w.customer_id
order by a.merchant_id, a.customer_id
for no key update of a;

-- name: lock_free_accounts
-- Lock those of these accounts that nobody holds, in id order.
select a.merchant_id, a.customer_id, a.merged_into
from accounts as a
join unnest(:merchant_ids::text[], :customer_ids::text[]) as w (merchant_id, customer_id)
    on a.merchant_id = w.merchant_id and a.customer_id = w.customer_id
order by a.merchant_id, a.customer_id
for no key update of a skip locked;

-- name: existing_accounts
-- Which of these accounts there are.
select a.merchant_id, a.customer_id
from accounts as a
join unnest(:merchant_ids::text[], :customer_ids::text[]) as w (merchant_id, customer_id)
    on a.merchant_id = w.merchant_id and a.customer_id = w.customer_id;

-- name: load_accounts
-- The accounts behind these customers, survivors in place of aliases.
select w.merchant_id as asked_merchant, w.customer_id as asked_customer, a.*
from unnest(:merchant_ids::text[], :customer_ids::text[]) as w (merchant_id, customer_id)
join accounts as named on named.merchant_id = w.merchant_id and named.customer_id = w.customer_id
join accounts as a
    on
        a.merchant_id = named.merchant_id
        and a.customer_id = coalesce(named.merged_into, named.customer_id);

-- name: load_lots
-- The lots of these accounts that have points left.
select l.merchant_id, l.customer_id, l.entry_no, l.points, l.points_left, l.expires_on, l.noticed_on
from lots as l
join unnest(:merchant_ids::text[], :customer_ids::text[]) as w (merchant_id, customer_id)
    on l.merchant_id = w.merchant_id and l.customer_id = w.customer_id
where l.points_left > 0;

-- name: load_named_lots
-- Lots by their entries, also empty ones: restored points go back to where they came from.
select l.merchant_id, l.customer_id, l.entry_no, l.points, l.points_left, l.expires_on, l.noticed_on
from lots as l
join unnest(:merchant_ids::text[], :customer_ids::text[], :entry_nos::bigint[])
    as w (merchant_id, customer_id, entry_no)
    on l.merchant_id = w.merchant_id and l.customer_id = w.customer_id and l.entry_no = w.entry_no;

-- name: load_ending_lots
-- The lots of these accounts that have points left and a last day up to the one given.
select l.merchant_id, l.customer_id, l.entry_no, l.points, l.points_left, l.expires_on, l.noticed_on
from lots as l
join unnest(:merchant_ids::text[], :customer_ids::text[], :days::date[])
    as w (merchant_id, customer_id, day)
    on l.merchant_id = w.merchant_id and l.customer_id = w.customer_id
where l.points_left > 0 and l.expires_on <= w.day;

-- name: past_lots
-- Which of these accounts have points left whose last day lies before the local day given.
select distinct l.merchant_id, l.customer_id
from lots as l
join unnest(:merchant_ids::text[], :customer_ids::text[], :days::date[])
    as w (merchant_id, customer_id, day)
    on l.merchant_id = w.merchant_id and l.customer_id = w.customer_id
where l.points_left > 0 and l.expires_on < w.day;

-- name: load_holds
-- What reservations of these accounts hold, in the order in which they were made.
select r.merchant_id, r.customer_id, r.reservation_id, r.points, r.created_at
from reservations as r
join unnest(:merchant_ids::text[], :customer_ids::text[]) as w (merchant_id, customer_id)
    on r.merchant_id = w.merchant_id and r.customer_id = w.customer_id
where r.state = 'HELD'
order by r.created_at, r.reservation_id;

-- name: claim_days
-- Lock accounts whose local day has turned and that nobody holds; read them in a later statement.
select merchant_id, customer_id
from accounts
where merged_into is null and day_at <= :now
order by day_at
limit :limit
for no key update skip locked;

-- name: update_lots!
-- Write what is left of lots, and whether that was told; their account is locked.
update lots as l
set points_left = w.points_left, noticed_on = w.noticed_on
from unnest(
    :merchant_ids::text[], :customer_ids::text[], :entry_nos::bigint[], :lefts::bigint[], :noticed_ons::date[]
) as w (merchant_id, customer_id, entry_no, points_left, noticed_on)
where l.merchant_id = w.merchant_id and l.customer_id = w.customer_id and l.entry_no = w.entry_no;

-- name: write_books!
-- Append to the ledger, keep new lots and write the folds, in one round trip; the accounts are locked.
with appended as (
    insert into entries (
        merchant_id, customer_id, entry_no, kind, points, balance_after, cause, cause_id, line_id,
        purchase_id, program_version, effective_at
    )
    select *
    from unnest(
        :entry_merchants::text[], :entry_customers::text[], :entry_nos::bigint[], :kinds::text[],
        :points::bigint[], :balances::bigint[], :causes::text[], :cause_ids::text[], :line_ids::text[],
        :purchase_ids::text[], :versions::bigint[], :effective_ats::timestamptz[]
    )
),

made as (
    insert into lots (merchant_id, customer_id, entry_no, points, points_left, expires_on, noticed_on)
    select *
    from unnest(
        :lot_merchants::text[], :lot_customers::text[], :lot_nos::bigint[], :lot_points::bigint[],
        :lefts::bigint[], :expiries::date[], :noticed_ons::date[]
    )
)

update accounts as a
set
    currency_code = w.currency_code, minor_digits = w.minor_digits, time_zone = w.time_zone,
    in_lots = w.in_lots, reserved = w.reserved, negative = w.negative, last_entry = w.last_entry,
    tier = w.tier, tier_since = w.tier_since, tier_revision = w.tier_revision, pinned = w.pinned,
    pinned_until = w.pinned_until, last_sale_at = w.last_sale_at, merged_into = w.merged_into,
    erased_at = w.erased_at, swept_on = w.swept_on, day_at = w.day_at
from unnest(
    :merchant_ids::text[], :customer_ids::text[], :currency_codes::text[], :minor_digits::integer[],
    :time_zones::text[], :in_lots::bigint[], :reserveds::bigint[], :negatives::bigint[],
    :last_entries::bigint[], :tiers::text[], :tier_sinces::timestamptz[], :tier_revisions::bigint[],
    :pinneds::boolean[], :pinned_untils::timestamptz[], :last_sale_ats::timestamptz[],
    :merged_intos::text[], :erased_ats::timestamptz[], :swept_ons::date[], :day_ats::timestamptz[]
) as w (
    merchant_id, customer_id, currency_code, minor_digits, time_zone, in_lots, reserved, negative,
    last_entry, tier, tier_since, tier_revision, pinned, pinned_until, last_sale_at, merged_into,
    erased_at, swept_on, day_at
)
where a.merchant_id = w.merchant_id and a.customer_id = w.customer_id;

-- name: account_of^
-- One account as it stands, the survivor of an alias, with its points by their last day, soonest first.
select
    a.*, coalesce(ends.days, '{}') as last_days, coalesce(ends.points, '{}') as points_by_day
from accounts as named
join accounts as a
    on
        a.merchant_id = named.merchant_id
        and a.customer_id = coalesce(named.merged_into, named.customer_id)
left join lateral (
    select
        array_agg(d.expires_on order by d.expires_on) as days,
        array_agg(d.points order by d.expires_on) as points
    from (
        select l.expires_on, sum(l.points_left)::bigint as points
        from lots as l
        where
            l.merchant_id = a.merchant_id and l.customer_id = a.customer_id
            and l.points_left > 0 and l.expires_on is not null
        group by l.expires_on
    ) as d
) as ends on true
where named.merchant_id = :merchant_id and named.customer_id = :customer_id;

-- name: page_of_entries
-- Entries newest first, from a position on.
select *
from entries
where
    merchant_id = :merchant_id and customer_id = :customer_id
    and (effective_at, entry_no) < (:before_at::timestamptz, :before_no::bigint)
order by effective_at desc, entry_no desc
limit :limit;

-- name: entry_sums
-- The ledger folded, by kind.
select kind, count(*) as entries, sum(points)::bigint as points
from entries
where merchant_id = :merchant_id and customer_id = :customer_id
group by kind
order by kind;

-- name: lots_sum^
-- The lots of an account that have points left: how many, and their points.
select count(*) as found, coalesce(sum(points_left), 0)::bigint as points
from lots
where merchant_id = :merchant_id and customer_id = :customer_id and points_left > 0;

-- name: open_lots
-- Lots with points left, soonest expiry first.
select entry_no, points, points_left, expires_on
from lots
where merchant_id = :merchant_id and customer_id = :customer_id and points_left > 0
order by expires_on nulls last, entry_no
limit 200;

-- name: held_reservations
-- Reservations that hold points now.
select reservation_id, points
from reservations
where merchant_id = :merchant_id and customer_id = :customer_id and state = 'HELD'
order by created_at, reservation_id
limit 200;

-- name: held_sum^
-- The reservations that hold points now: how many, and their points.
select count(*) as found, coalesce(sum(points), 0)::bigint as points
from reservations
where merchant_id = :merchant_id and customer_id = :customer_id and state = 'HELD';

-- name: adjustment^
-- An adjustment by its id.
select * from adjustments where merchant_id = :merchant_id and adjustment_id = :adjustment_id;

-- name: entry^
-- One entry.
select * from entries
where merchant_id = :merchant_id and customer_id = :customer_id and entry_no = :entry_no;

-- name: insert_adjustment!
-- Remember an adjustment.
insert into adjustments (
    merchant_id, adjustment_id, customer_id, fingerprint, entry_no, reason, origin
)
values (:merchant_id, :adjustment_id, :customer_id, :fingerprint, :entry_no, :reason, :origin);

-- name: clear_reasons!
-- Empty what staff wrote with adjustments of erased customers.
update adjustments as a set reason = ''
from unnest(:merchant_ids::text[], :customer_ids::text[]) as w (merchant_id, customer_id)
where a.merchant_id = w.merchant_id and a.customer_id = w.customer_id and a.reason <> '';

-- name: aliases
-- Who was merged into these customers.
select a.merchant_id, a.customer_id
from unnest(:merchant_ids::text[], :customer_ids::text[]) as w (merchant_id, customer_id)
join accounts as a on a.merchant_id = w.merchant_id and a.merged_into = w.customer_id;

-- name: move_reservations!
-- A merge: the survivor takes over the reservations.
update reservations set customer_id = :survivor
where merchant_id = :merchant_id and customer_id = :absorbed;

-- name: move_exceptions!
-- A merge: the survivor takes over the exceptions.
update redemption_exceptions set customer_id = :survivor
where merchant_id = :merchant_id and customer_id = :absorbed;

-- name: move_purchases!
-- A merge: the survivor takes over the purchases, each with the lot that its own has become (0: nothing was
-- left of that) and with what had expired of it; after the entries of the merge.
with moved as (
    delete from purchases where merchant_id = :merchant_id and customer_id = :absorbed returning *
)
insert into purchases (
    merchant_id, customer_id, purchase_id, effective_at, spend, spend_left, points, line_points,
    entry_no, tier, multiplier_bp, program_version, expired, spared
)
select
    m.merchant_id, :survivor, m.purchase_id, m.effective_at, m.spend, m.spend_left, m.points, m.line_points,
    coalesce((
        select e.entry_no
        from entries as e
        where
            e.merchant_id = m.merchant_id and e.customer_id = :survivor and e.cause_id = m.customer_id
            and e.line_id = m.entry_no::text and e.kind = 'MERGE' and e.cause = 'MERGE' and e.points > 0
    ), 0),
    m.tier, m.multiplier_bp, m.program_version,
    m.expired + (
        select coalesce(-sum(e.points), 0)
        from entries as e
        where
            e.merchant_id = m.merchant_id and e.customer_id = m.customer_id
            and e.cause_id = m.entry_no::text and e.kind = 'EXPIRE' and e.cause = 'EXPIRY'
    ),
    m.spared
from moved as m;

-- name: move_returns!
-- A merge: the survivor takes over the returns.
with moved as (
    delete from returns where merchant_id = :merchant_id and customer_id = :absorbed returning *
)
insert into returns (
    merchant_id, customer_id, return_id, purchase_id, effective_at, taken_back, restored
)
select merchant_id, :survivor, return_id, purchase_id, effective_at, taken_back, restored
from moved;

-- name: move_redemptions!
-- A merge: the survivor takes over the redemptions; their points came from no lot of the survivor.
with moved as (
    delete from redemptions where merchant_id = :merchant_id and customer_id = :absorbed returning *
)
insert into redemptions (
    merchant_id, customer_id, purchase_id, tender_id, reservation_id, points, points_left, value,
    sources, expires_on, program_version
)
select
    merchant_id, :survivor, purchase_id, tender_id, reservation_id, points, points_left, value,
    jsonb_build_array(jsonb_build_array(0, points_left, null)), expires_on, program_version
from moved;

-- name: move_aliases!
-- A merge: whoever was absorbed by the absorbed is now an alias of the survivor.
update accounts set merged_into = :survivor
where merchant_id = :merchant_id and merged_into = :absorbed;
