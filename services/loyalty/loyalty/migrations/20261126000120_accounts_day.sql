-- migrate:up transaction:false

-- Changes once a day, so all else that happens to an account stays a HOT update.
-- squawk-ignore ban-concurrent-index-creation-in-transaction
create index concurrently if not exists accounts_day on accounts (day_at) where merged_into is null;

-- migrate:down transaction:false

drop index concurrently if exists accounts_day;
