-- migrate:up
CREATE TABLE guests (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);

-- migrate:down
DROP TABLE guests;
