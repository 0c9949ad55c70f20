//! The command line, the variables and the settings file, up to the plan.
//!
//! "Precedence: flag, then `LAUNCHGATE_*` variable, then `launchgate.toml`, then default. […] A value that
//! does not parse is an error naming the flag, variable or file and line it came from, never a silent
//! default. […] a value that another source overrides is not looked at."

use std::ffi::{CString, OsString};
use std::fs;

use launchgate::cli::{self, CommandLine, Definition, Parsed, SETTINGS, SettingId, Shape, Verb};
use launchgate::db::DatabaseUrl;
use launchgate::exit::Failure;
use launchgate::plan;
use launchgate::plan::every_start::EveryStart;
use launchgate::redact;
use launchgate::settings::{
    Command, DatabaseChoice, DatabaseSettings, ServerSettings, Settings, Sources, StepSettings,
};
use launchgate::sys::environment::Environment;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseResult;

use crate::harness::{assert_hidden, for_all};
use crate::inputs::one_of;
use crate::settings_inputs::{definition, file, value, variables, words};

/// A command line and what surrounds it.
#[derive(Debug, Clone, Default)]
struct Given {
    words: Vec<OsString>,
    variables: Vec<(String, String)>,
    file: Vec<u8>,
}

impl Given {
    fn environment(&self) -> Environment {
        let entries = self.variables.iter().filter_map(|(name, value)| {
            let entry = CString::new(format!("{name}={value}")).ok()?;
            Some(entry.into())
        });
        Environment::new(entries.collect())
    }

    /// Resolves and plans it, as far as nothing runs or connects. Returns what is shown of it.
    fn shown(&self) -> Result<Vec<String>, Failure> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), &self.file).unwrap();
        let mut args = vec![OsString::from("launchgate")];
        args.extend(self.words.iter().cloned());
        let mut environment = self.environment();
        environment.set(
            b"LAUNCHGATE_CONFIG",
            file.path().as_os_str().as_encoded_bytes(),
        );
        let raw = match CommandLine::new(&args, &environment).parse()? {
            Parsed::Command(raw) => raw,
            Parsed::Print(text) => return Ok(vec![text]),
        };
        let sources = Sources::new(&raw, &environment)?;
        sources.log()?;
        let mut shown: Vec<String> = sources
            .unknown_variables()
            .into_iter()
            .map(|problem| problem.to_string())
            .collect();
        let settings = sources.resolve()?;
        shown.extend(planned(&settings)?);
        Ok(shown)
    }

    /// Accepted or refused, and nothing shows a password.
    fn holds(&self) -> TestCaseResult {
        match self.shown() {
            Ok(shown) => {
                for text in shown {
                    assert_hidden(&(self, &text), &text)?;
                }
            }
            Err(failure) => {
                prop_assert_eq!(failure.code(), 64);
                let problem = failure.problem();
                prop_assert!(!problem.what().is_empty() && !problem.hint().is_empty());
                let shown = format!("{problem} {failure:?}");
                assert_hidden(&(self, &shown), &shown)?;
            }
        }
        Ok(())
    }
}

fn url_of(database: &DatabaseSettings) -> Option<&DatabaseUrl> {
    match &database.choice {
        DatabaseChoice::Url(url) => Some(&url.value),
        DatabaseChoice::Declined(_) | DatabaseChoice::Unnamed { .. } => None,
    }
}

/// What is shown of the plan.
fn planned(settings: &Settings) -> Result<Vec<String>, Failure> {
    let mut planned = PlannedTexts::default();
    match &settings.command {
        Command::Run(run) => {
            planned.server(settings, &run.server)?;
            if let Some(gate) = &run.gate {
                planned.database(&gate.ledger.database);
                planned.steps(settings, &gate.steps)?;
            }
        }
        Command::Wait(wait) => {
            planned.server(settings, &wait.server)?;
            if let Some((_, ledger)) = &wait.gate {
                planned.database(&ledger.database);
            }
        }
        Command::Init(server) => planned.server(settings, server)?,
        Command::Check(check) => {
            planned.database(&check.gate.ledger.database);
            for row in &check.rows {
                let text = format!("{} {} {}", row.name, row.value, row.origin);
                planned.texts.push(redact::passwords(&text).into_owned());
            }
            planned.server(settings, &check.server)?;
            planned.steps(settings, &check.gate.steps)?;
        }
        Command::Status { ledger, .. } => planned.database(&ledger.database),
        Command::Resolve(resolve) => planned.database(&resolve.ledger.database),
        _ => {}
    }
    let PlannedTexts { texts, url } = planned;
    Ok(texts
        .into_iter()
        .map(|text| url.as_ref().map_or(text.clone(), |url| url.redact(&text)))
        .collect())
}

