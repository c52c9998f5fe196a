-- migrate:up

create table reservations (
    merchant_id     text not null,
    reservation_id  uuid not null,
    customer_id     text not null,
    state           text not null,
    points          bigint not null,
    value           bigint not null,
    program_version bigint not null,
    decline_reason  text not null default '',
    fingerprint     bytea,
    created_at      timestamptz not null,
    expires_at      timestamptz,
    purchase_id     uuid,
    points_redeemed bigint not null default 0,
    origin          bytea,
    recognised_by   integer not null default 0,
    release_origin  bytea,
    constraint reservations_pkey primary key (merchant_id, reservation_id),
    constraint reservations_state_check check (
        state in ('HELD', 'DECLINED', 'RELEASED', 'REDEEMED', 'EXPIRED')
    ),
    constraint reservations_decline_check check ((state = 'DECLINED') = (decline_reason <> ''))
) with (fillfactor = 80);
comment on column reservations.fingerprint is 'NULL until a Reserve came: a Release or a sale was first.';
comment on column reservations.origin is 'Of the Reserve, a serialized types.v1.Origin.';
comment on column reservations.recognised_by is 'A types.v1.RecognisedBy.';
comment on column reservations.release_origin is 'Of the Release that gave the points back or came first.';
comment on column reservations.value is 'What the points are worth, minor units of the program''s currency.';
create index reservations_customer on reservations (merchant_id, customer_id);

-- Points used by a tender of a purchase, and from which lots.
create table redemptions (
    merchant_id     text not null,
    customer_id     text not null,
    purchase_id     uuid not null,
    tender_id       text not null,
    reservation_id  uuid not null,
    points          bigint not null,
    points_left     bigint not null,
    value           bigint not null,
    sources         jsonb not null,
    expires_on      date,
    program_version bigint not null,
    constraint redemptions_pkey primary key (merchant_id, customer_id, purchase_id, tender_id),
    constraint redemptions_left_check check (points_left >= 0 and points_left <= points)
);
comment on column redemptions.sources is 'Lots used, in order: [entry_no, points not yet restored, expires_on].';
comment on column redemptions.expires_on is 'Expiry of restored points that had come from no lot.';

create table redemption_exceptions (
    merchant_id        text not null,
    exception_id       uuid not null,
    mark               text not null,
    customer_id        text not null,
    purchase_id        uuid not null,
    tender_id          text not null,
    reservation_id     uuid not null,
    points             bigint not null,
    value              bigint not null,
    currency_code      text not null,
    minor_digits       integer not null,
    occurred_at        timestamptz not null,
    resolution         text not null default '',
    resolved_at        timestamptz,
    resolve_request_id uuid,
    resolve_origin     bytea,
    constraint redemption_exceptions_pkey primary key (merchant_id, exception_id),
    constraint redemption_exceptions_request_key unique (merchant_id, resolve_request_id),
    constraint redemption_exceptions_mark_check check (
        mark in ('OVER_HOLD', 'LATE', 'VOIDED_THEN_SOLD', 'UNAUTHORISED')
    )
);
create index redemption_exceptions_time
on redemption_exceptions (merchant_id, occurred_at desc, exception_id desc);

-- migrate:down

drop table redemption_exceptions;
drop table redemptions;
drop table reservations;
