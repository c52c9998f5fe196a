-- migrate:up

-- Each change of a customer's tier: which one was in force when a late sale happened.
create table tier_changes (
    merchant_id  text not null,
    customer_id  text not null,
    revision     bigint not null,
    from_tier    text not null,
    to_tier      text not null,
    cause        text not null,
    cause_id     text not null,
    effective_at timestamptz not null,
    constraint tier_changes_pkey primary key (merchant_id, customer_id, revision),
    constraint tier_changes_cause_check check (cause in ('PLUGIN', 'PINNED'))
);

-- What staff decided, and its idempotency.
create table tier_pins (
    merchant_id text not null,
    request_id  uuid not null,
    customer_id text not null,
    fingerprint bytea not null,
    tier        text not null,
    until       timestamptz,
    reason      text not null,
    origin      bytea not null,
    set_at      timestamptz not null,
    constraint tier_pins_pkey primary key (merchant_id, request_id)
);
comment on column tier_pins.origin is 'A serialized types.v1.Origin; empty: none was given.';

-- migrate:down

drop table tier_pins;
drop table tier_changes;
