//! `docs/settings.md`.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, Command};

use super::MADE;
use launchgate::cli::{self, SETTINGS};
use launchgate::plan::release::{MEANINGLESS, MOVING, PLATFORM_VARIABLES};
use launchgate::settings::{AMBIENT_URLS, SKIP, STEP_VARIABLES};

const FRONT: &str = "
A flag wins over its variable, a variable over [the settings file](settings-file.md), that over the
default. An empty variable counts as unset, an empty flag is an error. A value that does not parse is
an error that names the flag, the variable or the file's line that it came from. `launchgate check` with the same settings shows the value of each and where it came from.

- Durations read `500ms`, `30s`, `5m`, `1h30m`. `0` is no limit where the setting is a limit. A number
  without a unit is an error.
- Switches need no value. With one they read `1 true yes on` and `0 false no off`: `--init=off`,
  `LAUNCHGATE_INIT=on`.
- What is repeatable is given several times, in the variable one per line, in the file as a list.
- The file's keys are the flags' names without the dashes in front.
";

/// A flag, and the commands that know it.
struct Row {
    arg: Arg,
    heading: String,
    commands: Vec<String>,
}

pub(super) fn page() -> String {
    let mut command = cli::command();
    command.build();
    let rows = rows(&command);
    let mut headings: Vec<&str> = Vec::new();
    for row in &rows {
        if !headings.contains(&row.heading.as_str()) {
            headings.push(&row.heading);
        }
    }
    let mut text = format!("# Settings\n\n{MADE}\n{FRONT}");
    for heading in headings {
        let head =
            "| flag | variable | default | meaning | commands |\n| --- | --- | --- | --- | --- |";
        writeln!(text, "\n## {heading}\n\n{head}").unwrap();
        for row in rows.iter().filter(|row| row.heading == heading) {
            writeln!(text, "{}", line(row)).unwrap();
        }
    }
    text + &names()
}

fn rows(command: &Command) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for verb in command.get_subcommands() {
        let flags = verb.get_arguments().filter(|arg| {
            let is_help = matches!(arg.get_action(), ArgAction::Help | ArgAction::Version);
            arg.get_long().is_some() && !is_help
        });
        for arg in flags {
            let heading = arg.get_help_heading().unwrap_or("Of one command");
            let same = |row: &&mut Row| row.arg.get_id() == arg.get_id() && row.heading == heading;
            if let Some(row) = rows.iter_mut().find(same) {
                row.commands.push(verb.get_name().to_owned());
                continue;
            }
            rows.push(Row {
                arg: arg.clone(),
                heading: heading.to_owned(),
                commands: vec![verb.get_name().to_owned()],
            });
        }
    }
    rows
}

fn line(row: &Row) -> String {
    let Row { arg, commands, .. } = row;
    let long = arg.get_long().unwrap_or_default();
    let value = match arg.get_value_names() {
        Some([name]) if name != "BOOL" => format!(" {name}"),
        _ => String::new(),
    };
    let short = arg.get_short().map(|short| format!("`-{short}`, "));
    let short = short.unwrap_or_default();
    let setting = SETTINGS.iter().find(|setting| setting.name == long);
    let variable = setting.map(|setting| format!("`{}`", setting.id.variable()));
    let variable = variable.unwrap_or_default();
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let help = help.replace('\n', " ").replace('|', "\\|");
    let (meaning, default) = match help.split_once(" [default: ") {
        Some((meaning, default)) => (meaning, default.trim_end_matches(']')),
        None => (&*help, ""),
    };
    let commands = commands.join(" ");
    format!("| {short}`--{long}{value}` | {variable} | {default} | {meaning} | {commands} |")
}

/// What is read from variables that are no setting's own.
fn names() -> String {
    let list = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    };
    let (release, moving) = (list(&PLATFORM_VARIABLES), list(&MOVING));
    let meaningless = list(&MEANINGLESS);
    let (urls, told) = (list(&AMBIENT_URLS), list(&STEP_VARIABLES));
    format!(
        "
## The release

The first that is set of `--release`, {release}.

Names that move from release to release ({moving}) and names that say nothing ({meaningless}), in
any case of letters, are refused in `--release` and passed over with a warning in a platform's
variable. Of an image's name, its tag or digest counts. A placeholder that nothing replaced, such as
`$TAG` or `${{{{ github.sha }}}}`, is refused wherever it comes from. The log says which source won. [Once per release](once-per-release.md) says what it is for.

## Other variables

- {urls}: the database, where no setting names one; the first that is set.
- `{SKIP}`: a switch, for emergencies. No step is run and no database is asked: straight to the server.
- Steps see `LAUNCHGATE_APP`, `LAUNCHGATE_RELEASE`, {told}. They see no other `LAUNCHGATE_*` variable,
  and the server sees none.
- Any other `LAUNCHGATE_*` variable is warned about: it may be a setting that is mistyped.
"
    )
}
