//! What the server gets: its command, its environment, its user, and whether launchgate stays in
//! front of it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use super::rows::Rows;
use super::sources::{Sources, into_text};
use super::{Origin, Pair, Setting};
use crate::cli::{Operand, SettingId, Verb};
use crate::exit::Failure;
use crate::sys;
use crate::sys::forwarding::{Aim, Init, Remaps, Rewrites};
use crate::sys::identity::{Identity, UserSpec};
use crate::sys::signals;

/// What the server is, and what it gets.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Its command; empty where there is none.
    pub words: Vec<OsString>,
    /// Expand variables in its command.
    pub expand_env: bool,
    /// The names that it must not see.
    pub unset_env: Vec<Setting<OsString>>,
    /// The steps' variables, each with the one that only the steps may see.
    pub step_only: Vec<Pair>,
    /// Who runs it, where that is set.
    pub user: Option<UserSetting>,
    /// Whether and how launchgate stays in front of it.
    pub init: InitSettings,
}

/// A user as it was written, and what it is.
pub type UserSetting = Setting<(String, Identity)>;

/// Whether and how launchgate stays in front of the server.
#[derive(Debug, Clone)]
pub struct InitSettings {
    /// How; `None` where it becomes the server.
    pub init: Option<Init>,
    /// Which setting says so.
    origin: Origin,
    /// What was set beside it, and its value.
    parts: Vec<(SettingId, Setting<String>)>,
}

/// The settings that mean nothing without `--init`.
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
            unset_env: self.unset_env()?,
            step_only: match self.raw.verb {
                Verb::Init => Vec::new(),
                _ => self.pairs(SettingId::StepEnvFrom)?,
            },
            init: self.init()?,
            user: self.user(SettingId::User)?,
            // Without a server there is nothing to expand.
            expand_env: !words.is_empty() && self.switch(SettingId::ExpandEnv)?.value,
            words,
        })
    }

    fn unset_env(&self) -> Result<Vec<Setting<OsString>>, Failure> {
        let names = self.many(SettingId::UnsetEnv)?;
        for Setting { value, origin } in &names {
            if value.as_bytes().contains(&b'=') {
                return Err(Failure::usage(
                    format!("{origin}: `{}` is not a name", value.to_string_lossy()),
                    "write the variable's name alone",
                ));
            }
        }
        Ok(names)
    }

    fn init(&self) -> Result<InitSettings, Failure> {
        let on = match self.raw.verb {
            Verb::Init => Setting {
                value: true,
                origin: Origin::Default,
            },
            _ => self.switch(SettingId::Init)?,
        };
        if !on.value {
            self.refuse_parts()?;
            return Ok(InitSettings {
                init: None,
                origin: on.origin,
                parts: Vec::new(),
            });
        }
        let mut parts = Vec::new();
        let group = self.switch(SettingId::InitGroup)?;
        let aim = if group.value { Aim::Group } else { Aim::Server };
        if group.value {
            parts.push((SettingId::InitGroup, group.map(|_| "on".to_owned())));
        }
        let mut rewrites = Rewrites::default();
        for text in self.texts(SettingId::RewriteSignal)? {
            let (from, to) = rewrite(&text.value, &text.origin)?;
            rewrites.set(from, to);
            parts.push((SettingId::RewriteSignal, text));
        }
        let mut remaps = Remaps::default();
        for text in self.texts(SettingId::RemapExit)? {
            let (from, to) = remap(&text.value, &text.origin)?;
            remaps.set(from, to);
            parts.push((SettingId::RemapExit, text));
        }
        let mut death_signal = None;
        if let Some(text) = self.text(SettingId::ParentDeathSignal)? {
            death_signal = Some(signal(&text.value, &text.value, &text.origin)?);
            parts.push((SettingId::ParentDeathSignal, text));
        }
        Ok(InitSettings {
            init: Some(Init {
                aim,
                rewrites,
                remaps,
                grace: self.stop_grace()?.value,
                death_signal,
            }),
            origin: on.origin,
            parts,
        })
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
                    format!("{origin} without --init, so there is nobody to do it"),
                    format!("add --init, or leave {} out", id.flag()),
                ));
            }
        }
        Ok(())
    }

    fn texts(&self, id: SettingId) -> Result<Vec<Setting<String>>, Failure> {
        self.many(id)?.into_iter().map(into_text).collect()
    }

    /// A user that a setting names.
    pub(super) fn user(&self, id: SettingId) -> Result<Option<UserSetting>, Failure> {
        let Some(Setting { value, origin }) = self.text(id)? else {
            return Ok(None);
        };
        let value = find_user(value, &origin)?;
        Ok(Some(Setting { value, origin }))
    }
}

/// What a user is, beside its name.
pub(super) fn find_user(value: String, origin: &Origin) -> Result<(String, Identity), Failure> {
    match UserSpec::parse(&value).and_then(|spec| sys::user::find(&spec)) {
        Ok(identity) => Ok((value, identity)),
        Err(error) => Err(Failure::usage(
            format!("{origin}: `{value}` {}", error.what),
            error.hint,
        )),
    }
}

impl ServerSettings {
    pub(super) fn rows(&self, rows: &mut Rows) {
        for name in &self.unset_env {
            rows.text(SettingId::UnsetEnv, name);
        }
        rows.user(SettingId::User, self.user.as_ref());
    }
}

impl InitSettings {
    pub(super) fn rows(&self, rows: &mut Rows) {
        let state = if self.init.is_some() { "on" } else { "off" };
        rows.push(SettingId::Init, state, &self.origin);
        for (id, Setting { value, origin }) in &self.parts {
            rows.push(*id, &**value, origin);
        }
    }
}

fn rewrite(text: &str, origin: &Origin) -> Result<(i32, i32), Failure> {
    let Some((from, to)) = text.split_once(':') else {
        return Err(Failure::usage(
            format!("{origin}: `{text}` is not FROM:TO"),
            "write two signals, as in TERM:QUIT or 15:3; FROM:0 drops one",
        ));
    };
    let from = signal(from, text, origin)?;
    let to = if to == "0" {
        0
    } else {
        signal(to, text, origin)?
    };
    for number in [from, to] {
        // signal(7): neither can be caught, blocked or ignored.
        if matches!(signals::name(number).as_str(), "SIGKILL" | "SIGSTOP") {
            return Err(Failure::usage(
                format!(
                    "{origin}: `{text}` has {}, which no program can catch",
                    signals::name(number)
                ),
                "name a signal that reaches the server, such as TERM, INT or QUIT",
            ));
        }
    }
    if signals::name(from) == "SIGCHLD" {
        return Err(Failure::usage(
            format!("{origin}: `{text}` has SIGCHLD, which is launchgate's own and not forwarded"),
            "leave it out",
        ));
    }
    Ok((from, to))
}

fn signal(name: &str, text: &str, origin: &Origin) -> Result<i32, Failure> {
    signals::number(name).ok_or_else(|| {
        let what = if name == text {
            format!("{origin}: `{text}` is no signal")
        } else {
            format!("{origin}: `{name}` in `{text}` is no signal")
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

/// A sign is no part of a code.
fn code(text: &str) -> Option<u8> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}
