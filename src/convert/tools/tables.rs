//! Known programs, as data. A row is a line: a program and the words that have to follow it, in
//! this order but not at once; `|` separates alternatives. Folders, interpreters, runners (`npx`,
//! `bundle exec`) and what changes the user are looked through before a row is compared.

/// Commands that migrate a database.
pub(super) const MIGRATIONS: &str = "\
prisma migrate deploy|dev|reset
prisma db push
knex migrate:latest|migrate:up
sequelize|sequelize-cli db:migrate
typeorm|typeorm-ts-node-commonjs|typeorm-ts-node-esm migration:run
drizzle-kit migrate|push
mikro-orm migration:up|schema:update
node-pg-migrate|db-migrate|migrate-mongo|postgrator|kysely up|latest|migrate
graphile-migrate migrate|reset
medusa migrations run
medusa db:migrate
payload migrate
directus database migrate:latest
directus bootstrap
zenstack migrate deploy
rails|rake db:migrate|db:prepare|db:setup|db:schema:load|db:structure:load|db:migrate:with_data|data:migrate
hanami db migrate|prepare
sequel -m
artisan migrate|migrate:fresh|migrate:refresh|tenants:migrate
console doctrine:migrations:migrate|doctrine:schema:update|d:m:m
doctrine-migrations|doctrine migrate|migrations:migrate
phinx migrate
cake migrations migrate
yii migrate|migrate/up
spark migrate
drush updatedb|updb|deploy
wp core update-db
occ upgrade
magento setup:upgrade
manage.py|django-admin migrate|migrate_schemas
alembic upgrade
flask|superset db upgrade
airflow db upgrade|migrate|init
aerich upgrade
yoyo apply
piccolo migrations forwards
goose up|up-by-one|up-to
dbmate up|migrate
migrate up|goto
atlas migrate|schema apply
sql-migrate up
tern|soda|buffalo|sea-orm-cli|refinery migrate
sqlx migrate run
sqlx database setup
diesel migration run
diesel setup
flyway migrate
liquibase update|update-to-tag|release-locks|releaseLocks
sqitch deploy
skeema push
pgroll start|migrate
hasura migrate apply
supabase db push
mix ecto.migrate|ecto.setup|ash.migrate|ash_postgres.migrate
dotnet ef database update
dotnet-ef database update
efbundle
grate
java db migrate
mvn flyway:migrate|liquibase:update|liquibase:releaseLocks
gradle|gradlew flywayMigrate";

/// Tools that keep their lock as a row, which stays behind when they are killed: the words in front of
/// `=` migrate, those behind it remove the row.
pub(super) const STALE_LOCKS: &str = "\
liquibase update|update-to-tag=liquibase release-locks|releaseLocks
knex migrate:latest|migrate:up=knex migrate:unlock";

/// Commands that take the schema back or away. Where launchgate ran one at every start, no migration
/// would follow it: that runs once per release.
pub(super) const UNDOING: &str = "\
knex migrate:rollback|migrate:down
sequelize|sequelize-cli db:migrate:undo|db:migrate:undo:all|db:drop
typeorm|typeorm-ts-node-commonjs|typeorm-ts-node-esm migration:revert|schema:drop
mikro-orm migration:down|schema:drop
node-pg-migrate|db-migrate|migrate-mongo|kysely down|reset
rails|rake db:drop|db:drop:_unsafe|db:reset|db:rollback|db:migrate:down|db:truncate_all|db:purge
artisan db:wipe|migrate:reset|migrate:rollback
console doctrine:schema:drop|doctrine:database:drop
phinx|yoyo rollback
cake migrations rollback
yii migrate/down|migrate/to
spark migrate:rollback
manage.py|django-admin flush|reset_db
alembic|aerich downgrade
flask|superset|airflow db downgrade|reset
goose|dbmate|migrate|sql-migrate|soda|sea-orm-cli down|down-to|redo|reset|drop|rollback|fresh|refresh
atlas schema clean
atlas migrate down
sqlx database drop|reset
sqlx migrate revert
diesel database reset
diesel migration revert|redo
flyway clean|undo
liquibase rollback|rollback-count|rollbackCount|rollback-to-date|drop-all|dropAll
sqitch|pgroll revert|rollback
mix ecto.drop|ecto.reset|ecto.rollback|ash.reset|ash.rollback
dropdb";

