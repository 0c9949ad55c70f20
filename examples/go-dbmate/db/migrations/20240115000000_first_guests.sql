-- migrate:up
INSERT INTO guests (name) VALUES ('Ada Lovelace'), ('Grace Hopper');

-- migrate:down
DELETE FROM guests WHERE name IN ('Ada Lovelace', 'Grace Hopper');
