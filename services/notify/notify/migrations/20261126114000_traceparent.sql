-- migrate:up
-- The trace that led to a message, so that its sending goes on in it; W3C's form.
ALTER TABLE messages ADD COLUMN traceparent text NOT NULL DEFAULT '';

-- migrate:down
ALTER TABLE messages DROP COLUMN traceparent;