#[derive(Default)]
struct PlannedTexts {
    texts: Vec<String>,
    url: Option<DatabaseUrl>,
}

impl PlannedTexts {
    fn database(&mut self, database: &DatabaseSettings) {
        self.url = url_of(database).cloned();
        self.texts.push(format!("{:?}", database.choice));
    }

    fn server(&mut self, settings: &Settings, server: &ServerSettings) -> Result<(), Failure> {
        let texts = &mut self.texts;
        let every_start = EveryStart::new(&settings.environment, server, &mut |problem| {
            texts.push(problem.to_string());
        })?;
        texts.extend(every_start.server.map(|server| server.text));
        let commands = every_start
            .prepare
            .list
            .into_iter()
            .chain(every_start.warm_up.list);
        texts.extend(commands.map(|command| command.text));
        Ok(())
    }

    fn steps(&mut self, settings: &Settings, steps: &StepSettings) -> Result<(), Failure> {
        let texts = &mut self.texts;
        let steps = plan::steps(&settings.environment, steps, &mut |problem| {
            texts.push(problem.to_string());
        })?;
        for step in steps.list {
            assert!(!step.argv.program().is_empty());
            self.texts
                .extend([step.name, step.text, step.origin.to_string()]);
        }
        Ok(())
    }
}

#[test]
fn any_settings_are_resolved_or_refused() {
    let given = (words(), variables(), file());
    for_all(given, |(words, variables, file)| {
        let given = Given {
            words,
            variables,
            file,
        };
        given.holds()
    });
}

/// The same with nothing else wrong, so that more of it is planned.
#[test]
fn one_setting_is_resolved_or_refused() {
    let source = select(vec!["flag", "variable", "file"]);
    let verb = one_of(&["run", "job", "wait", "init", "check", "status", "resolve"]);
    for_all(
        (definition(), source, value(), verb, any::<bool>()),
        |(row, source, value, verb, has_database)| {
            let mut given = Given {
                words: vec![verb.clone().into(), format!("--migrate={value}").into()],
                ..Given::default()
            };
            if matches!(&*verb, "wait" | "init" | "status" | "resolve") {
                given.words.pop();
            }
            if verb == "resolve" {
                given.words.extend(["v1", "--as=retry"].map(OsString::from));
            }
            if has_database {
                given
                    .variables
                    .push(("DATABASE_URL".to_owned(), "postgres://u@h/d".to_owned()));
            }
            match source {
                "flag" => given.words.push(format!("{}={value}", row.flag).into()),
                "variable" => given.variables.push((row.id.variable(), value.clone())),
                _ => {
                    let value = serde_json::Value::from(value.clone());
                    given.file = format!("{} = {value}\n", row.name).into_bytes();
                }
            }
            if !matches!(&*verb, "job" | "status" | "resolve") {
                given.words.extend(["--".into(), value.into()]);
            }
            given.holds()
        },
    );
}

#[test]
fn any_settings_file_is_read_or_refused() {
    for_all(file(), |file| {
        let given = Given {
            words: ["check", "--", "server"].map(OsString::from).to_vec(),
            file,
            ..Given::default()
        };
        given.holds()
    });
}

/// A value that the setting takes, and one that it refuses, if it refuses any.
fn samples(row: &Definition) -> (&'static str, Option<&'static str>) {
    match (row.id, row.shape) {
        (SettingId::StepUser | SettingId::User, _) => ("0", Some("no such user")),
        (SettingId::DatabaseUrl, _) => ("sqlite:app.db", Some("nonsense")),
        (SettingId::RewriteSignal, _) => ("15:3", Some("15")),
        (SettingId::RemapExit, _) => ("143:0", Some("143")),
        (SettingId::HealthListen, _) => (":8080", Some("8080")),
        (SettingId::ParentDeathSignal, _) => ("TERM", Some("99")),
        (SettingId::LogFormat, _) => ("json", Some("xml")),
        (SettingId::SqlLayout, _) => ("prisma", Some("rails")),
        (SettingId::StepEnvFrom, _) => ("NAME=SOURCE", Some("NAME")),
        (SettingId::App | SettingId::Release, _) => ("text", None),
        (_, Shape::Switch) => ("on", Some("maybe")),
        (_, Shape::Duration) => ("12s", Some("12")),
        (_, Shape::Count) => ("5", Some("five")),
        (_, Shape::Pairs) => ("A=1", Some("A")),
        _ => ("text", None),
    }
}

