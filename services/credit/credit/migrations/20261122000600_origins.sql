-- migrate:up

-- The whole Origin of a request, serialised, mode and the till's clock included; the columns beside it are
-- for queries. closed_origin: of the Capture or Void that ended a hold; null where a sale did.
ALTER TABLE holds ADD COLUMN origin bytea;
ALTER TABLE holds ADD COLUMN closed_origin bytea;
ALTER TABLE payments ADD COLUMN origin bytea;

-- migrate:down
ALTER TABLE payments DROP COLUMN origin;
ALTER TABLE holds DROP COLUMN closed_origin;
ALTER TABLE holds DROP COLUMN origin;