/// The same as words of a task's name, beside one that names the database (`npm run db:reset`).
pub(super) const UNDOING_TASKS: &str =
    "down rollback revert undo drop reset wipe downgrade truncate";

/// Programs that are given SQL.
pub(super) const SQL_CLIENTS: &str = "psql mysql mariadb sqlite3";

/// What takes a schema away there.
pub(super) const UNDOING_SQL: &str = "\
drop schema
drop database
drop table
drop owned
truncate ";

/// Programs that start another one or a shell with a text, besides those of [`KEPT`].
pub(super) const STARTERS: &str = "su runuser sg script xargs watch parallel concurrently ssh";

/// Flags that make a migration tool read-only.
pub(super) const LOOKING_FLAGS: &str = "check plan dry help version list status pretend";

/// Task names that mention migrating but only inspect, generate files or roll back.
pub(super) const NO_MIGRATION: &str = "\
status create new generate gen make add list show check diff down rollback revert undo resolve
validate info history current version wait abort pending lint squash pull help plan dry verify
baseline hash format";

/// Programs that migrate nothing, whatever their arguments are called.
pub(super) const FILE_TOOLS: &str = "\
cp mv ln rm mkdir rmdir touch chown chmod chgrp ls cat head tail tee find tar gzip unzip rsync sed
awk grep echo printf curl wget aws gsutil git tsc envsubst test [ stat install diff which docker
kubectl sleep";

/// Commands that only put data into a database.
pub(super) const SEEDS: &str = "\
manage.py|django-admin loaddata|createsuperuser|createcachetable
superset|airflow init|users|fab
console doctrine:fixtures:load
flyway repair
alembic stamp
prisma migrate resolve";

/// Servers, and other programs that run until they are stopped.
pub(super) const SERVERS: &str = "\
gunicorn|uvicorn|hypercorn|daphne|granian|uwsgi|waitress-serve|http.server
puma|unicorn|pitchfork|falcon|thin|thrust|rackup|sidekiq
nginx|httpd|apache2|apachectl|apache2ctl|apache2-foreground|traefik|haproxy|memcached|redis-server
postgres|mysqld|php-fpm|frankenphp|supervisord|s6-svscan|runsvdir|cron|crond|supercronic|sshd
dramatiq|pm2-runtime|nodemon|http-server|vite|remix-serve
caddy run|start|file-server
rr serve
celery worker|beat|flower
rq worker
catalina.sh run|start
serve -s
next|nuxt|nest|fastify start|dev
strapi start|develop
rails server|s|jobs:work|solid_queue:start
rake jobs:work|solid_queue:start
artisan serve|octane:start|queue:work|queue:listen|horizon|schedule:work|reverb:start
manage.py|django-admin runserver|qcluster|rqworker|run_huey
flask|streamlit run
fastapi run|dev
mix phx.server
symfony server:start|serve
console messenger:consume
npm|yarn|pnpm|bun start|serve|start:prod|start:dev|dev";

/// Commands that start a daemon and return.
pub(super) const DAEMONS: &str = "\
pm2 start|restart|reload|resurrect
service|systemctl|rc-service|supervisorctl start|restart
start-stop-daemon
nohup
setsid
daemonize
forever start
dockerd
rsyslogd
syslogd
varnishd
tailscaled
consul agent
ssh-agent";

/// Servers that SIGTERM does not end where they are PID 1, since they install no handler for it.
/// Node, Deno and Bun install none (nodejs/node-v0.x-archive#9131, oven-sh/bun#38843; Deno's own
/// image starts with tini), Python and PHP's built-in server one for SIGINT alone
/// (pallets/werkzeug#58, `php_cli_server.c`), shells and Perl none.
pub(super) const WITHOUT_TERM_HANDLER: &str = "\
node|nodejs|deno|bun|bunx|npm|npx|yarn|pnpm|tsx|ts-node|nodemon|next|nuxt|nest|vite
http-server|remix-serve|npm-run-all|run-s|run-p|concurrently|python|sh|bash|ash|dash|perl
flask run
php -S
artisan serve";

/// Programs that handle SIGTERM although they are run by one of the above.
pub(super) const WITH_TERM_HANDLER: &str = "\
gunicorn|uvicorn|hypercorn|daphne|granian|celery|waitress-serve|waitress|uwsgi|pm2-runtime
manage.py runserver";

/// Programs whose exit status is an answer and no failure.
pub(super) const QUESTIONS: &str = "\
[|test|grep|egrep|fgrep|pgrep|pidof|getent|id|diff|cmp|mountpoint|which|type|hash|false
command -v|-V
nginx -t";

/// Wrappers that keep running as the parent of another program. A row is the name, how many words
/// stand in front of the other program, and its flags that take a word of their own; `a/b` is `a
/// b`.
pub(super) const KEPT: &str = "\
setpriv 0 --reuid --regid --ruid --euid --rgid --egid --groups --inh-caps --ambient-caps --bounding-set --securebits --pdeathsig
s6-setuidgid 1
setuidgid 1
gosu 1
su-exec 1
chpst 0 -u -U -b -e -/ -n -l -L -m -d -o -p -f -c -t
runuser 0 -u -g -G
sudo 0 -u -g
env 0 -u -C -S
cross-env 0
flock 1 -w --wait -E --conflict-exit-code
nice 0 -n
ionice 0 -c -n
stdbuf 0 -i -o -e
time 0 -f -o
timeout 1 -s -k
numactl 0
bundle/exec 0
poetry/run 0
pipenv/run 0
pdm/run 0
uv/run 0 --env-file --with --extra --group -p --python
rye/run 0
uvx 0 --from --with -p --python
pipx/run 0 --spec
corepack 0
mise/exec 0
with-contenv 0
npx 0 -p --package
bunx 0
npm/exec 0
pnpm/exec 0
pnpm/dlx 0
yarn/exec 0
composer/exec 0
doppler/run 0 -p -c --project --config
infisical/run 0 --env --path --projectId
op/run 0 --env-file
chamber/exec 1
dotenv 0 -e -f -c
dotenvx/run 0 -f -e
ddtrace-run 0
opentelemetry-instrument 0
newrelic-admin/run-program 0
docker-php-entrypoint 0";

/// Programs that run the script they are given, and their flags that take a word of their own.
pub(super) const INTERPRETERS: &str = "\
node -r --require --import --loader --experimental-loader --env-file -C
nodejs -r --require --import
ts-node -r -P
python -W -X
php -d -c
ruby -r -I
perl -I
java -cp -classpath
sh -o
bash -o
bun
deno
tsx
dotnet
elixir
ash
dash
go";

/// Programs that run a task of the project by its name.
pub(super) const RUNNERS: &str = "\
npm yarn pnpm bun deno make just task composer rake rails mix poe invoke inv nx turbo lerna npm-run-all
run-s run-p";

/// Their flags that take a word of their own.
pub(super) const RUNNER_FLAGS: &str = "--filter -F --prefix --workspace --cwd --dir -C";

/// Programs that run several tasks, one behind the other.
pub(super) const TASK_LISTS: &str = "rake rails make mvn gradle gradlew npm-run-all run-s run-p";

/// Parts of the names of tasks that only change the database.
pub(super) const DATABASE_TASKS: &str = "db data migrat seed schema flyway liquibase";

/// What ends by itself, though it may be a script's last command.
pub(super) const NO_SERVERS: &str = "\
echo printf true : cp mv ln rm mkdir rmdir touch chown chmod ls test [ sleep tail cat";
