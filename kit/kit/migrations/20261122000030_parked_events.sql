-- migrate:up

-- Events that could not be applied, and those of the same customer that came behind them.
create table parked_events (
    merchant_id   text not null,
    key           text not null,
    id            bigint generated always as identity,
    topic         text not null,
    partition     integer not null,
    record_offset bigint not null,
    record_time   timestamptz not null,
    event_id      uuid not null,
    type          text not null,
    time          timestamptz not null,
    traceparent   text not null default '',
    payload       bytea not null,
    -- POISONED: failed, waits for staff. NOT_YET: names something not known yet, tried again by itself.
    -- BEHIND: nothing wrong with it, waits for one before it.
    status        text not null check (status in ('POISONED', 'NOT_YET', 'BEHIND')),
    error_type    text not null default '',
    error         text not null default '',
    attempts      integer not null default 0,
    retry_at      timestamptz not null default now(),
    parked_at     timestamptz not null default now(),
    primary key (merchant_id, key, id)
);

create index parked_events_not_yet on parked_events (retry_at) where status = 'NOT_YET';

-- migrate:down

drop table parked_events;
