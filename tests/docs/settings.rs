//! `docs/settings.md`.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, Command};

use super::MADE;
use launchgate::cli::{self, SETTINGS};
use launchgate::plan::release::{MEANINGLESS, MOVING, PLATFORM_VARIABLES};
use launchgate::settings::{AMBIENT_URLS, RunVariable, SKIP};

const FRONT: &str = "
A flag wins over its variable, the variable over [the settings file](settings-file.md), and the file over
the default. An empty variable counts as unset; an empty flag is an error. A value that does not parse is
an error that names the flag, the variable, or the file and line it came from. `launchgate check` with the same
settings shows each value and where it came from.

- Durations are written `500ms`, `30s`, `5m` or `1h30m`. For a limit, `0` means no limit. A number
  without a unit is an error.
- Switches need no value. If they have one, it is `1 true yes on` or `0 false no off`: `--init=off`,
  `LAUNCHGATE_INIT=on`.
- Repeat a flag to give several values. In its variable, write one per line; in the file, a list.
- The file's keys are the flags' names without the leading dashes.
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
    let (urls, told) = (
        list(&AMBIENT_URLS),
        list(&RunVariable::ALL.map(RunVariable::as_str)),
    );
    format!(
        "
## The release

The first one set of `--release`, {release}.

Names that move from release to release ({moving}) and names that say nothing ({meaningless}), in
upper or lower case, are refused in `--release` and skipped with a warning in a platform's variable. For an
image name, the tag or digest counts. A placeholder that nothing replaced, such as
`$TAG` or `${{{{ github.sha }}}}`, is refused wherever it comes from. The log says which source won. [Once per release](once-per-release.md) says what it is for.

## Other variables

- {urls}; then `PGHOST`, `PGHOSTADDR`, `PGSERVICE`: the database, if no setting names one. The first one set wins, see
  [the database's URL](database-url.md).
- `{SKIP}`: a switch for emergencies: launchgate runs no step, asks no database, and goes straight to the server.
- Steps see {told}. They see no other `LAUNCHGATE_*` variable,
  and the server sees none.
- launchgate warns about any other `LAUNCHGATE_*` variable, which may be a misspelled setting.
"
    )
}
