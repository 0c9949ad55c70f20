-- migrate:up
CREATE TABLE guests (id serial PRIMARY KEY, name text NOT NULL);
INSERT INTO guests (name) VALUES ('Ada'), ('Grace');

-- migrate:down
DROP TABLE guests;
