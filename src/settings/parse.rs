//! Parsers. What is wrong with a value is the end of a sentence that begins with the value.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::db::ledger::LONGEST_LEASE;
use crate::db::migrator::LayoutKind;
use crate::exit::Problem;
use crate::output::options::{Format, HealthAddress};
use crate::placeholder::{self, Context};
use crate::redact;
use crate::sys;
use crate::sys::identity::{Identity, UserSpec};
use crate::sys::signals;

pub(super) fn parse_switch(text: &str) -> Result<bool, Problem> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(Problem::new(
            "is not a valid switch",
            "write 1, true, yes or on, or 0, false, no or off",
        )),
    }
}

pub(super) fn parse_layout(text: &str) -> Result<LayoutKind, Problem> {
    LayoutKind::named(text).ok_or_else(|| {
        let names = LayoutKind::ALL.map(LayoutKind::as_str).join(", ");
        Problem::new(
            "is not a valid layout of migrations",
            format!("write one of: {names}"),
        )
    })
}

/// `500ms`, `30s`, `5m`, `1h30m`, `0`.
pub(super) fn parse_duration(text: &str) -> Result<Duration, Problem> {
    let remedy = "write a number with a unit, as in 500ms, 30s, 5m or 1h30m";
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return if text.bytes().all(|byte| byte == b'0') {
            Ok(Duration::ZERO)
        } else {
            Err(Problem::new(
                "has no unit",
                format!("write {text}s for seconds, or another unit"),
            ))
        };
    }
    // The library also reads months and years, and `M`, which is easily meant as minutes.
    let units = text
        .split(|c: char| c.is_ascii_digit())
        .filter(|unit| !unit.is_empty());
    if !units
        .clone()
        .all(|unit| matches!(unit, "ms" | "s" | "m" | "h" | "d"))
    {
        return Err(Problem::new("is not a valid duration", remedy));
    }
    humantime::parse_duration(text).map_err(|_| Problem::new("is not a valid duration", remedy))
}

/// A duration of which 0 is no limit.
pub(super) fn parse_limit(text: &str) -> Result<Option<Duration>, Problem> {
    let limit = parse_duration(text)?;
    Ok(Some(limit).filter(|limit| !limit.is_zero()))
}

pub(super) fn parse_lease(text: &str) -> Result<Duration, Problem> {
    let lease = parse_duration(text)?;
    if lease < Duration::from_secs(3) || lease > LONGEST_LEASE {
        return Err(Problem::new(
            "is not a valid lease",
            "write a duration from 3s to 1h",
        ));
    }
    Ok(lease)
}

pub(super) fn parse_count(text: &str) -> Result<Option<u32>, Problem> {
    let count = number(text, "write a whole number; 0 is no limit")?;
    Ok(Some(count).filter(|count| *count > 0))
}

pub(super) fn parse_times(text: &str) -> Result<u32, Problem> {
    number(text, "write a whole number; 0 means never")
}

fn number(text: &str, hint: &str) -> Result<u32, Problem> {
    let number = text.parse();
    number.map_err(|_| Problem::new("is not a valid number", hint))
}

/// Whether a text has at most this many bytes, and no control character.
fn is_line(text: &str, most: usize) -> bool {
    text.len() <= most && !text.contains(char::is_control)
}

pub(super) fn parse_app(text: &str) -> Result<String, Problem> {
    if !is_line(text, 255) || text.trim() != text {
        return Err(Problem::new(
            "is not a valid app name",
            "use at most 255 bytes, no control characters, and no spaces at either end",
        ));
    }
    refuse_other_than_name(text, "the app's name", "web")?;
    Ok(text.to_owned())
}

/// A database URL or a placeholder where a name belongs.
fn refuse_other_than_name(text: &str, what: &str, example: &str) -> Result<(), Problem> {
    if text.contains("://") || redact::passwords(text) != text {
        return Err(Problem::new(
            format!(
                "is a URL or contains a password, and everyone who can read the ledger sees {what}"
            ),
            format!(
                "write a short name, such as {example}; the database URL goes in --database-url"
            ),
        ));
    }
    if let Some(found) = placeholder::find(text, Context::Name) {
        return Err(Problem::new(
            format!(
                "still contains the placeholder `{}`",
                redact::part(text, found)
            ),
            format!("without a shell nothing is expanded: write {what} itself"),
        ));
    }
    Ok(())
}

/// The name of a schema or a database. Postgres would cut off what is longer, and keeps names that begin
/// with `pg_` for itself.
pub(super) fn parse_ledger(text: &str) -> Result<String, Problem> {
    refuse_other_than_name(text, "the name of the ledger's schema or database", "ops")?;
    if !is_line(text, 63) || text.starts_with("pg_") {
        return Err(Problem::new(
            "is not a valid name for the ledger's schema or database",
            "use at most 63 bytes, no control characters, and no `pg_` in front",
        ));
    }
    Ok(text.to_owned())
}

