-- squawk-ignore-file require-concurrent-index-creation, require-concurrent-index-deletion
-- migrate:up

-- How many are open is asked every half minute; few are, of all that there ever were. Not concurrently: that
-- waits for every open transaction, and so for each other migrator that waits for this one's lock.
create index redemption_exceptions_open on redemption_exceptions (mark) where resolved_at is null;

-- migrate:down
drop index redemption_exceptions_open;
