-- migrate:up
ALTER TABLE guests ADD seat integer;
UPDATE guests SET seat = id + 10;

-- migrate:down
ALTER TABLE guests DROP seat;
