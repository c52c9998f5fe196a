-- migrate:up

-- Events that are true but not yet in Kafka. Written in the transaction that made them true; the relay
-- reads in id order and deletes what Kafka acknowledged, so that the table is nearly always empty.
create table outbox (
    id          bigint generated always as identity primary key,
    topic       text not null,
    event_id    uuid not null,
    type        text not null,
    merchant_id text not null,
    key         text not null,
    time        timestamptz not null,
    traceparent text not null default '',
    -- Rows live for milliseconds: compressing them would cost more than it saves.
    payload     bytea storage external not null,
    created_at  timestamptz not null default now()
);

-- Every row dies within a second: vacuum by count, not by share of the table, and without pauses.
alter table outbox set (
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = -1,
    autovacuum_analyze_threshold = 50000,
    autovacuum_analyze_scale_factor = 0,
    autovacuum_vacuum_cost_delay = 0
);

-- migrate:down

drop table outbox;
