//! What `convert` is given.
//!
//! "It never proposes a command that does less, more, or something else than the chain" (contract,
//! section 2)

use std::ffi::OsString;
use std::slice;

use launchgate::cli::{self, Parsed};
use launchgate::convert::{KnownDatabase, Proposal, convert};
use launchgate::exit::Failure;
use launchgate::redact;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseResult;

use crate::harness::{assert_hidden, for_all, for_some};
use crate::inputs::{encoded, one_of, password, pieces};

/// As it is where the database is known.
const SURROUNDINGS: KnownDatabase<'static> = KnownDatabase {
    url_variables: &["DATABASE_URL"],
    has_url: true,
};

/// A word that a command is given.
fn word() -> impl Strategy<Value = String> + Clone {
    one_of(&[
        "x", "--y=z", "$X", "\"$X\"", "${X:-y}", "'a b'", "\"a $X\"", "$(b)", "`c`", "*", "~",
        "a\\ b", "''", "$1", "\"$@\"", "#", "é", "{}", "=", "$$", "-", "a;b", "\\", "'", "\"",
        "[x]", "!", "$((1+2))", "{a,b}", "<(x)",
    ])
}

/// One command without what shells add to it.
fn simple() -> impl Strategy<Value = String> + Clone {
    let command = one_of(&[
        "./migrate",
        "npx prisma migrate deploy",
        "bundle exec rails db:migrate",
        "python manage.py migrate --noinput",
        "alembic upgrade head",
        "php artisan migrate --force",
        "node server.js",
        "exec ./serve",
        "gunicorn app:app",
        "npm start",
        "cd /app",
        "set -e",
        "set -euo pipefail",
        "export A=1",
        "A=1 ./run",
        "A=$X",
        "true",
        "exit 1",
        "echo hi",
        "sleep 5",
        "wait-for-it db:5432 --",
        "tini --",
        "gosu nobody",
        "env B=2",
        "exec \"$@\"",
        "source ./env",
        ". ./env",
        "umask 022",
        "trap 'x' TERM",
        "wait",
        "nginx -g 'daemon off;'",
        "sh -c './migrate; ./serve'",
        "exec",
        "bash -lc",
        "rm -f tmp/pids/server.pid",
        "pg_isready",
        "nohup",
        "time ./migrate",
        "! ./migrate",
        "[ -f x ]",
        "[[ -n $X ]]",
        "test -n \"$X\"",
        "eval x",
        "dumb-init -r 15:3",
        "exec su-exec nobody:nogroup",
        "A=1 B='2 3' exec ./serve",
        "read x",
        "return 0",
        "shift",
        "php-fpm",
        "kill -TERM 1",
    ]);
    let redirect = one_of(&[
        "",
        "",
        "",
        "",
        "",
        ">x",
        "2>&1",
        "</dev/null",
        ">>\"$X\"",
        "<<E\na $X\nE\n",
        "<<-'E'\n\tE\n",
        ">&-",
        "<<<x",
    ]);
    (command, prop::collection::vec(word(), 0..3), redirect)
        .prop_map(|(command, words, redirect)| format!("{command} {} {redirect}", words.join(" ")))
}

/// A shell's text.
fn text() -> impl Strategy<Value = String> {
    let joint = || {
        one_of(&[
            "; ",
            " && ",
            " && ",
            "\n",
            "\n",
            " || ",
            " | ",
            " & ",
            "\\\n && ",
            ";\n\n# c\n",
        ])
    };
    let join = |parts: Vec<(String, String)>| {
        let texts = parts.into_iter().map(|(text, joint)| text + &joint);
        texts
            .collect::<String>()
            .trim_end_matches([' ', '&', '|'])
            .to_owned()
    };
    simple().prop_recursive(4, 24, 4, move |inner| {
        let list = prop::collection::vec((inner.clone(), joint()), 1..4).prop_map(join);
        let compound = select(vec![
            ("{ ", "; }"),
            ("( ", " )"),
            ("if a; then ", "; fi"),
            ("if [ -n \"$X\" ]; then ", "; else b; fi"),
            ("until pg_isready; do ", "; done"),
            ("while ! nc -z db 1; do ", "; done"),
            ("for x in a b; do ", "; done"),
            ("case $X in a) ", ";; *) b;; esac"),
            ("f() { ", "; }; f"),
            ("sh -c '", "'"),
            ("bash -ec \"", "\""),
            ("$(", ")"),
            ("\"$(", ")\""),
            ("! ", ""),
            ("exec ", ""),
            ("time ", ""),
            ("${X:-", "}"),
            ("function f { ", "\n}\nf"),
            ("(( ", " ))"),
            ("[[ ", " ]]"),
            ("cat <<E\n", "\nE\n"),
            ("", ""),
        ]);
        let wrapped = (list.clone(), compound)
            .prop_map(|(text, (open, close))| format!("{open}{text}{close}"));
        prop_oneof![2 => list, 1 => wrapped]
    })
}

