//! The settings file, `launchgate.toml`: which one there is, and what each key says, with its
//! line.
//!
//! Read at once, so that an unknown key is an error wherever it stands; what a value means is
//! looked at only where it is used.

mod value;

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

pub(super) use value::{Item, Value};

use super::Origin;
use super::steps::STEP_KEYS;
use crate::cli::{Definition, PreParsedArgs, Raw, SETTINGS, SettingId, Shape, Verb};
use crate::exit::Failure;
use crate::sys;
use crate::sys::environment::Environment;

/// Where a settings file is looked for when nobody names one.
pub const PLACES: [&str; 2] = ["./launchgate.toml", "/etc/launchgate.toml"];

/// More than this is not a settings file: 1 MiB.
const LIMIT: u64 = 1024 * 1024;

/// The setting that names the file.
const CONFIG: SettingId = SettingId::Config;

/// What a settings file says.
#[derive(Debug, Clone)]
pub(super) struct SettingsFile {
    path: String,
    origin: Origin,
    entries: Vec<(SettingId, Item)>,
}

impl SettingsFile {
    /// Reads the file that `--config` or its variable names, else the first of [`PLACES`] that
    /// is there.
    ///
    /// # Errors
    /// It can't be read, is no TOML, or has a key that means nothing.
    pub(super) fn load(raw: &Raw, environment: &Environment) -> Result<Option<Self>, Failure> {
        let given = raw.values(CONFIG).and_then(|v| v.first());
        let given = given.map(OsString::as_os_str);
        if let Some((path, origin)) = named(given, environment)? {
            let bytes = read(&path).map_err(|error| unreadable(&path, &error))?;
            return Self::parse(raw.verb, &path, origin, &bytes).map(Some);
        }
        for place in PLACES {
            let path = Path::new(place);
            match read(path) {
                Ok(bytes) => {
                    return Self::parse(raw.verb, path, Origin::Default, &bytes).map(Some);
                }
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(unreadable(path, &error)),
            }
        }
        Ok(None)
    }

    /// What the file says of one setting, where it is TOML at all, whatever else in it means
    /// nothing: for telling a failure that may be the file's own.
    fn peek(
        pre_parsed: PreParsedArgs<'_>,
        environment: &Environment,
        id: SettingId,
    ) -> Option<OsString> {
        let bytes = match named(pre_parsed.value(CONFIG), environment).ok()? {
            Some((path, _)) => read(&path).ok()?,
            None => PLACES
                .iter()
                .find_map(|place| read(Path::new(place)).ok())?,
        };
        let text = text("", &bytes).ok()?;
        let table = DeTable::parse(text).ok()?;
        let (_, value) = table
            .get_ref()
            .iter()
            .find(|(key, _)| key.get_ref().as_ref() == id.name())?;
        let source = Source { path: "", text };
        Item::new(&source, 0, value).value.filled().ok()
    }

    fn parse(verb: Verb, path: &Path, origin: Origin, bytes: &[u8]) -> Result<Self, Failure> {
        let path = path.display().to_string();
        let text = text(&path, bytes)?;
        let table = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            Failure::usage(
                format!("{}: {}", place(&path, text, at), error.message().trim()),
                "mend the line; TOML wants `key = \"value\"`, texts in quotes",
            )
        })?;
        let source = Source { path: &path, text };
        let known: Vec<&Definition> = SETTINGS.iter().filter(|row| row.id != CONFIG).collect();
        let mut entries = Vec::new();
        for (key, value) in table.get_ref() {
            let found = known.iter().find(|row| row.name == key.get_ref().as_ref());
            // `init` has no gate, so nothing that is only the gate's may stop it.
            if verb == Verb::Init && !found.is_some_and(|row| row.belongs_to(verb)) {
                continue;
            }
            let Some(found) = found else {
                return Err(unknown(&source, key, known.iter().map(|row| row.name)));
            };
            if matches!(found.shape, Shape::Step | Shape::Steps) {
                known_in_steps(&source, value)?;
            }
            let item = Item::new(&source, key.span().start, value);
            entries.push((found.id, item));
        }
        Ok(Self {
            path,
            origin,
            entries,
        })
    }

    /// Its path, as it was found.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Who named it.
    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(super) fn item(&self, id: SettingId) -> Option<&Item> {
        let (_, item) = self.entries.iter().find(|(found, _)| *found == id)?;
        Some(item)
    }

    /// Where a value of the key stands.
    pub(super) fn origin_of(&self, id: SettingId, item: &Item) -> Origin {
        Origin::File(format!("{}:{} {}", self.path, item.line, id.name()))
    }
}

/// Where the reason of a failure is to be left, where somebody said so; found without the settings,
/// which may be what failed.
#[must_use]
pub fn termination_log_without_settings(
    pre_parsed: PreParsedArgs<'_>,
    environment: &Environment,
) -> Option<PathBuf> {
    let id = SettingId::TerminationLog;
    let given = pre_parsed.given(id, environment).map(PathBuf::from);
    given.or_else(|| SettingsFile::peek(pre_parsed, environment, id).map(PathBuf::from))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    sys::files::read_regular(path, LIMIT)
}

