//! `docs/exit-codes.md`.

use std::fmt::Write as _;

use super::MADE;
use launchgate::exit::{Again, FailureKind};

const BEHIND: &str = "
\"Up to `--max-attempts`\": launchgate counts the failed attempts of one revision, over all replicas,
in the ledger. When they are used up, the next start ends with 77 and runs nothing, so a platform
may restart as often as it likes. `launchgate resolve REVISION --as retry` counts anew.
Interrupted attempts (76, 128+n, a killed process) don't count.

For a platform that wants a list: try again after 69, 75, 76 and 128+n; stop at 64, 71, 77, 78, 126
and 127. A step's own code, 65, 73 and 124 may be tried again too, since launchgate itself says when
it is enough. Without a database nothing is counted.

A step may itself end with one of these numbers, which the code alone can't tell apart. The log and
`launchgate status` can: they name the step.

Under `--init` the server's own exit code is launchgate's, 128+n where signal n ended it. Without
it launchgate is gone by then.

Sources of the numbers: `sysexits.h` (64 to 78), `timeout(1)` (124), the POSIX shell (126, 127, 128+n).
";

pub(super) fn page() -> String {
    let mut text = format!(
        "# Exit codes\n\n{MADE}\n\n| code | meaning | try again? |\n| --- | --- | --- |\n| 0 | `job`: the gate is open. `wait` without a server: the revision succeeded. `probe`: the gate is closed | |\n"
    );
    for kind in FailureKind::ALL {
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