#[test]
fn the_first_source_wins_and_names_itself() {
    // Of these, `check` prints no row under their own name.
    let left_out = [
        SettingId::Config,
        SettingId::DatabaseUrlEnv,
        SettingId::DatabaseUrlFile,
        SettingId::DatabasePasswordFile,
        SettingId::NoDatabase,
        SettingId::Quiet,
    ];
    let of_check = SETTINGS
        .iter()
        .filter(move |row| row.belongs_to(Verb::Check) && !left_out.contains(&row.id));
    let sources = prop::array::uniform3(select(vec!["unset", "valid", "broken"]));
    for_all(
        (select(of_check.collect::<Vec<_>>()), sources),
        |(row, sources)| {
            let (valid, broken) = samples(row);
            let written = |kind: &str| match kind {
                "valid" => Some(valid),
                "broken" => broken,
                _ => None,
            };
            let [flag, variable, file] = sources.map(written);
            let mut args: Vec<OsString> = ["launchgate", "check"].map(OsString::from).to_vec();
            if row.id != SettingId::Init {
                args.push("--init".into());
            }
            args.extend(flag.map(|value| format!("{}={value}", row.flag).into()));
            args.extend(["--", "server"].map(OsString::from));
            let text = file.map(|value| format!("\n{} = \"{value}\"\n", row.name));
            let path = tempfile::NamedTempFile::new().unwrap();
            fs::write(path.path(), text.unwrap_or_default()).unwrap();
            let shown_path = path.path().display();
            let mut variables = vec![
                ("LAUNCHGATE_CONFIG".to_owned(), shown_path.to_string()),
                ("SOURCE".to_owned(), "x".to_owned()),
            ];
            variables.extend(variable.map(|value| (row.id.variable(), value.to_owned())));
            let given = Given {
                variables,
                ..Given::default()
            };
            let environment = given.environment();
            let winner = [
                (flag, row.flag.to_owned()),
                (variable, row.id.variable()),
                (file, format!("{shown_path}:2 {}", row.name)),
            ];
            let winner = winner.into_iter().find(|(value, _)| value.is_some());
            let Ok(Parsed::Command(raw)) = cli::parse(&args) else {
                return Err(TestCaseError::fail("it does not parse"));
            };
            let resolved = Sources::new(&raw, &environment).and_then(|sources| {
                sources.log()?;
                sources.resolve()
            });
            let (settings, origin) = match (resolved, winner) {
                (Err(failure), Some((value, origin))) => {
                    prop_assert_eq!(value, broken, "{:?}", failure);
                    prop_assert_eq!(failure.code(), 64);
                    let what = failure.problem().what();
                    prop_assert!(what.starts_with(&origin), "{origin}: {what}");
                    return Ok(());
                }
                (Err(failure), None) => return Err(TestCaseError::fail(format!("{failure:?}"))),
                (Ok(settings), winner) => {
                    let is_broken = broken.is_some()
                        && winner.as_ref().is_some_and(|(value, _)| *value == broken);
                    prop_assert!(!is_broken, "{winner:?} is accepted");
                    (
                        settings,
                        winner.map_or("default".to_owned(), |(_, origin)| origin),
                    )
                }
            };
            let Command::Check(check) = settings.command else {
                return Err(TestCaseError::fail("it is a check"));
            };
            let found = check.rows.iter().find(|found| found.name == row.name);
            // What is unset may have no row.
            let found = found.map_or("default", |found| &found.origin);
            prop_assert_eq!(found, origin);
            Ok(())
        },
    );
}

/// A plain dollar in a password looks like a variable's name.
#[test]
fn a_name_inside_a_password_is_not_shown() -> TestCaseResult {
    for flag in ["--quiet", "--expand-env"] {
        for url in ["postgres://u:a$Geheim@h/d", "postgres:/u:a$Geheim@h/d"] {
            let migrate = format!("--migrate=psql {url}");
            let words = ["run", flag, &migrate, "--", "server", url];
            let given = Given {
                words: words.map(OsString::from).to_vec(),
                ..Given::default()
            };
            given.holds()?;
            let table = format!("[migrate]\ncommand = [\"psql\", \"{url}\"]\n");
            let given = Given {
                words: ["run", flag, "--", "server"].map(OsString::from).to_vec(),
                file: table.into_bytes(),
                ..Given::default()
            };
            given.holds()?;
        }
    }
    Ok(())
}

/// A `=` in a password ends what looks like a name.
#[test]
fn a_url_in_place_of_a_pair_is_not_shown() -> TestCaseResult {
    for url in [
        "postgres://u:a=Geheim@h",
        "postgres:/u:a=Geheim@h",
        "postgres:///u:Geheim=Geheim@h",
    ] {
        for flag in ["--step-env-from", "--step-env"] {
            let words = ["check", flag, url, "--", "server"];
            let given = Given {
                words: words.map(OsString::from).to_vec(),
                ..Given::default()
            };
            given.holds()?;
        }
    }
    Ok(())
}
