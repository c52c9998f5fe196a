-- migrate:up

-- The daily sweep. swept_on: the last local day that was looked at; NULL: none yet.
alter table accounts add column swept_on date;
alter table accounts add column day_at timestamptz not null default '-infinity';
comment on column accounts.day_at is 'When the local day after swept_on begins: the next that is due.';

alter table lots add column noticed_on date;
comment on column lots.noticed_on is 'The local day whose sweep told that these points will expire.';

-- A lot expires once a day at most: what was reserved on its last day expires when it is free.
-- Another takes its place at once, which allows all that this one did.
-- squawk-ignore ban-drop-constraint
alter table entries drop constraint entries_cause_check;
alter table entries add constraint entries_cause_check check (
    cause in ('PURCHASE', 'RETURN', 'ADJUSTMENT', 'MERGE', 'EXPIRY')
) not valid;

-- migrate:down

-- Another takes its place at once, which allows all that this one did.
-- squawk-ignore ban-drop-constraint
alter table entries drop constraint entries_cause_check;
alter table entries add constraint entries_cause_check check (
    cause in ('PURCHASE', 'RETURN', 'ADJUSTMENT', 'MERGE')
) not valid;
alter table lots drop column noticed_on;
alter table accounts drop column day_at;
alter table accounts drop column swept_on;
