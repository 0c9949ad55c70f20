//! What the server and the steps run as, and whether launchgate stays in front of the server.

use super::{InitSettings, Origin, Setting, Sources, flag};
use crate::exit::Failure;
use crate::sys::forwarding::{Aim, Init, Remaps, Rewrites};
use crate::sys::identity::{Identity, UserSpec};
use crate::sys::signals;

/// Everything here. Most starts use none of it, and then none is parsed.
const ALL: [&str; 7] = [
    "init",
    "init_group",
    "rewrite_signal",
    "remap_exit",
    "parent_death_signal",
    "user",
    "step_user",
];

/// What means nothing without `--init`.
const PARTS: [&str; 4] = [
    "init_group",
    "rewrite_signal",
    "remap_exit",
    "parent_death_signal",
];

impl Sources<'_> {
    fn has_none(&self) -> bool {
        !self.raw.gives_any(&ALL)
            && ALL.iter().all(|id| self.variable_value(id).is_none())
            && self.file.is_none_or(|file| !file.sets_any(&ALL))
    }

    /// Whether and how launchgate stays in front of the server.
    pub fn init(&self) -> Result<InitSettings, Failure> {
        if self.has_none() {
            return Ok(InitSettings {
                init: None,
                origin: Origin::Default,
                parts: Vec::new(),
            });
        }
        let on = self.switch("init")?;
        if !on.value {
            self.refuse_parts()?;
            return Ok(InitSettings {
                init: None,
                origin: on.origin,
                parts: Vec::new(),
            });
        }
        let mut parts = Vec::new();
        let group = self.switch("init_group")?;
        let aim = if group.value { Aim::Group } else { Aim::Server };
        if group.value {
            parts.push(("init-group", "on".to_owned(), group.origin));
        }
        let mut rewrites = Rewrites::default();
        for (text, origin) in self.texts("rewrite_signal")? {
            let (from, to) = rewrite(&text, &origin)?;
            rewrites.set(from, to);
            parts.push(("rewrite-signal", text, origin));
        }
        let mut remaps = Remaps::default();
        for (text, origin) in self.texts("remap_exit")? {
            let (from, to) = remap(&text, &origin)?;
            remaps.set(from, to);
            parts.push(("remap-exit", text, origin));
        }
        let mut death_signal = None;
        if let Some(Setting { value, origin }) = self.text("parent_death_signal")? {
            death_signal = Some(signal(&value, &value, &origin)?);
            parts.push(("parent-death-signal", value, origin));
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
            let origin = if id == "init_group" {
                let group = self.switch(id)?;
                group.value.then_some(group.origin)
            } else {
                self.many(id)?.into_iter().next().map(|s| s.origin)
            };
            if let Some(origin) = origin {
                return Err(Failure::usage(
                    format!("{origin} without --init, so there is nobody to do it"),
                    format!("add --init, or leave {} out", flag(id)),
                ));
            }
        }
        Ok(())
    }

    fn texts(&self, id: &str) -> Result<Vec<(String, Origin)>, Failure> {
        self.many(id)?
            .into_iter()
            .map(|setting| super::sources::into_text(setting).map(|s| (s.value, s.origin)))
            .collect()
    }

    /// What the server runs as, where that is set.
    pub fn user(&self) -> Result<Option<Setting<(String, Identity)>>, Failure> {
        if self.has_none() {
            return Ok(None);
        }
        self.identity("user")
    }

    /// What the steps run as, where that is set, by `--step-user` or `--user`.
    pub fn step_user(&self) -> Result<Option<Setting<(String, Identity)>>, Failure> {
        if self.has_none() {
            return Ok(None);
        }
        match self.identity("step_user")? {
            Some(found) => Ok(Some(found)),
            None => self.user(),
        }
    }

    fn identity(&self, id: &str) -> Result<Option<Setting<(String, Identity)>>, Failure> {
        let Some(Setting { value, origin }) = self.text(id)? else {
            return Ok(None);
        };
        let value = self.find(value, &origin)?;
        Ok(Some(Setting { value, origin }))
    }

    /// What a user is, beside its name.
    pub(super) fn find(
        &self,
        value: String,
        origin: &Origin,
    ) -> Result<(String, Identity), Failure> {
        match UserSpec::parse(&value).and_then(|spec| (self.find_user)(&spec)) {
            Ok(identity) => Ok((value, identity)),
            Err(error) => Err(Failure::usage(
                format!("{origin}: `{value}` {}", error.what),
                error.hint,
            )),
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
