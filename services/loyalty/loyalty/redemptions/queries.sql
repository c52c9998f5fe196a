-- name: reservations_of
-- Reservations by id; the accounts of their customers are locked.
select r.*
from reservations as r
join unnest(:merchant_ids::text[], :reservation_ids::uuid[]) as w (merchant_id, reservation_id)
    on r.merchant_id = w.merchant_id and r.reservation_id = w.reservation_id;

-- name: insert_reservations!
-- Keep new reservations.
insert into reservations (
    merchant_id, reservation_id, customer_id, state, points, value, program_version, decline_reason,
    fingerprint, created_at, expires_at, purchase_id, points_redeemed, origin, recognised_by, release_origin
)
select *
from unnest(
    :merchant_ids::text[], :reservation_ids::uuid[], :customer_ids::text[], :states::text[],
    :points::bigint[], :values::bigint[], :versions::bigint[], :decline_reasons::text[],
    :fingerprints::bytea[], :created_ats::timestamptz[], :expires_ats::timestamptz[],
    :purchase_ids::uuid[], :points_redeemeds::bigint[], :origins::bytea[], :recognised::integer[],
    :release_origins::bytea[]
);

-- name: update_reservations!
-- Write where reservations stand; the accounts of their customers are locked.
update reservations as r
set
    state = w.state, points = w.points, fingerprint = w.fingerprint, purchase_id = w.purchase_id,
    points_redeemed = w.points_redeemed, origin = w.origin, recognised_by = w.recognised_by,
    release_origin = w.release_origin
from unnest(
    :merchant_ids::text[], :reservation_ids::uuid[], :states::text[], :points::bigint[],
    :fingerprints::bytea[], :purchase_ids::uuid[], :points_redeemeds::bigint[], :origins::bytea[],
    :recognised::integer[], :release_origins::bytea[]
) as w (
    merchant_id, reservation_id, state, points, fingerprint, purchase_id, points_redeemed, origin,
    recognised_by, release_origin
)
where r.merchant_id = w.merchant_id and r.reservation_id = w.reservation_id;

-- name: insert_redemptions!
-- Keep what tenders used.
insert into redemptions (
    merchant_id, customer_id, purchase_id, tender_id, reservation_id, points, points_left, value,
    sources, expires_on, program_version
)
select
    w.merchant_id, w.customer_id, w.purchase_id, w.tender_id, w.reservation_id, w.points, w.points_left,
    w.value, w.sources::jsonb, w.expires_on, w.program_version
from unnest(
    :merchant_ids::text[], :customer_ids::text[], :purchase_ids::uuid[], :tender_ids::text[],
    :reservation_ids::uuid[], :points::bigint[], :lefts::bigint[], :values::bigint[], :sources::text[],
    :expiries::date[], :versions::bigint[]
) as w (
    merchant_id, customer_id, purchase_id, tender_id, reservation_id, points, points_left, value,
    sources, expires_on, program_version
);

-- name: redemptions_of
-- What the tenders of these purchases used.
select r.*, r.sources::text as sources_text
from redemptions as r
join unnest(:merchant_ids::text[], :customer_ids::text[], :purchase_ids::uuid[])
    as w (merchant_id, customer_id, purchase_id)
    on
        r.merchant_id = w.merchant_id and r.customer_id = w.customer_id
        and r.purchase_id = w.purchase_id;

-- name: update_redemptions!
-- Write what returns have left of redemptions.
update redemptions as r
set points_left = w.points_left, sources = w.sources::jsonb
from unnest(
    :merchant_ids::text[], :customer_ids::text[], :purchase_ids::uuid[], :tender_ids::text[],
    :lefts::bigint[], :sources::text[]
) as w (merchant_id, customer_id, purchase_id, tender_id, points_left, sources)
where
    r.merchant_id = w.merchant_id and r.customer_id = w.customer_id
    and r.purchase_id = w.purchase_id and r.tender_id = w.tender_id;

