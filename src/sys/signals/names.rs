//! The names of signals, and the numbers they stand for.

use super::{LAST, Signal};

const FIRST_REAL_TIME: Signal = 34;

/// The signal's name, as in `SIGTERM`.
pub fn name(number: Signal) -> String {
    match signal_hook::low_level::signal_name(number) {
        Some(name) => name.to_owned(),
        None => format!("signal {number}"),
    }
}

/// Parses a name or a number: with or without `SIG`, in any case, and `RTMIN+n` or `RTMAX-n` for
/// real-time signals, which count from 34 as in glibc and the shells, whichever C library
/// launchgate is linked with.
pub fn number(text: &str) -> Option<Signal> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return digits(text).filter(|number| *number >= 1);
    }
    let upper = text.to_ascii_uppercase();
    let short = upper.strip_prefix("SIG").unwrap_or(&upper);
    for (name, base, sign) in [("RTMIN", FIRST_REAL_TIME, '+'), ("RTMAX", LAST, '-')] {
        let Some(rest) = short.strip_prefix(name) else {
            continue;
        };
        let count = match rest {
            "" => 0,
            rest => digits(rest.strip_prefix(sign)?)?,
        };
        let number = if sign == '+' {
            base + count
        } else {
            base - count
        };
        return (FIRST_REAL_TIME..=LAST).contains(&number).then_some(number);
    }
    match short {
        "CLD" => Some(libc::SIGCHLD),
        "IOT" => Some(libc::SIGABRT),
        "POLL" => Some(libc::SIGIO),
        short => nix::sys::signal::Signal::iterator()
            .find(|signal| signal.as_str()[3..] == *short)
            .map(|signal| signal as Signal),
    }
}

/// A number up to that of the last signal.
fn digits(text: &str) -> Option<Signal> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|n| is_number && *n <= LAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_and_every_name_of_linux_is_known() {
        for n in 1..=LAST {
            assert_eq!(number(&n.to_string()), Some(n));
        }
        let names = [
            "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV",
            "USR2", "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN",
            "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
        ];
        for (name, n) in names.into_iter().zip(1..) {
            for text in [name.to_owned(), format!("SIG{name}"), name.to_lowercase()] {
                assert_eq!(number(&text), Some(n), "{text}");
            }
        }
        for (name, n) in [("CLD", 17), ("IOT", 6), ("SIGPOLL", 29)] {
            assert_eq!(number(name), Some(n));
        }
    }

    #[test]
    fn real_time_signals_count_from_both_ends() {
        for n in 0..=30 {
            assert_eq!(number(&format!("RTMIN+{n}")), Some(34 + n));
            assert_eq!(number(&format!("SIGRTMAX-{n}")), Some(64 - n));
        }
        assert_eq!(number("rtmin"), Some(34));
        assert_eq!(number("SIGRTMAX"), Some(64));
    }

    #[test]
    fn other_text_is_not_a_signal() {
        for text in [
            "",
            "SIG",
            "0",
            "65",
            "-1",
            "+9",
            "1.5",
            "TERMX",
            "SIGSIGTERM",
            "RTMIN+31",
            "RTMAX-31",
            "RTMIN-1",
            "RTMAX+1",
            "RTMIN+",
            "RTMIN+-1",
            "RTMINX",
            "99999999999999999999",
            "RTMIN+99999999999999999999",
            "SIGTERM ",
            "ÄÖÜ",
        ] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
