-- name: insert_outbox!
-- Write events in the order given; the identity follows it because the source is sorted.
insert into outbox (topic, event_id, type, merchant_id, key, time, traceparent, payload)
select :topic, e.event_id, e.type, e.merchant_id, e.key, e.time, e.traceparent, e.payload
from unnest(
    :event_ids::uuid[], :types::text[], :merchant_ids::text[], :keys::text[], :times::timestamptz[],
    :traceparents::text[], :payloads::bytea[]
) with ordinality as e (event_id, type, merchant_id, key, time, traceparent, payload, position)
order by e.position;

-- name: outbox_backlog^
-- How many events wait (counted up to a limit) and for how many seconds the oldest has.
select
    (select count(*) from (select 1 from outbox limit :limit::integer) as counted) as depth,
    coalesce(
        (select extract(epoch from clock_timestamp() - created_at) from outbox order by id limit 1), 0
    )::float8 as age;

-- name: lead_slice$
-- Become the only relay of a slice until this session ends. Tried again and again, never waited for:
-- a waiting statement keeps a snapshot open, and vacuum could not clean the outbox.
select pg_try_advisory_lock(:namespace::integer, :slice::integer);

-- name: read_outbox
-- The oldest events of a slice, in id order, up to a count and (but for the first) a size in bytes.
select id, topic, event_id, type, merchant_id, key, time, traceparent, payload
from (
    select o.*, sum(octet_length(payload)) over (order by id) - octet_length(payload) as bytes_before
    from outbox as o
    where :slices::integer = 1
        or abs(hashtext(merchant_id || '/' || key)::bigint) % :slices::integer = :slice::integer
    order by id
    limit :max_rows
) as page
where bytes_before < :max_bytes
order by id;

-- name: fresh_xid$
-- A transaction id higher than that of all that have begun to write. A snapshot's own end would not do: it
-- only lies behind the last one that has ended.
select pg_current_xact_id()::text::bigint;

-- name: outbox_horizon^
-- The oldest transaction still writing, and where the outbox begins and ends, all of one snapshot.
select
    pg_snapshot_xmin(pg_current_snapshot())::text::bigint as oldest_xid,
    (select coalesce(min(id), 9223372036854775807) from outbox) as lowest,
    (select coalesce(max(id), 0) from outbox) as highest;

-- name: delete_outbox!
-- Forget what Kafka acknowledged.
delete from outbox where id = any(:ids::bigint[]);

-- name: take_in
-- Note events as taken in, in one order everywhere; returns those that were not yet.
insert into inbox (day, event_id)
select e.day, e.event_id
from unnest(:days::date[], :event_ids::uuid[]) as e (day, event_id)
order by e.day, e.event_id
on conflict do nothing
returning event_id;

-- name: inbox_partitions
-- The names of the inbox's partitions, the default one included.
select c.relname as name
from pg_inherits as i
join pg_class as c on c.oid = i.inhrelid
where i.inhparent = 'inbox'::regclass;

-- name: inbox_default_days
-- Days whose rows lie in the default partition already.
select distinct day from inbox_default where day >= :since;

-- name: trim_inbox_default!
-- Forget what is too old in the default partition.
delete from inbox_default where day < :before;

-- name: blocked_customers
-- Lock and return the parked rows of these customers: a replay holds them while it applies them.
select p.merchant_id, p.key, p.topic, p.status
from parked_events as p
where (p.merchant_id, p.key) in (
    select * from unnest(:merchant_ids::text[], :keys::text[])
)
order by p.merchant_id, p.key, p.id
for no key update of p;

-- name: park!
-- Put events aside, in the order given.
insert into parked_events (
    merchant_id, key, topic, partition, record_offset, record_time, event_id, type, time, traceparent,
    payload, status, error_type, error, attempts, retry_at
)
select
    e.merchant_id, e.key, e.topic, e.partition, e.record_offset, e.record_time, e.event_id, e.type, e.time,
    e.traceparent, e.payload, e.status, e.error_type, e.error,
    case when e.status = 'BEHIND' then 0 else 1 end, now() + interval '1 second'
from unnest(
    :merchant_ids::text[], :keys::text[], :topics::text[], :partitions::integer[], :offsets::bigint[],
    :record_times::timestamptz[], :event_ids::uuid[], :types::text[], :times::timestamptz[],
    :traceparents::text[], :payloads::bytea[], :statuses::text[], :error_types::text[], :errors::text[]
) with ordinality as e (
    merchant_id, key, topic, partition, record_offset, record_time, event_id, type, time, traceparent,
    payload, status, error_type, error, position
)
order by e.position;

-- name: parked_of
-- All that is parked of a customer, oldest first.
select
    id, merchant_id, key, topic, partition, record_offset, record_time, event_id, type, time, traceparent,
    payload, status, error_type, error, attempts, parked_at
from parked_events
where merchant_id = :merchant_id and key = :key
order by id;

-- name: lock_parked!
-- Hold a customer's parked rows, so that the consumer waits before it parks behind them.
select 1 from parked_events where merchant_id = :merchant_id and key = :key order by id for update;

-- name: unpark!
-- Forget parked events that have been applied.
delete from parked_events where merchant_id = :merchant_id and key = :key and id = any(:ids::bigint[]);

-- name: park_again!
-- Note why a parked event failed again; tried next after 1, 2, 4, … seconds, 5 minutes at most.
update parked_events
set
    status = :status, error_type = :error_type, error = :error, attempts = attempts + 1,
    retry_at = now() + least(interval '5 minutes', interval '1 second' * (2 ^ least(attempts, 10)))
where merchant_id = :merchant_id and key = :key and id = :id;

-- name: parked_heads
-- What is parked, oldest first.
select
    id, merchant_id, key, topic, record_time, event_id, type, status, error_type, error, attempts, parked_at
from parked_events
order by merchant_id, key, id
limit :limit;

-- name: parked_customers
-- Who has something parked.
select merchant_id, key from parked_events group by merchant_id, key order by min(id) limit :limit;

-- name: due_not_yet
-- Customers with an event that may be known by now.
select merchant_id, key
from parked_events
where status = 'NOT_YET' and retry_at <= now()
group by merchant_id, key
order by min(retry_at)
limit :limit;

-- name: parked_counts
-- How many events are parked, and of how many customers, by status.
select status, count(*) as events, count(distinct (merchant_id, key)) as customers
from parked_events
group by status;

-- name: not_yet_hoped_for$
-- Whether a NOT_YET event has been tried only a few times, so that it may still come right by itself.
select exists (select 1 from parked_events where status = 'NOT_YET' and attempts < :attempts);

-- name: hear!
-- Note how far partitions have told, in one order everywhere; what is heard again moves nothing back.
insert into heard as h (topic, partition, partitions, until)
select e.topic, e.partition, e.partitions, e.until
from unnest(
    :topics::text[], :numbers::integer[], :partitions::integer[], :untils::timestamptz[]
) as e (topic, partition, partitions, until)
order by e.topic, e.partition
on conflict (topic, partition) do update
set partitions = greatest(h.partitions, excluded.partitions), until = greatest(h.until, excluded.until)
where h.until < excluded.until or h.partitions < excluded.partitions;

-- name: horizon$
-- The least that all partitions of a topic have told; null while one has told nothing.
select case when count(*) = max(partitions) then min(until) end from heard where topic = :topic;
