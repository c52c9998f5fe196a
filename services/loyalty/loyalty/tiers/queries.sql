-- name: append_changes!
-- Keep changes of tier.
insert into tier_changes (
    merchant_id, customer_id, revision, from_tier, to_tier, cause, cause_id, effective_at
)
select *
from unnest(
    :merchant_ids::text[], :customer_ids::text[], :revisions::bigint[], :from_tiers::text[],
    :to_tiers::text[], :causes::text[], :cause_ids::text[], :effective_ats::timestamptz[]
);

-- name: changes_of
-- The changes of these customers: a sale that comes late needs the tier of its time.
select c.*
from tier_changes as c
join unnest(:merchant_ids::text[], :customer_ids::text[]) as w (merchant_id, customer_id)
    on c.merchant_id = w.merchant_id and c.customer_id = w.customer_id
order by c.merchant_id, c.customer_id, c.revision;

-- name: facts
-- What counts in each window (after since, up to until): spend and purchases not wholly returned.
select
    w.place, coalesce(sum(p.spend_left), 0)::bigint as spend,
    count(p.purchase_id) filter (where p.spend_left > 0) as visits
from unnest(
    :merchant_ids::text[], :customer_ids::text[], :sinces::timestamptz[], :untils::timestamptz[]
) with ordinality as w (merchant_id, customer_id, since, until, place)
left join purchases as p
    on
        p.merchant_id = w.merchant_id and p.customer_id = w.customer_id
        and p.effective_at > w.since and p.effective_at <= w.until
group by w.place
order by w.place;

-- name: pin^
-- What a request_id pinned.
select * from tier_pins where merchant_id = :merchant_id and request_id = :request_id;

-- name: insert_pin!
-- Remember a pin.
insert into tier_pins (
    merchant_id, request_id, customer_id, fingerprint, tier, until, reason, origin, set_at
)
values (
    :merchant_id, :request_id, :customer_id, :fingerprint, :tier, :until, :reason, :origin, :set_at
);

-- name: clear_reasons!
-- Empty what staff wrote with pins of erased customers.
update tier_pins as p set reason = ''
from unnest(:merchant_ids::text[], :customer_ids::text[]) as w (merchant_id, customer_id)
where p.merchant_id = w.merchant_id and p.customer_id = w.customer_id and p.reason <> '';
