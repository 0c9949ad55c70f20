ALTER TABLE guests ADD COLUMN seat integer UNIQUE;
UPDATE guests SET seat = 10 + n
FROM (SELECT name AS who, row_number() OVER (ORDER BY name) AS n FROM guests) AS numbered
WHERE name = who;
