ALTER TABLE guests ADD IF NOT EXISTS seat integer;
UPDATE guests SET seat = id + 10;
