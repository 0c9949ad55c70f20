//! The settings file, `launchgate.toml`: where it is, and the value and line of each key.
//!
//! The whole file is read at once, so that an unknown key is always an error. A value is parsed only
//! when it is used.

mod item;
mod source;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

pub(super) use item::Item;
use source::Source;

use super::nearest::nearest;
use super::origin::{Origin, Setting};
use crate::cli::{CommandLine, Definition, SETTINGS, SettingId, Shape, StepKey, Verb};
use crate::exit::Failure;
use crate::sys;
use crate::sys::environment::Environment;
use crate::sys::files::Untrusted;

/// Where the settings file is looked for unless one is named.
const PLACES: [&str; 2] = ["./launchgate.toml", "/etc/launchgate.toml"];

/// The largest settings file: 1 MiB.
const LIMIT: u64 = 1024 * 1024;

/// The setting that names the file.
const CONFIG: SettingId = SettingId::Config;

/// A settings file that was read.
#[derive(Debug, Clone)]
pub(super) struct SettingsFile {
    pub(super) path: &'static str,
    /// Where the path came from.
    pub(super) origin: Origin,
    entries: Vec<(SettingId, Item)>,
}

impl SettingsFile {
    /// Reads the file that is named, else the first of [`PLACES`] that exists.
    ///
    /// # Errors
    /// It can't be read, is not TOML, or has an unknown key.
    pub(super) fn load(
        verb: Verb,
        named: Option<Setting<OsString>>,
    ) -> Result<Option<Self>, Failure> {
        let (path, origin, found) = if let Some(Setting { value, origin }) = named {
            let found = read(Path::new(&value));
            (PathBuf::from(value), origin, found)
        } else {
            let mut places = PLACES.iter().map(|place| (place, read(Path::new(place))));
            let Some((path, found)) = places.find(|(path, found)| exists(path, found)) else {
                return Ok(None);
            };
            (PathBuf::from(path), Origin::Default, found)
        };
        let (bytes, untrusted) = found.map_err(|error| unreadable(&path, &origin, &error))?;
        refuse_untrusted(&path, untrusted)?;
        Self::parse(verb, &path, origin, bytes).map(Some)
    }

    /// Reads one setting, whatever else is wrong with the file, as long as it is TOML.
    fn peek(line: CommandLine<'_>, environment: &Environment, id: SettingId) -> Option<OsString> {
        let bytes = match line.given(CONFIG, environment) {
            Some(path) => trusted(Path::new(path))?,
            None => PLACES.iter().find_map(|place| trusted(Path::new(place)))?,
        };
        let (source, table) = table("", bytes).ok()?;
        let (_, value) = table
            .iter()
            .find(|(key, _)| key.get_ref().as_ref() == id.name())?;
        let (key, at) = (id.name(), 0);
        let item = Item {
            source,
            key,
            at,
            value,
        };
        Some(item.setting().ok()?.value)
    }

    fn parse(verb: Verb, path: &Path, origin: Origin, bytes: Vec<u8>) -> Result<Self, Failure> {
        let path = path.display().to_string().leak();
        let (source, table) = table(path, bytes)?;
        let known: Vec<&Definition> = SETTINGS.iter().filter(|row| row.id != CONFIG).collect();
        let mut entries = Vec::new();
        for (key, value) in table {
            let found = known.iter().find(|row| row.name == key.get_ref().as_ref());
            // A mistake in a setting of the gate must not stop `init`, which has no gate.
            if verb == Verb::Init && !found.is_some_and(|row| row.belongs_to(verb)) {
                continue;
            }
            let Some(found) = found else {
                return Err(unknown(&source, key, known.iter().map(|row| row.name)));
            };
            match found.shape {
                Shape::Step | Shape::Steps => known_in_steps(&source, value, &|_| true)?,
                Shape::StartCommands => {
                    known_in_steps(&source, value, &|key| key.is_for_start_commands())?;
                }
                _ => {}
            }
            let at = key.span().start;
            let key = found.name;
            entries.push((
                found.id,
                Item {
                    source,
                    key,
                    at,
                    value,
                },
            ));
        }
        Ok(Self {
            path,
            origin,
            entries,
        })
    }

