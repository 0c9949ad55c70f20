//! What is put through it, and the steps and servers that write down what they do.

use crate::common::scene::Line;
use crate::common::{Db, Gate, Scene};

/// What starts a replica's server behind its migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    Launchgate,
    /// `sh -c 'step && server'`.
    Shell,
    /// A session that holds an advisory lock around the step, and a table of what was done.
    Advisory,
}

/// Holds `flock` on a file as long as any of its processes lives. What it says is in a file and in the
/// database.
const STEP: &str = r#"#!/bin/sh
dir=${0%/*}
line="step=$LAUNCHGATE_STEP revision=$REVISION replica=$REPLICA"
row() {
    "$dir/ask" "insert into evidence (app, word, step, revision, replica) values ('$APP', '$1', '$LAUNCHGATE_STEP', '$REVISION', '$REPLICA')" > /dev/null 2>&1 || exit 3
}
exec 9>>"$dir/exclusive"
flock -n 9 || echo "overlap $line" >> "$dir/evidence"
echo "start $line" >> "$dir/evidence"
row start
sleep "$WORK"
row end
echo "end $line" >> "$dir/evidence"
"#;

/// How that ends where the database does not take a row.
pub(crate) const NOT_WRITTEN: i32 = 3;

const SERVER: &str = r#"#!/bin/sh
dir=${0%/*}
echo "server revision=$REVISION replica=$REPLICA" >> "$dir/evidence"
"$dir/ask" "insert into evidence (app, word, revision, replica) values ('$APP', 'server', '$REVISION', '$REPLICA')" 2> /dev/null
exit 0
"#;

const ADVISORY: &str = r#"#!/bin/sh
dir=${0%/*}
psql "$DATABASE_URL" -XqAt -v ON_ERROR_STOP=1 > /dev/null 2>&1 <<END || exit 1
select pg_advisory_lock(hashtext('$APP'));
create table if not exists done (app text, revision text);
select not exists (select from done where app = '$APP' and revision = '$REVISION') as due \gset
\if :due
\! "$dir/step" && touch "$dir/ok-$REPLICA"
\set ok \`test -e "$dir/ok-$REPLICA" && echo 1 || echo 0\`
\if :ok
insert into done values ('$APP', '$REVISION');
\else
select 1 / 0;
\endif
\endif
END
exec "$dir/server"
"#;

/// The programs that every subject runs, and the table that they write to.
pub(crate) fn prepare(db: &Db, scenes: &[Scene<'_>]) {
    let id = match db {
        Db::Postgres(..) => "bigserial",
        Db::Maria(_) => "bigint auto_increment",
        Db::Sqlite(_) => "integer",
    };
    db.sql(&format!(
        "create table evidence (id {id} primary key, app varchar(99), word varchar(99), \
         step varchar(99) default '', revision varchar(99) default '', replica varchar(99) default '')"
    ));
    for scene in scenes {
        scene.write_program("step", STEP);
        scene.write_program("server", SERVER);
        scene.write_program("advisory", ADVISORY);
    }
}

/// Adds a row, as steps and servers do.
pub(crate) fn insert(scene: &Scene<'_>, word: &str) {
    let row = format!(
        "insert into evidence (app, word) values ('{}', '{word}')",
        scene.app
    );
    scene.db.sql(&row);
}

/// The rows of a scene, as lines like those of the file.
pub(crate) fn rows(scene: &Scene<'_>) -> Vec<Line> {
    // An empty cell at a line's end would be lost.
    let columns = "step, revision, replica, word";
    let ask = format!(
        "select {columns} from evidence where app = '{}' order by id",
        scene.app
    );
    let line = |row: &str| {
        let cells: Vec<&str> = row.split('|').collect();
        let [step, revision, replica, word] = cells[..] else {
            panic!("a row of the evidence: {row}")
        };
        Line(format!(
            "{word} step={step} revision={revision} replica={replica}"
        ))
    };
    scene.db.sql(&ask).lines().map(line).collect()
}

impl Subject {
    /// One replica of `revision`, whose steps take `work` seconds in all.
    pub(crate) fn replica<'a>(self, scene: &'a Scene<'_>, revision: &str, work: &str) -> Gate<'a> {
        let gate = match self {
            Self::Launchgate => scene.run_steps(revision, &["migrate", "verify"]),
            Self::Shell => scene.program(&["/bin/sh", "-c", "./step && exec ./server"]),
            Self::Advisory => scene.program(&["/bin/sh", "./advisory"]),
        };
        gate.env("LAUNCHGATE_MAX_ATTEMPTS", "0")
            .env("REVISION", revision)
            .env("WORK", work)
    }
}