-- name: insert_exceptions!
-- List tenders that were booked without leave; an event that comes again lists nothing twice.
insert into redemption_exceptions (
    merchant_id, exception_id, mark, customer_id, purchase_id, tender_id, reservation_id, points, value,
    currency_code, minor_digits, occurred_at
)
select *
from unnest(
    :merchant_ids::text[], :exception_ids::uuid[], :marks::text[], :customer_ids::text[],
    :purchase_ids::uuid[], :tender_ids::text[], :reservation_ids::uuid[], :points::bigint[],
    :values::bigint[], :currency_codes::text[], :minor_digits::integer[], :occurred_ats::timestamptz[]
)
on conflict do nothing;

-- name: open_exceptions
-- How many exceptions are open, by mark; of more than 100,000 the first ones.
select mark, count(*) as many
from (select mark from redemption_exceptions where resolved_at is null limit 100000) as x
group by mark;

-- name: page_of_exceptions
-- Exceptions newest first, from a position on.
select *
from redemption_exceptions
where
    merchant_id = :merchant_id
    and (:customer_id = '' or customer_id = :customer_id)
    and (:include_resolved::boolean or resolution = '')
    and (occurred_at, exception_id) < (:before_at::timestamptz, :before_id::uuid)
order by occurred_at desc, exception_id desc
limit :limit;

-- name: lock_exception^
-- An exception, locked: two resolutions are one after the other.
select * from redemption_exceptions
where merchant_id = :merchant_id and exception_id = :exception_id
for no key update;

-- name: exception_by_request^
-- What a request_id settled.
select exception_id, resolution from redemption_exceptions
where merchant_id = :merchant_id and resolve_request_id = :request_id;

-- name: resolve^
-- Settle an exception.
update redemption_exceptions
set
    resolution = :resolution, resolved_at = :resolved_at, resolve_request_id = :request_id,
    resolve_origin = :origin
where merchant_id = :merchant_id and exception_id = :exception_id
returning *;

-- name: claim_holders
-- Lock accounts that nobody holds and that have a reservation whose time was over by an instant; those of
-- whom an event is parked (under their own id or one that was merged into it) wait for it. Read later.
select a.merchant_id, a.customer_id
from accounts as a
where (a.merchant_id, a.customer_id) in (
    select r.merchant_id, r.customer_id
    from reservations as r
    where
        r.state = 'HELD' and r.expires_at <= :until
        and not exists (
            select 1
            from parked_events as p
            left join accounts as named on named.merchant_id = p.merchant_id and named.customer_id = p.key
            where p.merchant_id = r.merchant_id and coalesce(named.merged_into, p.key) = r.customer_id
        )
    order by r.expires_at
    limit :limit
)
for no key update of a skip locked;

-- name: overdue
-- Reservations of these accounts, which are locked, whose time was over by an instant; none is parked.
select r.*
from reservations as r
join unnest(:merchant_ids::text[], :customer_ids::text[]) as w (merchant_id, customer_id)
    on r.merchant_id = w.merchant_id and r.customer_id = w.customer_id
where
    r.state = 'HELD' and r.expires_at <= :until
    and not exists (
        select 1
        from parked_events as p
        left join accounts as named on named.merchant_id = p.merchant_id and named.customer_id = p.key
        where p.merchant_id = r.merchant_id and coalesce(named.merged_into, p.key) = r.customer_id
    )
order by r.created_at, r.reservation_id;

-- name: unheard$
-- Whether a reservation is over by now of which a sale may still be on its way; nobody waits for the parked.
select exists (
    select 1
    from reservations as r
    where
        r.state = 'HELD' and r.expires_at > :horizon and r.expires_at <= :now
        and not exists (
            select 1
            from parked_events as p
            left join accounts as named on named.merchant_id = p.merchant_id and named.customer_id = p.key
            where p.merchant_id = r.merchant_id and coalesce(named.merged_into, p.key) = r.customer_id
        )
);