/// A text in one of the forms that people have it in.
fn chain() -> impl Strategy<Value = Vec<String>> {
    let form = select((0..14).collect::<Vec<_>>());
    (prop_oneof![9 => text(), 1 => pieces(PIECES, 24)], form).prop_map(|(text, form)| {
        let json = serde_json::to_string(&text).unwrap();
        let indented = text.replace('\n', "\n      ");
        let line = text.replace('\n', "; ");
        let one = |text: String| vec![text];
        match form {
            0 | 1 => one(text),
            2 => ["sh", "-c", &text].map(str::to_owned).to_vec(),
            3 => ["/bin/bash", "-eo", "pipefail", "-c", &text]
                .map(str::to_owned)
                .to_vec(),
            4 => one(format!("[\"sh\", \"-c\", {json}]")),
            5 => one(format!("CMD {line}")),
            6 => one(format!("ENTRYPOINT [\"sh\", \"-c\", {json}]\nCMD [\"x\"]")),
            7 => one(format!("web: {line}")),
            8 => one(format!("release: ./migrate\nweb: {line}\nworker: y\n")),
            9 => one(format!(
                "command:\n  - sh\n  - -c\n  - |\n      {indented}\n"
            )),
            10 => one(format!("command: [\"sh\", \"-c\"]\nargs: [{json}]\n")),
            11 => one(format!("entrypoint: sh -c\ncommand: {json}\n")),
            12 => one(format!("#!/bin/sh\nset -e\n{text}\nexec \"$@\"\n")),
            _ => text.split_whitespace().map(str::to_owned).collect(),
        }
    })
}

const PIECES: &[&str] = &[
    "command: ",
    "args: ",
    "entrypoint: ",
    "- ",
    "  ",
    "\n",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "|",
    ">-",
    "|2",
    ": ",
    "#",
    ",",
    "&a ",
    "*a",
    "!!str ",
    "CMD ",
    "ENTRYPOINT ",
    "RUN ",
    "\\",
    "web: ",
    "release: ",
    "sh",
    "-c",
    "$$",
    "$(A)",
    "$",
    "./migrate",
    "./serve",
    "%",
    "---\n",
    "\t",
    "<<E\n",
    "E\n",
    "if",
    "while ",
    "(",
    ")",
    "`",
];

/// launchgate takes what is proposed: it is a command line, and its steps are commands.
fn launchgate_takes(proposal: &Proposal) -> TestCaseResult {
    let own = proposal.words.iter().position(|word| word == "launchgate");
    let args: Vec<OsString> = proposal.words[own.unwrap_or_default()..]
        .iter()
        .map(OsString::from)
        .collect();
    match cli::parse(&args) {
        Ok(Parsed::Command(_)) => Ok(()),
        other => Err(TestCaseError::fail(format!(
            "{other:?} for {:?}",
            proposal.words
        ))),
    }
}

#[test]
fn any_chain_is_converted_or_refused() {
    for_all(chain(), |words| {
        let report = convert(&words, &SURROUNDINGS);
        let page = report.page();
        prop_assert!(!page.contains('\x1b') && !page.contains('\0'), "{page:?}");
        match &report.outcome {
            Ok(proposal) => launchgate_takes(proposal),
            Err(refusal) => {
                prop_assert!(!refusal.what.is_empty());
                Ok(())
            }
        }
    });
}

#[test]
fn no_long_text_takes_long() {
    let part = prop_oneof![3 => text(), 1 => pieces(PIECES, 6), 2 => word(), 1 => "[(){}\\[\\]$`'\"|&;<>!#\n ]{1,3}"];
    for_some(
        (part, 1..3000_usize, any::<bool>()),
        |(part, times, is_closed)| {
            let mut text = part.repeat(times);
            let end = (0..=text.len().min(20_000))
                .rev()
                .find(|&at| text.is_char_boundary(at));
            text.truncate(end.unwrap_or_default());
            if is_closed {
                text.push_str("; ./migrate && ./serve");
            }
            for words in [vec![text.clone()], vec!["bash".into(), "-c".into(), text]] {
                let _ = convert(&words, &SURROUNDINGS).page();
            }
            Ok(())
        },
    );
}

/// The proposal is there to be copied, so it keeps its passwords; what is said about the chain does not.
#[test]
fn what_is_said_about_a_chain_shows_no_password() {
    let chain = prop::collection::vec(simple(), 0..3);
    let place = select((0..5).collect::<Vec<_>>());
    for_all(
        (chain, password(), place, "[a-z ]{0,60}"),
        |(chain, password, place, filling)| {
            let url = format!("postgres://user:{}@host/db", encoded(&password));
            let command = match place {
                0 => format!("psql {url} -c '{filling}'"),
                1 => format!("DATABASE_URL='{url}' {filling} ./migrate"),
                2 => format!("export DATABASE_URL={url}"),
                3 => format!("until psql \"{url}\"; do sleep 1; done"),
                _ => format!("if {filling}; then ./migrate --url {url}; fi"),
            };
            let text =
                chain
                    .into_iter()
                    .chain([command, "./migrate".into(), "exec ./serve".into()]);
            let text = text.collect::<Vec<_>>().join(" && ");
            let report = convert(slice::from_ref(&text), &SURROUNDINGS);
            for said in report.wrong.iter().chain(&report.notes) {
                let shown = redact::passwords(said).into_owned();
                assert_hidden(&(&text, &shown), &shown)?;
            }
            if let Err(refusal) = report.outcome {
                let failure = Failure::usage(refusal.what, refusal.hint);
                let shown = failure.problem().to_string();
                assert_hidden(&(&text, &shown), &shown)?;
            }
            Ok(())
        },
    );
}