    /// The value of a setting.
    pub(super) fn item(&self, id: SettingId) -> Option<Item> {
        let (_, item) = self.entries.iter().find(|(found, _)| *found == id)?;
        Some(*item)
    }
}

/// The file's table. It lives as long as the process, which reads one file.
fn table(
    path: &'static str,
    bytes: Vec<u8>,
) -> Result<(Source<'static>, &'static DeTable<'static>), Failure> {
    let source = Source::new(path, bytes.leak())?;
    let table = DeTable::parse(source.text).map_err(|error| {
        let place = source.place(error.span().map_or(0, |span| span.start));
        Failure::usage(
            format!("{place}: {}", error.message().trim()),
            "fix the line; TOML is `key = \"value\"`, with text in quotes",
        )
    })?;
    Ok((source, Box::leak(Box::new(table)).get_ref()))
}

/// The file that `--termination-log`, its variable or its key names, read without resolving the
/// settings: they may be what failed.
pub fn termination_log_without_settings(
    line: CommandLine<'_>,
    environment: &Environment,
) -> Option<PathBuf> {
    let id = SettingId::TerminationLog;
    let given = line.given(id, environment).map(PathBuf::from);
    given.or_else(|| SettingsFile::peek(line, environment, id).map(PathBuf::from))
}

/// The contents, and whom they may be from besides those who may say what root runs.
type Found = io::Result<(Vec<u8>, Option<Untrusted>)>;

fn read(path: &Path) -> Found {
    sys::files::read_trusted(path, LIMIT)
}

/// Whether there is anything at a path. A link that leads nowhere was meant to be a file.
fn exists(path: &str, found: &Found) -> bool {
    let is_absent = |error: &io::Error| {
        // Or a part of the path is not a folder.
        matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
        )
    };
    !found.as_ref().is_err_and(is_absent) || Path::new(path).is_symlink()
}

fn trusted(path: &Path) -> Option<Vec<u8>> {
    let (bytes, untrusted) = read(path).ok()?;
    untrusted.is_none().then_some(bytes)
}

/// The file controls what root runs, so only root may be able to write it.
fn refuse_untrusted(path: &Path, found: Option<Untrusted>) -> Result<(), Failure> {
    let path = path.display();
    let (what, hint) = match found {
        None => return Ok(()),
        Some(Untrusted::Owner(user)) => (
            format!("belongs to user {user}"),
            format!("`chown root:root {path}`"),
        ),
        Some(Untrusted::Group(group)) => (
            format!("can be written by group {group}"),
            format!("`chmod g-w {path}`"),
        ),
        Some(Untrusted::Everyone) => (
            "can be written by everyone".to_owned(),
            format!("`chmod go-w {path}`"),
        ),
    };
    Err(Failure::usage(
        format!("the settings file {path} {what}, but launchgate runs as root"),
        format!("run {hint}, or start launchgate as that user"),
    ))
}

fn unreadable(path: &Path, origin: &Origin, error: &io::Error) -> Failure {
    let path = match origin {
        Origin::Default => path.display().to_string(),
        _ => format!("{} ({origin})", path.display()),
    };
    let hint = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            "fix the path; relative paths are resolved against the working directory"
        }
        io::ErrorKind::PermissionDenied => "make it readable by the user that launchgate runs as",
        io::ErrorKind::FileTooLarge => {
            "a settings file has a few lines of text; check that this is the right file"
        }
        _ => "pass a readable text file",
    };
    Failure::usage(
        format!("failed to read the settings file {path}: {error}"),
        hint,
    )
}

