-- migrate:up

-- The newest version of each merchant's program: the row that SetProgram locks.
create table program_heads (
    merchant_id text not null,
    version     bigint not null,
    constraint program_heads_pkey primary key (merchant_id)
);

-- Immutable versions.
create table programs (
    merchant_id    text not null,
    version        bigint not null,
    request_id     uuid not null,
    fingerprint    bytea not null,
    effective_from timestamptz not null,
    set_at         timestamptz not null,
    content        jsonb not null,
    constraint programs_pkey primary key (merchant_id, version),
    constraint programs_request_key unique (merchant_id, request_id)
);
comment on column programs.content is 'The Program message as ProtoJSON.';

-- migrate:down

drop table programs;
drop table program_heads;
