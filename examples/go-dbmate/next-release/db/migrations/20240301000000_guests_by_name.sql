-- migrate:up transaction:false
CREATE INDEX CONCURRENTLY guests_by_name ON guests (lower(name));

-- migrate:down
DROP INDEX guests_by_name;
