-- migrate:up

-- What a purchase counted and earned, and what returns have left of it.
create table purchases (
    merchant_id           text not null,
    customer_id           text not null,
    purchase_id           uuid not null,
    effective_at          timestamptz not null,
    spend                 bigint not null,
    spend_left            bigint not null,
    points                bigint not null,
    line_points           jsonb not null,
    entry_no              bigint not null,
    tier                  text not null,
    multiplier_bp         integer not null,
    program_version       bigint not null,
    constraint purchases_pkey primary key (merchant_id, customer_id, purchase_id),
    constraint purchases_spend_check check (spend_left >= 0 and spend_left <= spend)
) with (fillfactor = 90);
comment on column purchases.spend is 'Net of GOODS and SERVICE lines, minor units.';
comment on column purchases.line_points is 'Points left of each line that earned, by line_id.';
comment on column purchases.entry_no is 'The EARN entry and its lot; 0: nothing was earned.';
create index purchases_time on purchases (merchant_id, customer_id, effective_at);

create table returns (
    merchant_id  text not null,
    customer_id  text not null,
    return_id    uuid not null,
    purchase_id  uuid not null,
    effective_at timestamptz not null,
    taken_back   bigint not null,
    restored     bigint not null,
    constraint returns_pkey primary key (merchant_id, customer_id, return_id)
);

-- migrate:down

drop table returns;
drop table purchases;
