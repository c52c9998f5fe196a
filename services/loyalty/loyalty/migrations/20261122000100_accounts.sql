-- migrate:up

-- One row a customer: the lock that guards all of that customer's points, and the fold of the ledger.
create table accounts (
    merchant_id    text not null,
    customer_id    text not null,
    currency_code  text not null default '',
    minor_digits   integer not null default 0,
    time_zone      text not null default '',
    in_lots        bigint not null default 0,
    reserved       bigint not null default 0,
    negative       bigint not null default 0,
    last_entry     bigint not null default 0,
    tier           text not null default '',
    tier_since     timestamptz,
    tier_revision  bigint not null default 0,
    pinned         boolean not null default false,
    pinned_until   timestamptz,
    last_sale_at   timestamptz,
    merged_into    text,
    erased_at      timestamptz,
    opened_at      timestamptz not null,
    constraint accounts_pkey primary key (merchant_id, customer_id),
    constraint accounts_reserved_check check (reserved >= 0 and reserved <= in_lots),
    -- A negative account has no point that is not reserved: it is repaid before a new lot is made.
    constraint accounts_negative_check check (negative >= 0 and (negative = 0 or in_lots = reserved))
) with (fillfactor = 80);
comment on column accounts.in_lots is 'Points left in all lots, the reserved ones included.';
comment on column accounts.negative is 'Points owed. Balance = in_lots - negative.';
comment on column accounts.merged_into is 'The customer that absorbed this one; never itself an alias.';

-- The ledger: appended to, never changed.
create table entries (
    merchant_id     text not null,
    customer_id     text not null,
    entry_no        bigint not null,
    kind            text not null,
    points          bigint not null,
    balance_after   bigint not null,
    cause           text not null,
    cause_id        text not null,
    line_id         text not null default '',
    purchase_id     text not null default '',
    program_version bigint not null default 0,
    effective_at    timestamptz not null,
    booked_at       timestamptz not null default now(),
    constraint entries_pkey primary key (merchant_id, customer_id, entry_no),
    -- An event that is published again under a fresh id books nothing twice.
    constraint entries_cause_key unique (merchant_id, customer_id, cause_id, line_id, kind, cause),
    constraint entries_kind_check check (
        kind in ('EARN', 'TAKE_BACK', 'REDEEM', 'RESTORE', 'ADJUST', 'EXPIRE', 'MERGE')
    ),
    constraint entries_cause_check check (cause in ('PURCHASE', 'RETURN', 'ADJUSTMENT', 'MERGE')),
    constraint entries_points_check check (points <> 0)
);

-- Points given together; entry_no is the entry that made the lot.
create table lots (
    merchant_id text not null,
    customer_id text not null,
    entry_no    bigint not null,
    points      bigint not null,
    points_left bigint not null,
    expires_on  date,
    constraint lots_pkey primary key (merchant_id, customer_id, entry_no),
    constraint lots_left_check check (points_left >= 0 and points_left <= points)
) with (fillfactor = 80);

create table adjustments (
    merchant_id   text not null,
    adjustment_id uuid not null,
    customer_id   text not null,
    fingerprint   bytea not null,
    entry_no      bigint not null,
    reason        text not null,
    origin        bytea not null,
    constraint adjustments_pkey primary key (merchant_id, adjustment_id)
);
comment on column adjustments.origin is 'A serialized types.v1.Origin; empty: none was given.';

-- migrate:down

drop table adjustments;
drop table lots;
drop table entries;
drop table accounts;
