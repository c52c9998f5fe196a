-- migrate:up transaction:false

-- Who was absorbed by whom: a merge follows aliases, the audit finds what is still in their ledgers.
-- squawk-ignore ban-concurrent-index-creation-in-transaction
create index concurrently if not exists accounts_merged on accounts (merchant_id, merged_into)
where merged_into is not null;

-- migrate:down transaction:false

drop index concurrently if exists accounts_merged;
