-- migrate:up

-- The last run of each audit, and when it last found nothing; times are the wall's.
create table audits (
    name        text primary key,
    started_at  timestamptz not null,
    finished_at timestamptz not null,
    looked_at   bigint not null,
    differences bigint not null,
    passed_at   timestamptz
);

-- migrate:down

drop table audits;
