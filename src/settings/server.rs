//! The server: its command, environment and user, and whether launchgate stays as its init.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::origin::{Setting, UserSetting};
use super::parse::{parse_remap, parse_rewrite, parse_signal, parse_user};
use super::sources::Sources;
use super::steps::StartCommandSettings;
use super::values::into_text;
use crate::cli::{Operand, SettingId, Verb};
use crate::exit::{Failure, Problem};
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
        let words = self.raw.words(Operand::Server);
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
        for name in self.many(SettingId::UnsetEnv)? {
            hidden.push(name.try_map(|name| {
                if name.as_bytes().contains(&b'=') {
                    let what = format!("`{}` is not a valid variable name", name.display());
                    return Err(Problem::new(what, "write only the variable's name"));
                }
                Ok(name.into_vec())
            })?);
        }
        if self.raw.verb != Verb::Init {
            let pairs = self.pairs(SettingId::StepEnvFrom)?.into_iter();
            hidden.extend(pairs.map(|pair| pair.map(|(_, source)| source)));
        }
        Ok(hidden)
    }

    fn init(&self) -> Result<Option<Init>, Failure> {
        if self.raw.verb != Verb::Init && !self.switch(SettingId::Init)?.value {
            self.refuse_parts()?;
            return Ok(None);
        }
        Ok(Some(Init {
            aim: if self.switch(SettingId::InitGroup)?.value {
                Aim::Group
            } else {
                Aim::Server
            },
            rewrites: self.rules(SettingId::RewriteSignal, parse_rewrite, signals::name)?,
            remaps: self.rules(SettingId::RemapExit, parse_remap, |code| code.to_string())?,
            grace: self.stop_grace()?.value,
            death_signal: self
                .parsed_if_set(SettingId::ParentDeathSignal, parse_signal)?
                .map(|signal| signal.value),
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

    /// The rules of a setting that makes one number of another. Two for one number are refused: which of them
    /// counts is not for launchgate to guess.
    fn rules<T: Copy + PartialEq>(
        &self,
        id: SettingId,
        parser: fn(&str) -> Result<(T, T), Problem>,
        name: impl Fn(T) -> String,
    ) -> Result<Vec<(T, T)>, Failure> {
        let mut rules: Vec<(T, T)> = Vec::new();
        for setting in self.many(id)? {
            let rule = into_text(setting)?.parse(|text| {
                let (from, to) = parser(text)?;
                if rules.iter().any(|(seen, _)| *seen == from) {
                    let what = format!("is the second rule for {}", name(from));
                    return Err(Problem::new(what, "keep one of them"));
                }
                Ok((from, to))
            })?;
            rules.push(rule.value);
        }
        Ok(rules)
    }

    /// The user that a setting names, looked up.
    pub(super) fn user(&self, id: SettingId) -> Result<Option<UserSetting>, Failure> {
        self.parsed_if_set(id, parse_user)
    }
}
