-- migrate:up transaction:false

-- The few that hold points; a reservation leaves it with its one change of state.
-- squawk-ignore ban-concurrent-index-creation-in-transaction
create index concurrently if not exists reservations_due on reservations (expires_at) where state = 'HELD';

-- migrate:down transaction:false

drop index concurrently if exists reservations_due;
