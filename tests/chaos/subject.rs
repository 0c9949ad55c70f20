//! What is put through it, and the steps and servers that write down what they do.

use crate::common::{Gate, Scene};

/// What starts a replica's server behind its migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    Launchgate,
    /// `sh -c 'step && server'`.
    Shell,
    /// A session that holds an advisory lock around the step, and a table of what was done.
    Advisory,
}

/// Holds `flock` on a file as long as any of its processes lives.
const STEP: &str = r#"#!/bin/sh
dir=${0%/*}
say() { echo "$1 step=$LAUNCHGATE_STEP revision=$REVISION replica=$REPLICA" >> "$dir/evidence"; }
exec 9>>"$dir/exclusive"
flock -n 9 || say overlap
say start
sleep "$WORK"
say end
"#;

const SERVER: &str = r#"#!/bin/sh
echo "server revision=$REVISION replica=$REPLICA" >> "${0%/*}/evidence"
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

/// The programs that every subject runs.
pub(crate) fn prepare(scene: &Scene<'_>) {
    scene.script("step", STEP);
    scene.script("server", SERVER);
    scene.script("advisory", ADVISORY);
}

impl Subject {
    /// One replica of `revision`, whose steps take `work` seconds in all.
    pub(crate) fn replica<'a>(self, scene: &'a Scene<'_>, revision: &str, work: &str) -> Gate<'a> {
        let gate = match self {
            Self::Launchgate => scene.run_steps(revision, &["migrate", "verify"]),
            Self::Shell => scene.program(&["/bin/sh", "-c", "./step && exec ./server"]),
            Self::Advisory => scene.program(&["/bin/sh", "./advisory"]),
        };
        gate.env("REVISION", revision).env("WORK", work)
    }
}
