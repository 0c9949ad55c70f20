//! Reads a few settings from a command line before it is parsed. They decide how and where a mistake
//! in the command line itself is reported.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::nested::CommandLine;
use super::operand::Operand;
use super::table::{SETTINGS, SettingId, Shape};
use crate::output::options::Format;
use crate::sys::environment::Environment;

impl<'a> CommandLine<'a> {
    /// The value of the setting's flag: `--flag VALUE` or `--flag=VALUE`.
    pub fn value(self, id: SettingId) -> Option<&'a OsStr> {
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
        let [own, outer] = self.words();
        in_words(own).or_else(|| in_words(outer))
    }

    /// The value of the setting's flag, else of its variable.
    pub fn given<'b>(self, id: SettingId, environment: &'b Environment) -> Option<&'b OsStr>
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
    pub fn log_format(self, environment: &Environment) -> Format {
        match self.given(SettingId::LogFormat, environment) {
            Some(value) if value == "json" => Format::Json,
            _ => Format::Text,
        }
    }
}

/// The flag and the value, if the parser failed at what may be a flag's value that begins with a dash.
pub(super) fn dashed<'a>(args: &'a [OsString], error: &clap::Error) -> Option<(&'a str, &'a str)> {
    let Some(ContextValue::String(culprit)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let end = args.iter().position(|word| word == "--");
    let words = &args[..end.unwrap_or(args.len())];
    words.windows(2).find_map(|pair| {
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
    })
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
        CommandLine::new(&args, &environment).log_format(&environment)
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
