//! `docs/exit-codes.md`.

use std::fmt::Write as _;

use super::MADE;
use launchgate::exit::{Again, FailureKind};

const BEHIND: &str = "
\"Up to `--max-attempts`\": launchgate counts a revision's failed attempts across all replicas in the
ledger. Once they are used up, the next start exits with 77 and runs nothing, so the platform can
restart it as often as it likes. `launchgate resolve REVISION --as retry` starts counting again.
After each failure they wait for `--retry-delay`. Interrupted attempts (69, 76, 128+n, a killed process)
don't count, nor does a 64 that `--sql` finds out only from the database's tables.

If your platform wants a list: retry 69, 75, 76 and 128+n; give up on 64, 71, 77, 78, 126 and 127. You
can also retry a step's own code, 65, 73 and 124, since launchgate itself refuses when there were
enough attempts. Without a database it counts none.

A step may itself exit with one of these numbers. The code alone doesn't tell you which it was, but the
log and `launchgate status` do: they name the step.

Under `--init`, launchgate exits with the server's code, or 128+n if signal n ended the server. Without
`--init`, launchgate is gone by then.

Sources of the numbers: `sysexits.h` (64 to 78), `timeout(1)` (124), the POSIX shell (126, 127, 128+n).
";

pub(super) fn page() -> String {
    let mut text = format!(
        "# Exit codes\n\n{MADE}\n\n| code | meaning | try again? |\n| --- | --- | --- |\n| 0 | `job`: the gate is open. `wait` without a server: the revision succeeded. `probe`: the gate is still closed | |\n"
    );
    for &kind in FailureKind::ALL {
        let code = match kind {
            FailureKind::Step(_) => "the step's own".to_owned(),
            FailureKind::Stopped(_) => "128+n".to_owned(),
            other => other.code().to_string(),
        };
        let (meaning, again) = kind.meaning();
        let again = match again {
            Again::No => "no",
            Again::Yes => "yes",
            Again::UpToMaxAttempts => "up to `--max-attempts`",
            Again::Unknown => "",
        };
        writeln!(text, "| {code} | {meaning} | {again} |").unwrap();
    }
    text + BEHIND
}
