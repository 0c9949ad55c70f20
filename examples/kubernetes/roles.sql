-- Two roles. An administrator creates them once, after `launchgate print-ddl --database postgres | psql`.
CREATE ROLE migrator LOGIN PASSWORD 'change-me';
CREATE ROLE web LOGIN PASSWORD 'change-me';

-- The migration creates and changes tables; the server uses them.
GRANT USAGE, CREATE ON SCHEMA public TO migrator;
GRANT USAGE ON SCHEMA public TO web;
ALTER DEFAULT PRIVILEGES FOR ROLE migrator IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO web;
ALTER DEFAULT PRIVILEGES FOR ROLE migrator IN SCHEMA public
    GRANT USAGE ON SEQUENCES TO web;

-- Neither role owns the ledger, so neither can drop it. Only the migration writes it.
GRANT USAGE ON SCHEMA launchgate TO migrator, web;
GRANT SELECT, INSERT, UPDATE ON launchgate.launchgate_runs TO migrator;
GRANT SELECT ON launchgate.launchgate_runs TO web; -- for `launchgate wait`
