//! What to write for a scheme that launchgate does not know.

/// What is said where nothing but another database helps.
pub(super) const NEED: &str = "the lock and the ledger need Postgres, MySQL, MariaDB or SQLite: set one with --database-url, \
     or pass --no-database to run the steps at every start, in every replica";

/// For a scheme that other tools know, one that is mistyped, or any other.
pub(super) fn hint(scheme: &str) -> String {
    let why = match scheme.split('+').next().unwrap_or_default() {
        "ecto" | "ecto3" => {
            return "ecto:// does not say which database it is: use postgres:// or mysql:// in --database-url".to_owned();
        }
        "pgx" | "pgx4" | "pgx5" => {
            return "golang-migrate's pgx:// is Postgres: use postgres:// in --database-url"
                .to_owned();
        }
        "prisma" => {
            return "Prisma Accelerate is a proxy that launchgate can't use: set --database-url to the database \
                    itself, which Prisma calls the direct URL"
                .to_owned();
        }
        "cockroach" | "cockroachdb" | "crdb-postgres" => "CockroachDB has no advisory locks; ",
        "redshift" => "Redshift has no advisory locks; ",
        "libsql" | "turso" | "wss" | "ws" => "a libSQL server can't hold the lock; ",
        _ => &nearest(scheme).map_or(String::new(), |known| format!("did you mean `{known}`? ")),
    };
    format!("{why}{NEED}")
}

/// The known one that a mistyped one is nearest to.
fn nearest(scheme: &str) -> Option<&'static str> {
    ["postgres", "postgresql", "mysql", "mariadb", "sqlite"]
        .into_iter()
        .filter(|known| strsim::damerau_levenshtein(scheme, known) <= 2)
        .min_by_key(|known| strsim::damerau_levenshtein(scheme, known))
}
