-- migrate:up

-- How far each partition has told: all that became true at its publisher before `until` has been applied
-- here, or is parked. Written in the transaction that applies what came before it. `topic` is the
-- publisher's name, without prefix; `until` is business time and never goes back.
create table heard (
    topic      text not null,
    partition  integer not null,
    partitions integer not null,
    until      timestamptz not null,
    primary key (topic, partition)
) with (fillfactor = 50);

-- migrate:down

drop table heard;
