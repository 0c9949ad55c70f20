//! The server: its command, environment and user, and whether launchgate stays as its init.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::origin::{Origin, Setting, UserSetting};
use super::sources::Sources;
use super::start_commands::StartCommandSettings;
use super::values::into_text;
use crate::cli::{Operand, SettingId, Verb};
use crate::exit::Failure;
use crate::sys::forwarding::{Aim, Init};
use crate::sys::signals;

/// The server and what it is given.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Its command, empty if there is none.
    pub words: Vec<OsString>,
    /// Whether variables in its command are expanded.
    pub expand_env: bool,
    /// Variables that it must not see: those of `--unset-env`, and the sources of `--step-env-from`, which
    /// only the steps may see.
    pub hidden: Vec<Setting<Vec<u8>>>,
    /// The user that runs it, if it is not the current one.
    pub user: Option<UserSetting>,
    /// How launchgate stays as its init; `None` if it becomes the server.
    pub init: Option<Init>,
    /// What runs at every start before it.
    pub start_commands: Option<StartCommandSettings>,
}

/// Settings that need `--init`.
const PARTS: [SettingId; 4] = [
    SettingId::InitGroup,
    SettingId::RewriteSignal,
    SettingId::RemapExit,
    SettingId::ParentDeathSignal,
];

impl Sources<'_> {
    pub(super) fn server(&self) -> Result<ServerSettings, Failure> {
        let words = self.raw.words(Operand::Server).to_vec();
        Ok(ServerSettings {
            hidden: self.hidden()?,
            init: self.init()?,
            start_commands: self.start_commands()?,
            user: self.user(SettingId::User)?,
            // Not looked at if there is nothing to expand.
            expand_env: !words.is_empty() && self.switch(SettingId::ExpandEnv)?.value,
            words,
        })
    }

    fn hidden(&self) -> Result<Vec<Setting<Vec<u8>>>, Failure> {
        let mut hidden = Vec::new();
        for Setting { value, origin } in self.many(SettingId::UnsetEnv)? {
            if value.as_bytes().contains(&b'=') {
                return Err(Failure::usage(
                    format!(
                        "{origin}: `{}` is not a valid variable name",
                        value.display()
                    ),
                    "write only the variable's name",
                ));
            }
            let value = value.into_vec();
            hidden.push(Setting { value, origin });
        }
        if self.raw.verb != Verb::Init {
            let pairs = self.pairs(SettingId::StepEnvFrom)?.into_iter();
            hidden.extend(pairs.map(|pair| Setting {
                value: pair.value.1,
                origin: pair.origin,
            }));
        }
        Ok(hidden)
    }

    fn init(&self) -> Result<Option<Init>, Failure> {
        if self.raw.verb != Verb::Init && !self.switch(SettingId::Init)?.value {
            self.refuse_parts()?;
            return Ok(None);
        }
        let mut rewrites = Vec::new();
        for text in self.texts(SettingId::RewriteSignal)? {
            let (from, to) = rewrite(&text.value, &text.origin)?;
            if rewrites.iter().any(|(seen, _)| *seen == from) {
                return Err(twice(&text, &signals::name(from)));
            }
            rewrites.push((from, to));
        }
        let mut remaps = Vec::new();
        for text in self.texts(SettingId::RemapExit)? {
            let (from, to) = remap(&text.value, &text.origin)?;
            if remaps.iter().any(|(seen, _)| *seen == from) {
                return Err(twice(&text, &from.to_string()));
            }
            remaps.push((from, to));
        }
        let death_signal = self.text(SettingId::ParentDeathSignal)?;
        Ok(Some(Init {
            aim: if self.switch(SettingId::InitGroup)?.value {
                Aim::Group
            } else {
                Aim::Server
            },
            rewrites,
            remaps,
            grace: self.stop_grace()?.value,
            death_signal: death_signal
                .map(|text| signal(&text.value, &text.value, &text.origin))
                .transpose()?,
        }))
    }

    fn refuse_parts(&self) -> Result<(), Failure> {
        for id in PARTS {
            let origin = if id == SettingId::InitGroup {
                let group = self.switch(id)?;
                group.value.then_some(group.origin)
            } else {
                self.many(id)?.into_iter().next().map(|s| s.origin)
            };
            if let Some(origin) = origin {
                return Err(Failure::usage(
                    format!("{origin} has no effect without --init"),
                    format!("add --init, or remove {}", id.flag()),
                ));
            }
        }
        Ok(())
    }

    fn texts(&self, id: SettingId) -> Result<Vec<Setting<String>>, Failure> {
        self.many(id)?.into_iter().map(into_text).collect()
    }
}

/// Two rules for one signal or exit code: which of them counts is not for launchgate to guess.
fn twice(text: &Setting<String>, from: &str) -> Failure {
    Failure::usage(
        format!(
            "{}: `{}` is the second rule for {from}",
            text.origin, text.value
        ),
        "keep one of them",
    )
}

fn rewrite(text: &str, origin: &Origin) -> Result<(i32, i32), Failure> {
    let Some((from, to)) = text.split_once(':') else {
        return Err(Failure::usage(
            format!("{origin}: `{text}` is not FROM:TO"),
            "write two signals, as in TERM:QUIT or 15:3; FROM:0 drops FROM",
        ));
    };
    let from = signal(from, text, origin)?;
    let to = if to == "0" {
        0
    } else {
        signal(to, text, origin)?
    };
    for number in [from, to] {
        // They can't be caught, blocked or ignored (signal(7)).
        if matches!(signals::name(number).as_str(), "SIGKILL" | "SIGSTOP") {
            return Err(Failure::usage(
                format!(
                    "{origin}: `{text}` contains {}, which no program can catch",
                    signals::name(number)
                ),
                "use a signal that can reach the server, such as TERM, INT or QUIT",
            ));
        }
    }
    if signals::name(from) == "SIGCHLD" {
        return Err(Failure::usage(
            format!(
                "{origin}: `{text}` has SIGCHLD, which launchgate handles itself, so it is not forwarded"
            ),
            "remove it",
        ));
    }
    Ok((from, to))
}

fn signal(name: &str, text: &str, origin: &Origin) -> Result<i32, Failure> {
    signals::number(name).ok_or_else(|| {
        let what = if name == text {
            format!("{origin}: `{text}` is not a signal")
        } else {
            format!("{origin}: `{name}` in `{text}` is not a signal")
        };
        Failure::usage(
            what,
            "write a name, as in TERM, SIGQUIT or RTMIN+3, or a number from 1 to 64",
        )
    })
}

fn remap(text: &str, origin: &Origin) -> Result<(u8, u8), Failure> {
    let pair = text
        .split_once(':')
        .and_then(|(from, to)| Some((code(from)?, code(to)?)));
    pair.ok_or_else(|| {
        Failure::usage(
            format!("{origin}: `{text}` is not FROM:TO"),
            "write two exit codes from 0 to 255, as in 143:0",
        )
    })
}

/// An exit code, without a sign.
fn code(text: &str) -> Option<u8> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}
