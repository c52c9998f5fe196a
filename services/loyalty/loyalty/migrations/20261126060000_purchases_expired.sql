-- migrate:up

-- What a return takes back is first set against what has expired of the purchase's own lot.
alter table purchases add column expired bigint not null default 0;
alter table purchases add column spared bigint not null default 0;
comment on column purchases.expired is
'Points of its lot that expired in the ledgers of customers merged since; see entries for the rest.';
comment on column purchases.spared is
'Points whose expiry returns have undone, because they took them back.';
comment on column purchases.entry_no is
'The EARN entry and its lot, or the MERGE entry that moved the lot here; 0: nothing earned or moved.';

-- migrate:down

comment on column purchases.entry_no is 'The EARN entry and its lot; 0: nothing was earned.';
alter table purchases drop column spared;
alter table purchases drop column expired;
