-- migrate:up

-- Which events this database has taken in, by the day of the Kafka record (UTC). Partitions are made a
-- week ahead and dropped after 45 days by kit.events.inbox; the default one catches what has none.
create table inbox (
    day      date not null,
    event_id uuid not null,
    primary key (day, event_id)
) partition by range (day);

create table inbox_default partition of inbox default;

-- migrate:down

drop table inbox;
