-- migrate:up
INSERT INTO guests (name) SELECT 'Guest ' || nextval('executions');
SELECT pg_sleep(2);

-- migrate:down