/// A file's name and text, for saying where in it something is.
pub(super) struct Source<'a> {
    path: &'a str,
    text: &'a str,
}

impl Source<'_> {
    /// The line of a byte, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        position(self.text, at).0
    }
}

fn named(
    given: Option<&OsStr>,
    environment: &Environment,
) -> Result<Option<(PathBuf, Origin)>, Failure> {
    if let Some(value) = given {
        if value.is_empty() {
            return Err(Failure::usage(
                format!("{} is empty", CONFIG.flag()),
                "name the settings file, or leave it out",
            ));
        }
        return Ok(Some((PathBuf::from(value), Origin::Flag(CONFIG.flag()))));
    }
    if !environment.has_own() {
        return Ok(None);
    }
    let name = CONFIG.variable();
    let value = environment.get_filled(&name).map(OsString::from);
    Ok(value.map(|value| (PathBuf::from(value), Origin::Variable(name))))
}

/// `ENOTDIR` is a path through what is no folder: nothing can be there.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    let hint = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            "correct the path; relative paths start at the working directory"
        }
        io::ErrorKind::PermissionDenied => "make it readable for the user that launchgate runs as",
        io::ErrorKind::FileTooLarge => {
            "a settings file is text of a few lines; is it another file?"
        }
        _ => "name a file that is readable text",
    };
    Failure::usage(
        format!("failed to read the settings file {path}: {error}"),
        hint,
    )
}

fn text<'a>(path: &str, bytes: &'a [u8]) -> Result<&'a str, Failure> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Failure::usage(
            format!("{path}: the settings file is UTF-16"),
            "save it as UTF-8",
        ));
    }
    match std::str::from_utf8(bytes) {
        // Some editors put a byte order mark there.
        Ok(text) => Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(error) => {
            let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            Err(Failure::usage(
                format!(
                    "{}: the settings file is not UTF-8",
                    place(path, &before, before.len())
                ),
                "save it as UTF-8",
            ))
        }
    }
}

/// Line and column of a byte, both from 1; the column counts characters.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(at)];
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

fn place(path: &str, text: &str, at: usize) -> String {
    let (line, column) = position(text, at);
    format!("{path}:{line}:{column}")
}

/// The keys in a step's own table.
fn known_in_steps(source: &Source<'_>, value: &Spanned<DeValue<'_>>) -> Result<(), Failure> {
    match value.get_ref() {
        DeValue::Table(table) => {
            for key in table.keys() {
                if !STEP_KEYS.iter().any(|known| known.name == key.get_ref()) {
                    let names = STEP_KEYS.iter().map(|known| known.name);
                    return Err(unknown(source, key, names));
                }
            }
            Ok(())
        }
        DeValue::Array(list) => list
            .iter()
            .try_for_each(|item| known_in_steps(source, item)),
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
            "the server's command stands behind `--` on the command line".to_owned()
        }
        name if name == CONFIG.name() => "one settings file can't name another".to_owned(),
        _ => nearest(name, known).map_or_else(
            || "the keys are the flags' names without the dashes in front: see `launchgate run --help`".to_owned(),
            |near| format!("did you mean `{near}`?"),
        ),
    };
    Failure::usage(
        format!(
            "{}: the key `{name}` means nothing to launchgate",
            place(source.path, source.text, key.span().start)
        ),
        hint,
    )
}

/// The most similar one, where it is similar at all; the bound is that of clap for flags.
pub(super) fn nearest(
    name: &str,
    known: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    let name = name.to_lowercase().replace('_', "-");
    known
        .map(|known| (strsim::jaro_winkler(&name, known), known))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<SettingsFile, Failure> {
        SettingsFile::parse(
            Verb::Run,
            Path::new("x.toml"),
            Origin::Default,
            text.as_bytes(),
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
        assert!(said.contains("x.toml:2:3: the key `migrat`"), "{said}");
        assert!(said.contains("did you mean `migrate`?"), "{said}");
        let said = wrong("migrate_timeout = \"5m\"\n");
        assert!(said.contains("did you mean `migrate-timeout`?"), "{said}");
        let said = wrong("app = 'ünï'\n\"é\" = 1\n[backup]\ncommand = \"x\"\n");
        assert!(said.contains("x.toml:2:1: the key `é`"), "{said}");
    }

    #[test]
    fn an_unknown_key_of_a_step_is_told_too() {
        let said = wrong("[[migrate]]\ncommand = \"x\"\n[[migrate]]\ntimout = \"5m\"\n");
        assert!(said.contains("x.toml:4:1: the key `timout`"), "{said}");
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
        assert_eq!(
            file.origin_of(SettingId::Lease, item),
            Origin::File("x.toml:3 lease".into())
        );
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
            let failure =
                SettingsFile::parse(Verb::Run, Path::new("x.toml"), Origin::Default, bytes)
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
