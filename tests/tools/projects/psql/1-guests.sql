CREATE TABLE IF NOT EXISTS guests (id serial PRIMARY KEY, name text NOT NULL);
INSERT INTO guests (name) SELECT unnest(ARRAY['Ada', 'Grace']) WHERE NOT EXISTS (SELECT FROM guests);