/// `:8080` is every address of the machine, IPv6 and IPv4.
pub(super) fn parse_health(text: &str) -> Result<HealthAddress, Problem> {
    let remedy = "write :8080, 127.0.0.1:8080 or [::1]:8080";
    let addresses = match text.strip_prefix(':') {
        Some(port) => {
            let digits = port.bytes().all(|byte| byte.is_ascii_digit());
            let port: u16 = port
                .parse()
                .ok()
                .filter(|_| digits)
                .ok_or_else(|| Problem::new("has no valid port", remedy))?;
            let (six, four) = (Ipv6Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED);
            vec![(six, port).into(), (four, port).into()]
        }
        None => vec![
            text.parse()
                .map_err(|_| Problem::new("is not a valid address and port", remedy))?,
        ],
    };
    Ok(HealthAddress {
        text: text.to_owned(),
        addresses,
        source: String::new(),
    })
}

/// The name of a step; the ledger's column for it holds 255 bytes.
pub(super) fn parse_name(text: &str) -> Result<String, Problem> {
    if !is_line(text, 64) || text.trim() != text {
        return Err(Problem::new(
            format!("`{text}` is not a valid step name"),
            "use at most 64 bytes, no control characters, and no spaces at either end",
        ));
    }
    Ok(text.to_owned())
}

pub(super) fn parse_pid(text: &str) -> Result<i32, Problem> {
    let pid = text.parse().ok().filter(|pid| *pid > 0);
    pid.ok_or_else(|| Problem::new("is not a valid process id", "write a number of 1 or more"))
}

pub(super) fn parse_format(text: &str) -> Result<Format, Problem> {
    let wrong = || Problem::new("is not a valid log format", "write `text` or `json`");
    Format::named(text).ok_or_else(wrong)
}

/// A user and who that is, looked up.
pub(super) fn parse_user(text: &str) -> Result<(String, Identity), Problem> {
    match UserSpec::parse(text).and_then(|spec| sys::user::find(&spec)) {
        Ok(identity) => Ok((text.to_owned(), identity)),
        Err(error) => Err(Problem::new(error.what, error.hint)),
    }
}

const SIGNAL: &str = "write a name, as in TERM, SIGQUIT or RTMIN+3, or a number from 1 to 64";

pub(super) fn parse_signal(text: &str) -> Result<i32, Problem> {
    signals::number(text).ok_or_else(|| Problem::new("is not a signal", SIGNAL))
}

/// `TERM:QUIT`, `15:3`; `15:0` drops 15.
pub(super) fn parse_rewrite(text: &str) -> Result<(i32, i32), Problem> {
    let Some((from, to)) = text.split_once(':') else {
        return Err(Problem::new(
            "is not FROM:TO",
            "write two signals, as in TERM:QUIT or 15:3; FROM:0 drops FROM",
        ));
    };
    let signal = |name: &str| {
        let what = || format!("contains `{name}`, which is not a signal");
        signals::number(name).ok_or_else(|| Problem::new(what(), SIGNAL))
    };
    let (from, to) = (signal(from)?, if to == "0" { 0 } else { signal(to)? });
    // They can't be caught, blocked or ignored (signal(7)).
    let mut names = [from, to].map(signals::name).into_iter();
    if let Some(name) = names.find(|name| matches!(name.as_str(), "SIGKILL" | "SIGSTOP")) {
        return Err(Problem::new(
            format!("contains {name}, which no program can catch"),
            "use a signal that can reach the server, such as TERM, INT or QUIT",
        ));
    }
    if signals::name(from) == "SIGCHLD" {
        return Err(Problem::new(
            "has SIGCHLD, which launchgate handles itself, so it is not forwarded",
            "remove it",
        ));
    }
    Ok((from, to))
}

/// `143:0`: two exit codes, without signs.
pub(super) fn parse_remap(text: &str) -> Result<(u8, u8), Problem> {
    let code = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| digits)
    };
    let pair = text
        .split_once(':')
        .and_then(|(from, to)| Some((code(from)?, code(to)?)));
    pair.ok_or_else(|| {
        Problem::new(
            "is not FROM:TO",
            "write two exit codes from 0 to 255, as in 143:0",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_want_a_unit() {
        assert_eq!(parse_duration("500ms").unwrap(), Duration::from_millis(500));
        assert_eq!(parse_duration("1h30m").unwrap(), Duration::from_mins(90));
        assert_eq!(parse_duration("0").unwrap(), Duration::ZERO);
        assert_eq!(parse_duration("0s").unwrap(), Duration::ZERO);
        for text in [
            "30",
            "",
            "s",
            "5M",
            "1y",
            "-5s",
            "5 s",
            "1.5h",
            "99999999999999999999h",
            "10sec",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_is_no_url_and_no_placeholder() {
        for text in ["web", "web-2", "shop/web", "a b", "web@v1"] {
            assert!(parse_app(text).is_ok(), "{text}");
        }
        for text in [
            "postgres://u:p@h/d",
            "https://shop",
            "postgres:u:geheim@h/d",
            "host=h password=geheim",
            "$APP",
            "<no value>",
            " web",
        ] {
            assert!(parse_app(text).is_err(), "{text}");
        }
        assert!(parse_ledger("ops").is_ok());
        for text in [
            "postgres://u:p@h/d",
            "$LEDGER",
            "${LEDGER}",
            "pg_ops",
            "host=h password=geheim",
        ] {
            assert!(parse_ledger(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_lease_has_bounds() {
        assert!(parse_lease("3s").is_ok() && parse_lease("1h").is_ok());
        assert!(
            parse_lease("2999ms").is_err()
                && parse_lease("61m").is_err()
                && parse_lease("0").is_err()
        );
    }
}
