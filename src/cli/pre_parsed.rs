//! Reads a few settings from a command line before it is parsed. They decide how and where a mistake
//! in the command line itself is reported.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::nested::CommandLine;
use super::operand::Operand;
use super::table::{SETTINGS, SettingId, Shape};
use super::verb::Verb;
use crate::output::options::Format;
use crate::sys::environment::Environment;

/// The words before `--`.
#[derive(Debug, Clone, Copy)]
pub struct PreParsedArgs<'a> {
    words: &'a [OsString],
    /// The arguments of the outer command, if this one follows its `--`.
    outer: &'a [OsString],
    verb: Option<Verb>,
}

impl<'a> PreParsedArgs<'a> {
    /// From a command line.
    pub fn new(line: CommandLine<'a>) -> Self {
        let [words, outer] = line.words();
        Self {
            words,
            outer,
            verb: line.verb(),
        }
    }

    /// From the words of one command, which begin with the program's name.
    pub(super) fn of_words(words: &'a [OsString]) -> Self {
        let end = words.iter().position(|word| word == "--");
        Self {
            words: &words[..end.unwrap_or(words.len())],
            outer: &[],
            verb: None,
        }
    }

    /// The command, if the first word is one.
    pub fn verb(&self) -> Option<Verb> {
        self.verb
    }

    /// The value of the setting's flag: `--flag VALUE` or `--flag=VALUE`.
    pub fn value(&self, id: SettingId) -> Option<&'a OsStr> {
        let in_words = |words: &'a [OsString]| {
            words.iter().enumerate().find_map(|(at, word)| {
                let rest = word.as_bytes().strip_prefix(id.flag().as_bytes())?;
                match rest.split_first() {
                    None => words.get(at + 1).map(OsString::as_os_str),
                    Some((b'=', value)) => Some(OsStr::from_bytes(value)),
                    Some(_) => None,
                }
            })
        };
        in_words(self.words).or_else(|| in_words(self.outer))
    }

    /// The value of the setting's flag, else of its variable.
    pub fn given<'b>(&self, id: SettingId, environment: &'b Environment) -> Option<&'b OsStr>
    where
        'a: 'b,
    {
        let flag = self.value(id).filter(|value| !value.is_empty());
        flag.or_else(|| {
            let name = environment.has_own().then(|| id.variable())?;
            environment.get_filled(&name)
        })
    }

    /// How a log line looks.
    pub fn log_format(&self, environment: &Environment) -> Format {
        match self.given(SettingId::LogFormat, environment) {
            Some(value) if value == "json" => Format::Json,
            _ => Format::Text,
        }
    }
}

impl PreParsedArgs<'_> {
    /// The flag and the value, if the parser failed at what may be a flag's value that begins with
    /// a dash.
    pub(super) fn dashed(&self, error: &clap::Error) -> Option<(String, String)> {
        let Some(ContextValue::String(culprit)) = error.get(ContextKind::InvalidArg) else {
            return None;
        };
        let pair = self.words.windows(2).find_map(|pair| {
            let (flag, value) = (pair[0].to_str()?, pair[1].to_str()?);
            let is_it = match error.kind() {
                ErrorKind::UnknownArgument => value.starts_with(culprit.as_str()),
                // The flag itself, followed by the placeholder for its value.
                ErrorKind::InvalidValue => {
                    value.starts_with('-') && culprit.split(' ').next() == Some(flag)
                }
                _ => false,
            };
            (is_it && value.starts_with('-') && takes_value(flag)).then_some((flag, value))
        });
        pair.map(|(flag, value)| (flag.to_owned(), value.to_owned()))
    }
}

fn takes_value(flag: &str) -> bool {
    let mut settings = SETTINGS.iter().filter(|row| row.shape != Shape::Switch);
    let mut operands = Operand::ALL.iter().filter(|operand| operand.is_flag());
    settings.any(|row| row.flag == flag)
        || operands.any(|operand| flag.strip_prefix("--") == Some(operand.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::environment::until_nul;

    fn format(words: &[&str], variable: &str) -> Format {
        let args: Vec<OsString> = words.iter().map(OsString::from).collect();
        let entry = format!("LAUNCHGATE_LOG_FORMAT={variable}");
        let environment = Environment::new(vec![until_nul(entry.into_bytes()).into()]);
        PreParsedArgs::of_words(&args).log_format(&environment)
    }

    #[test]
    fn a_flag_wins_over_its_variable() {
        for (words, variable, expected) in [
            (&["lg", "job", "--bogus"][..], "json", Format::Json),
            (&["lg", "job", "--bogus"], "", Format::Text),
            (&["lg", "job", "--log-format", "text"], "json", Format::Text),
            (&["lg", "job", "--log-format=text"], "json", Format::Text),
            (&["lg", "job", "--log-format=json"], "text", Format::Json),
            (&["lg", "job", "--log-format", "json"], "", Format::Json),
            (&["lg", "job", "--log-format="], "json", Format::Json),
            (&["lg", "job", "--log-format"], "json", Format::Json),
            (&["lg", "job", "--log-formats=text"], "json", Format::Json),
            (&["lg", "run", "--", "--log-format=json"], "", Format::Text),
            (&["lg"], "", Format::Text),
            (&[], "", Format::Text),
        ] {
            assert_eq!(format(words, variable), expected, "{words:?} {variable}");
        }
    }
}
