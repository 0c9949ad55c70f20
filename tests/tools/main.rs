//! Real migration tools on a real Postgres, four replicas at once: what happens to the chain
//! `sh -c "migrate; serve"`, and of `launchgate run`. Judged from what tools and servers
//! themselves wrote down.
//!
//! `scripts/install-test-tools` installs the tools.

#![allow(unreachable_pub, reason = "shared by the test binaries")]

#[path = "../common/mod.rs"]
mod common;

mod project;
mod replicas;

use project::{Project, Tool};
use replicas::Round;

/// What the fully migrated table holds if each migration ran once.
const GUESTS: &str = r#"[["Ada",11],["Grace",12],["Guest 1",13]]"#;

const ALEMBIC: Tool = Tool {
    project: "alembic",
    scheme: "postgresql+psycopg",
    options: "",
    migrate: "alembic upgrade head",
    server: "python server.py",
};

const DJANGO: Tool = Tool {
    project: "django",
    scheme: "postgres",
    options: "",
    migrate: "python manage.py migrate",
    server: "python server.py",
};

const KNEX: Tool = Tool {
    project: "knex",
    scheme: "postgres",
    options: "",
    migrate: "knex migrate:latest",
    server: "node server.js",
};

const KNEX_WITHOUT_TRANSACTIONS: Tool = Tool {
    project: "knex",
    scheme: "postgres",
    options: "",
    migrate: "knex migrate:latest --disable-transactions",
    server: "node server.js",
};

const NODE_PG_MIGRATE: Tool = Tool {
    project: "node-pg-migrate",
    scheme: "postgres",
    options: "",
    migrate: "node-pg-migrate up",
    server: "node server.js",
};

const DBMATE: Tool = Tool {
    project: "dbmate",
    scheme: "postgres",
    options: "?sslmode=disable",
    migrate: "dbmate --no-dump-schema up",
    server: "node server.js",
};

const PSQL: Tool = Tool {
    project: "psql",
    scheme: "postgresql",
    options: "",
    migrate: "psql -X -v ON_ERROR_STOP=1 -f 1-guests.sql -f 2-slow.sql -f 3-seats.sql $DATABASE_URL",
    server: "python server.py",
};

/// All of a run is one transaction: the second tool waits for it to end, and then fails.
#[test]
fn alembic_fails_in_all_replicas_but_one_and_runs_once_through_the_gate() {
    let chain = chain(&ALEMBIC);
    assert!(chain.failed() > 0, "{chain}");
    gate(&ALEMBIC);
}

/// Each migration is a transaction. The second tool either fails on what the first has just
/// created, and its server starts, or it runs the slow migration once more and fails then.
#[test]
fn django_fails_and_runs_several_times_but_once_through_the_gate() {
    let chain = chain(&DJANGO);
    assert!(chain.failed() > 0, "{chain}");
    assert!(chain.unmigrated() > 0 || chain.executions > 1, "{chain}");
    gate(&DJANGO);
}

/// All of a run is one transaction, and a row in its lock table makes the others wait for as long as
/// the migration takes, each with a connection; nothing is left for them to do then.
#[test]
fn knex_starts_in_every_replica_but_once_through_the_gate() {
    let chain = chain(&KNEX);
    assert_eq!(chain.executions, 1, "{chain}");
    gate(&KNEX);
}

/// Without the transaction, a tool that does not get the lock fails instead of waiting.
#[test]
fn knex_without_transactions_serves_an_unmigrated_schema_but_not_through_the_gate() {
    let chain = chain(&KNEX_WITHOUT_TRANSACTIONS);
    assert!(chain.failed() > 0, "{chain}");
    assert!(chain.unmigrated() > 0, "{chain}");
    gate(&KNEX_WITHOUT_TRANSACTIONS);
}

/// It takes an advisory lock. A tool that does not get it fails instead of waiting.
#[test]
fn node_pg_migrate_serves_an_unmigrated_schema_but_not_through_the_gate() {
    let chain = chain(&NODE_PG_MIGRATE);
    assert!(chain.failed() > 0, "{chain}");
    assert!(chain.unmigrated() > 0, "{chain}");
    gate(&NODE_PG_MIGRATE);
}

/// As Django.
#[test]
fn dbmate_fails_and_runs_several_times_but_once_through_the_gate() {
    let chain = chain(&DBMATE);
    assert!(chain.failed() > 0, "{chain}");
    assert!(chain.unmigrated() > 0 || chain.executions > 1, "{chain}");
    gate(&DBMATE);
}

/// It does not record what it has run.
#[test]
fn psql_runs_in_every_replica_but_once_through_the_gate() {
    let chain = chain(&PSQL);
    assert!(chain.executions > 1, "{chain}");
    gate(&PSQL);
}

/// Alembic proposes to drop every table that the project's models lack. ("drop what they don't know
/// (Alembic's autogenerate, `db push`)", contract, section 5)
#[test]
fn alembic_s_autogenerate_does_not_propose_to_drop_the_ledger() {
    const COMPARE: &str = "
import os
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, create_engine
with create_engine(os.environ['DATABASE_URL']).connect() as connection:
    models = MetaData()
    models.reflect(connection, only=['guests'])
    print(compare_metadata(MigrationContext.configure(connection), models))
";
    let project = Project::new(&ALEMBIC);
    assert_eq!(project.gate().failed(), 0);
    assert_eq!(project.ledger(), "1|succeeded|1|0");
    assert_eq!(project.python(COMPARE), "[]");
}

/// Four replicas of the chain that launchgate replaces. The tool starts in each of them.
fn chain(tool: &'static Tool) -> Round {
    let round = Project::new(tool).chain();
    assert_eq!(round.began(), 4, "{round}");
    assert_eq!(round.servers().len(), 4, "{round}");
    round
}

/// Four replicas behind the gate, and four more of the same release.
fn gate(tool: &'static Tool) {
    let project = Project::new(tool);
    let first = project.gate();
    assert_eq!(first.began(), 1, "{first}");
    assert_eq!(first.failed(), 0, "{first}");
    assert_eq!(first.executions, 1, "{first}");
    assert_eq!(first.servers().len(), 4, "{first}");
    assert!(first.migrated_before_it_served(), "{first}");
    assert_eq!(first.served, [GUESTS; 4], "{first}");
    assert_eq!(project.ledger(), "1|succeeded|1|0");

    let second = project.gate();
    assert_eq!(second.began(), 0, "{second}");
    assert_eq!(second.executions, 1, "{second}");
    assert_eq!(second.served, [GUESTS; 4], "{second}");
    assert_eq!(project.ledger(), "1|succeeded|1|0");
}
