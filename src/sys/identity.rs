//! Users: the notation, and the numbers behind it.
//!
//! Pure. `sys::user` looks names up.

/// `USER`, `USER:GROUP` or `:GROUP`, names or numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSpec {
    /// The user; `None` is the current one.
    pub user: Option<Id>,
    /// The group, if one is given.
    pub group: Option<Id>,
}

/// A user or a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Id {
    /// Its number, whether or not an account has it.
    Number(u32),
    /// Its name.
    Name(String),
}

/// What a process runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user's number.
    pub user: u32,
    /// The group's number.
    pub group: u32,
    /// The supplementary groups.
    pub groups: Vec<u32>,
    /// `HOME`.
    pub home: Vec<u8>,
}

/// Why this is not a user: the end of a sentence about what was written, and what to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserError {
    /// What is wrong with it.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

impl UserError {
    pub(super) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            hint: hint.into(),
        }
    }
}

/// The highest number accepted; gosu and Docker have the same limit.
const MOST: u32 = i32::MAX.cast_unsigned();

impl UserSpec {
    /// Reads `USER[:GROUP]` or `:GROUP`.
    pub fn parse(text: &str) -> Result<Self, UserError> {
        let (user, group) = match text.split_once(':') {
            // As in gosu: nothing after the colon means no group.
            Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
            None => (text, None),
        };
        if user.is_empty() && group.is_none() {
            return Err(UserError::new(
                "has neither a user nor a group",
                "write USER, USER:GROUP or :GROUP, as names or IDs",
            ));
        }
        let user = Some(user).filter(|user| !user.is_empty());
        Ok(Self {
            user: user.map(id).transpose()?,
            group: group.map(id).transpose()?,
        })
    }
}

fn id(text: &str) -> Result<Id, UserError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return match text.parse::<u32>() {
            Ok(number) if number <= MOST => Ok(Id::Number(number)),
            _ => Err(UserError::new(
                "has an invalid user or group ID",
                format!("write a number from 0 to {MOST}"),
            )),
        };
    }
    if text.contains(['\0', '\n', ':']) {
        return Err(UserError::new(
            "is not a valid user",
            "write USER or USER:GROUP, as names or IDs",
        ));
    }
    Ok(Id::Name(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_and_a_group_are_names_or_numbers() {
        let name = |text: &str| Id::Name(text.to_owned());
        for (text, user, group) in [
            ("node", Some(name("node")), None),
            ("1000", Some(Id::Number(1000)), None),
            ("node:www", Some(name("node")), Some(name("www"))),
            ("0:0", Some(Id::Number(0)), Some(Id::Number(0))),
            ("node:", Some(name("node")), None),
            (":www", None, Some(name("www"))),
            (":0", None, Some(Id::Number(0))),
            ("0day", Some(name("0day")), None),
            ("2147483647", Some(Id::Number(2_147_483_647)), None),
        ] {
            assert_eq!(UserSpec::parse(text), Ok(UserSpec { user, group }));
        }
    }

    #[test]
    fn what_is_no_user_is_refused() {
        for text in [
            "",
            ":",
            ":a:b",
            "a:b:c",
            "-1",
            "2147483648",
            "99999999999",
            "a:-1",
            "a\nb",
        ] {
            assert!(UserSpec::parse(text).is_err(), "{text}");
        }
    }
}