/// Refuses unknown keys in a step's own table.
fn known_in_steps(
    source: &Source<'_>,
    value: &Spanned<DeValue<'_>>,
    has: &dyn Fn(&StepKey) -> bool,
) -> Result<(), Failure> {
    match value.get_ref() {
        DeValue::Table(table) => {
            for key in table.keys() {
                let known = StepKey::ALL.into_iter().filter(has);
                let names = known.map(StepKey::as_str);
                if !names.clone().any(|name| name == key.get_ref()) {
                    return Err(unknown(source, key, names));
                }
            }
            Ok(())
        }
        DeValue::Array(list) => list
            .iter()
            .try_for_each(|item| known_in_steps(source, item, has)),
        _ => Ok(()),
    }
}

fn unknown(
    source: &Source<'_>,
    key: &Spanned<DeString<'_>>,
    known: impl Iterator<Item = &'static str>,
) -> Failure {
    let name = key.get_ref();
    let hint = match name.as_ref() {
        "server" | "command" | "cmd" => {
            "write the server's command after `--` on the command line".to_owned()
        }
        name if name == CONFIG.name() => "a settings file can't refer to another".to_owned(),
        _ => nearest(name, known).map_or_else(
            || "a key is a flag without its leading dashes: see `launchgate run --help`".to_owned(),
            |near| format!("did you mean `{near}`?"),
        ),
    };
    Failure::usage(
        format!("{}: unknown key `{name}`", source.place(key.span().start)),
        hint,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<SettingsFile, Failure> {
        SettingsFile::parse(
            Verb::Run,
            Path::new("x.toml"),
            Origin::Default,
            text.as_bytes().to_vec(),
        )
    }

    fn wrong(text: &str) -> String {
        let failure = parse(text).unwrap_err();
        assert_eq!(failure.code(), 64);
        failure.problem().to_string()
    }

    #[test]
    fn an_unknown_key_is_told_with_line_column_and_the_nearest() {
        let said = wrong("app = \"a\"\n  migrat = \"x\"\n");
        assert!(said.contains("x.toml:2:3: unknown key `migrat`"), "{said}");
        assert!(said.contains("did you mean `migrate`?"), "{said}");
        let said = wrong("migrate_timeout = \"5m\"\n");
        assert!(said.contains("did you mean `migrate-timeout`?"), "{said}");
        let said = wrong("app = 'ünï'\n\"é\" = 1\n[backup]\ncommand = \"x\"\n");
        assert!(said.contains("x.toml:2:1: unknown key `é`"), "{said}");
    }

    #[test]
    fn an_unknown_key_of_a_step_is_told_too() {
        let said = wrong("[[migrate]]\ncommand = \"x\"\n[[migrate]]\ntimout = \"5m\"\n");
        assert!(said.contains("x.toml:4:1: unknown key `timout`"), "{said}");
        assert!(said.contains("did you mean `timeout`?"), "{said}");
    }

    #[test]
    fn no_toml_is_told_with_line_and_column() {
        let said = wrong("app = \"a\"\nlease = 30s\n");
        assert!(said.contains("x.toml:2:"), "{said}");
        let said = wrong("app = \"a\"\napp = \"b\"\n");
        assert!(said.contains("x.toml:2:1: duplicate key"), "{said}");
    }

    #[test]
    fn a_value_knows_its_line() {
        let file = parse("\u{feff}# one\n\nlease = \"30s\"\n").unwrap();
        let item = file.item(SettingId::Lease).unwrap();
        assert_eq!(item.origin(), Origin::File("x.toml:3 lease".into()));
        assert!(file.item(SettingId::App).is_none());
    }

    #[test]
    fn another_encoding_is_named() {
        let utf16: Vec<u8> = "\u{feff}app = \"a\"\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        for (bytes, expected) in [
            (&utf16[..], "UTF-16"),
            (
                b"app = \"a\"\n# caf\xe9\n",
                "x.toml:2:6: the settings file is not UTF-8",
            ),
        ] {
            let failure = SettingsFile::parse(
                Verb::Run,
                Path::new("x.toml"),
                Origin::Default,
                bytes.to_vec(),
            )
            .unwrap_err();
            let said = failure.problem().what();
            assert!(said.contains(expected), "{said}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(app|migrate|lease|\\[|\\]|=|\"|'|\n|[a-z0-9#é.{}, ])*") {
            let _ = parse(&text);
        }
    }
}
