//! What to write for a scheme that launchgate does not know.

/// For one that other tools know.
pub(super) fn hint(scheme: &str) -> Option<&'static str> {
    Some(match scheme.split('+').next().unwrap_or_default() {
        "ecto" | "ecto3" => {
            "ecto:// does not say which database it is: use postgres:// or mysql:// in --database-url"
        }
        "pgx" | "pgx4" | "pgx5" => {
            "golang-migrate's pgx:// is Postgres: use postgres:// in --database-url"
        }
        "prisma" => {
            "Prisma Accelerate is a proxy that launchgate can't use: set --database-url to the \
             database itself, which Prisma calls the direct URL"
        }
        "cockroach" | "cockroachdb" | "crdb-postgres" => {
            "CockroachDB has no advisory locks: use a Postgres, MySQL, MariaDB or SQLite database \
             with --database-url, or pass --no-database"
        }
        "redshift" => {
            "Redshift has no advisory locks: use a Postgres, MySQL, MariaDB or SQLite database with \
             --database-url, or pass --no-database"
        }
        "libsql" | "turso" | "wss" | "ws" => {
            "a libSQL server can't hold the lock: use a Postgres, MySQL, MariaDB or SQLite database \
             with --database-url, or pass --no-database"
        }
        _ => return None,
    })
}

/// The known one that a mistyped one is nearest to.
pub(super) fn nearest(scheme: &str) -> Option<&'static str> {
    ["postgres", "postgresql", "mysql", "mariadb", "sqlite"]
        .into_iter()
        .filter(|known| strsim::damerau_levenshtein(scheme, known) <= 2)
        .min_by_key(|known| strsim::damerau_levenshtein(scheme, known))
}
