-- migrate:up
-- The planner shall believe that a customer has some ten rows of a table. Where one customer owns most of it, a
-- sample says that everybody does, and then a page of the audit reads the whole table once a customer. In force
-- from the next ANALYZE on.
ALTER TABLE entries ALTER COLUMN customer_id SET (n_distinct = -0.1);
ALTER TABLE invoices ALTER COLUMN customer_id SET (n_distinct = -0.1);
ALTER TABLE holds ALTER COLUMN customer_id SET (n_distinct = -0.1);
ALTER TABLE payments ALTER COLUMN customer_id SET (n_distinct = -0.1);

-- migrate:down
ALTER TABLE entries ALTER COLUMN customer_id RESET (n_distinct);
ALTER TABLE invoices ALTER COLUMN customer_id RESET (n_distinct);
ALTER TABLE holds ALTER COLUMN customer_id RESET (n_distinct);
ALTER TABLE payments ALTER COLUMN customer_id RESET (n_distinct);
