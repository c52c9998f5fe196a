-- migrate:up

-- Since when a write is half done: each look for it moves touched_at. The default is stored once, no row is
-- rewritten, and a build that does not know the column writes on.
ALTER TABLE pending ADD COLUMN made_at timestamptz NOT NULL DEFAULT now();

-- migrate:down
ALTER TABLE pending DROP COLUMN made_at;
