use super::*;

fn words(text: &str) -> Vec<Word> {
    text.split(' ').map(Word::literal).collect()
}

#[test]
fn a_migration_is_known_by_its_words() {
    for text in [
        "npx prisma migrate deploy --schema db/new.prisma",
        "node_modules/.bin/knex migrate:latest --env check",
        "npm run db:migrate",
        "yarn migrate:up",
        "yarn typeorm migration:run",
        "pnpm run prisma migrate deploy",
        "node dist/runMigrations.js",
        "node migrate/migration-code.js",
        "node dist/migrations/index.js",
        "bundle exec rake db:migrate db:seed",
        "php -d memory_limit=-1 artisan migrate",
        "python3.12 -m alembic -c alembic.ini upgrade head",
        "/app/bin/api eval App.Release.migrate",
        "dotnet exec Shop.Migrations.dll",
        "./server migrate",
        "env A=1 timeout 60 sequelize-cli db:migrate",
        "sh ./migrate.sh",
        "npx --yes prisma@6 db push",
        "cross-env NODE_ENV=production npx knex migrate:latest",
        "flock /tmp/lock npx prisma migrate deploy",
        "uvx alembic upgrade head",
        "setpriv --reuid 1000 --clear-groups ./migrate",
    ] {
        assert!(is_migration(&words(text)), "{text}");
    }
    for text in [
        "npx prisma migrate status",
        "yarn prisma migrate status",
        "npx prisma generate",
        "python manage.py makemigrations",
        "python manage.py showmigrations",
        "python manage.py migrate --plan",
        "bin/rails db:migrate:status",
        "alembic current",
        "cp migrations/a b",
        "chown app /migrations",
        "psql -f migrations/1.sql",
        "./wait-for-migrations.sh",
        "./server --config migrations.yml",
        "node dist/server.js --skip-migrate",
        "npm run migration:create",
        "npx knex migrate:rollback",
        "echo migrate",
    ] {
        assert!(!is_migration(&words(text)), "{text}");
    }
}

#[test]
fn what_takes_the_schema_back_is_known_by_its_words() {
    for text in [
        "npx knex migrate:rollback --all",
        "yarn typeorm schema:drop",
        "bundle exec rails db:drop db:create",
        "php artisan db:wipe --force",
        "python manage.py flush --noinput",
        "alembic downgrade -1",
        "migrate -path m -database x down",
        "flyway clean",
        "dropdb shop",
        "npm run db:reset",
        "make migrate-down",
    ] {
        assert!(undoes(&words(text)), "{text}");
    }
    let sql = [
        "psql",
        "-c",
        "DROP SCHEMA public CASCADE; CREATE SCHEMA public",
    ];
    assert!(undoes(&sql.map(Word::literal)));
    for text in [
        "npm run clean",
        "npx knex migrate:latest",
        "php artisan cache:clear",
        "docker compose down",
        "psql -f drop.sql",
        "./manage reset",
    ] {
        assert!(!undoes(&words(text)), "{text}");
    }
}

#[test]
fn a_program_that_is_called_server_is_one() {
    for text in [
        "./server",
        "node dist/server.js --port=80",
        "python server.py",
    ] {
        assert!(is_server(&words(text)), "{text}");
    }
    for text in [
        "./server migrate",
        "./server seed",
        "./serve",
        "node build-server.js",
    ] {
        assert!(!is_server(&words(text)), "{text}");
    }
}
