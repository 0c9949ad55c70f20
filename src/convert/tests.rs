use proptest::prelude::*;

use super::*;
use crate::cli::{self, Operand, Parsed, SettingId};

fn one(text: &str) -> (Findings, Result<Proposal, Unsure>) {
    propose(&[text.to_owned()])
}

/// The command proposed for a text, as it is typed.
fn line(text: &str) -> String {
    match one(text) {
        (_, Ok(proposal)) => proposal.command_line(),
        (findings, Err(unsure)) => panic!("{text}: {unsure:?}\n{findings:#?}"),
    }
}

/// Why no command is proposed.
fn unsure(text: &str) -> String {
    match one(text) {
        (_, Err(unsure)) => format!("{}; {}", unsure.what, unsure.hint),
        (_, Ok(proposal)) => panic!("{text}: {}", proposal.command_line()),
    }
}

/// What is said of it.
fn said(text: &str) -> String {
    let (findings, outcome) = one(text);
    render::page(&findings, outcome.as_ref().ok())
}

const PLAIN: &str = "launchgate run --migrate 'node a.js' -- node b.js";

#[test]
fn every_way_to_write_a_chain_is_read() {
    for text in [
        r#"sh -c "node a.js; node b.js""#,
        "/bin/sh -c 'node a.js && node b.js'",
        "/bin/bash -ec 'node a.js; node b.js'",
        "exec sh -c 'node a.js; exec node b.js'",
        "ash -c 'node a.js\nnode b.js'",
        "dash -lc 'node a.js;node b.js;'",
        "busybox sh -c 'node a.js && node b.js'",
        "bash -euo pipefail -c 'node a.js && node b.js'",
        "sh -e -u -c 'node a.js && node b.js'",
        "node a.js; node b.js",
        "node a.js && exec node b.js",
        "\n  node a.js\n\n  # then the server\n  node b.js\n",
        "#!/bin/sh\nset -e\nnode a.js\nexec node b.js\n",
        r#"["sh", "-c", "node a.js; node b.js"]"#,
        r#"[ "/bin/sh", "-ec", "node a.js; node b.js" ]"#,
        r#"CMD ["sh", "-c", "node a.js && node b.js"]"#,
        "CMD node a.js && node b.js",
        r#"ENTRYPOINT ["sh", "-c", "node a.js && node b.js"]"#,
        r#"command: ["sh", "-c", "node a.js && node b.js"]"#,
        "{ node a.js; } && { node b.js; }",
        "node a.js || exit 1; node b.js",
        "node a.js || { echo failed; exit 1; }; node b.js",
        "node a.js || true; node b.js",
        "echo migrating; node a.js && echo starting && node b.js",
        "node a.js && node b.js 2>&1",
        "sleep 10; node a.js; node b.js",
        "node a.js; node b.js & wait",
        "node a.js; node b.js &\nwait $!",
        "node a.js; node b.js &",
        "until pg_isready -h db; do echo waiting; sleep 1; done; node a.js; node b.js",
        "until pg_isready\ndo\n  sleep 1\ndone\nnode a.js\nnode b.js",
        "while ! nc -z db 5432; do sleep 1; done; node a.js; node b.js",
        "while ! nc -z $POSTGRES_HOST $PORT; do sleep 1; done; node a.js; node b.js",
        "until psql \"$DATABASE_URL\" -c 'select 1'; do sleep 1; done; node a.js && node b.js",
        "./wait-for-it.sh db:5432 -- sh -c 'node a.js; node b.js'",
        "wait-for-it db:3306 && node a.js && node b.js",
        "dockerize -wait tcp://db:5432 sh -c 'node a.js; node b.js'",
        "nc -z postgres 5432 && node a.js && node b.js",
    ] {
        assert_eq!(line(text), PLAIN, "{text}");
    }
    let words = ["sh", "-c", "node a.js; node b.js"].map(str::to_owned);
    let (_, outcome) = propose(&words);
    assert_eq!(outcome.unwrap().command_line(), PLAIN);
}

#[test]
fn what_a_flag_of_launchgate_does_becomes_that_flag() {
    for (text, expected) in [
        ("a; b; c", "launchgate run --migrate a --migrate b -- c"),
        (
            "prisma migrate deploy && prisma db seed && node server.js",
            "launchgate run --migrate 'prisma migrate deploy' --migrate 'prisma db seed' -- node server.js",
        ),
        (
            "bundle exec rails db:migrate && exec bundle exec puma -C config/puma.rb",
            "launchgate run --migrate 'bundle exec rails db:migrate' -- bundle exec puma -C config/puma.rb",
        ),
        (
            "python manage.py migrate --noinput && gunicorn app.wsgi --bind 0.0.0.0:8000",
            "launchgate run --migrate 'python manage.py migrate --noinput' -- gunicorn app.wsgi --bind 0.0.0.0:8000",
        ),
        (
            "alembic upgrade head; uvicorn app:app --port $PORT",
            "launchgate run --expand-env --migrate 'alembic upgrade head' -- uvicorn app:app --port '${PORT}'",
        ),
        (
            "a \"x $Y\" && b '$Z' 5$ \"$W\"",
            "launchgate run --expand-env --migrate 'a \"x $Y\"' -- b '$$Z' '5$$' '${W}'",
        ),
        (
            "A=1 B='x y' a && b",
            "launchgate run --step-env 'A=1' --step-env 'B=x y' --migrate a -- b",
        ),
        (
            "DATABASE_URL=$ADMIN_URL a && b",
            "launchgate run --step-env-from 'DATABASE_URL=ADMIN_URL' --migrate a -- b",
        ),
        (
            "cd /app && export A=\"x y\" && a && C=2 b",
            "cd /app && A='x y' C=2 launchgate run --migrate a -- b",
        ),
        (
            "tini -- sh -c 'a; b'",
            "launchgate run --init --migrate a -- b",
        ),
        (
            "/sbin/tini -g -e 143 -- sh -c 'a; exec b'",
            "launchgate run --init --init-group --remap-exit 143:0 --migrate a -- b",
        ),
        (
            "dumb-init --rewrite 15:3 sh -c 'a && exec b'",
            "launchgate run --init --init-group --rewrite-signal 15:3 --migrate a -- b",
        ),
        (
            "gosu app:app sh -c 'a && exec b'",
            "launchgate run --user app:app --migrate a -- b",
        ),
        (
            "a && exec su-exec app b",
            "launchgate run --user app --step-user 0 --migrate a -- b",
        ),
        (
            "gosu app a && exec gosu app b",
            "launchgate run --user app --migrate a -- b",
        ),
        (
            "gosu app a && exec b",
            "launchgate run --step-user app --migrate a -- b",
        ),
        (
            "wait-for-it.sh -t 90 db:5432 -- sh -c 'a; b'",
            "launchgate run --wait-timeout 90s --migrate a -- b",
        ),
        (
            "dockerize -timeout=2m -wait tcp://mysql:3306 -- sh -c 'a; b'",
            "launchgate run --wait-timeout 2m --migrate a -- b",
        ),
        ("a && exec \"$@\"", "launchgate run --migrate a -- \"$@\""),
        ("node server.js", "launchgate run -- node server.js"),
    ] {
        assert_eq!(line(text), expected, "{text}");
    }
}

#[test]
fn what_needs_a_shell_is_given_to_one_as_it_is_written() {
    for (text, expected) in [
        (
            "yes | python manage.py migrate && serve",
            "launchgate run --shell --migrate 'yes | python manage.py migrate' -- serve",
        ),
        (
            "(cd m && node a) && serve",
            "launchgate run --shell --migrate '(cd m && node a)' -- serve",
        ),
        (
            "psql <x.sql; A=1 node \"b c\"; serve",
            "launchgate run --shell --migrate 'psql <x.sql' --migrate 'A=1 node \"b c\"' -- serve",
        ),
        (
            "for f in m/*.sql; do psql -f \"$f\"; done; serve",
            "launchgate run --shell --migrate 'for f in m/*.sql; do psql -f \"$f\"; done' -- serve",
        ),
        (
            "if [ \"$X\" = 1 ]; then a; fi; serve",
            "launchgate run --shell --migrate 'if [ \"$X\" = 1 ]; then a; fi' -- serve",
        ),
        (
            "case $X in 1) a ;; esac\nserve",
            "launchgate run --shell --migrate 'case $X in 1) a ;; esac' -- serve",
        ),
        (
            "psql -f m/*.sql && serve --port $PORT",
            "launchgate run --shell --migrate 'psql -f m/*.sql' -- sh -c 'exec serve --port $PORT'",
        ),
        (
            "a && serve --port ${PORT:-8000} >>log",
            "launchgate run --migrate a -- sh -c 'exec serve --port ${PORT:-8000} >>log'",
        ),
        (
            "a $X && serve --host $(hostname)",
            "launchgate run --expand-env --migrate 'a $X' -- sh -c 'exec serve --host $$(hostname)'",
        ),
        (
            "/bin/bash -c 'set -eo pipefail; a | tee log; b; serve'",
            "launchgate run --migrate \"/bin/bash -o errexit -o pipefail -c 'a | tee log'\" --migrate b -- serve",
        ),
        (
            "set -eo pipefail; a | tee log; serve",
            "launchgate run --shell --migrate 'set -o errexit; set -o pipefail; a | tee log' -- serve",
        ),
    ] {
        assert_eq!(line(text), expected, "{text}");
        assert!(said(text).contains("shell, for"), "{text}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (text, finding) in [
        (
            "a; b",
            "`;` goes on after a failure: `b` starts although `a` failed",
        ),
        ("a\nb", "a new line goes on after a failure"),
        ("set -e; a && b; c", "`;` goes on after a failure"),
        ("a && b", "every replica"),
        ("a && b", "no `exec` in front of the server"),
        ("a && exec b", "the shell is PID 1 while the steps run"),
        ("a | b; c", "a pipe hides the failure"),
        ("alembic upgrade head & b", "background job"),
        ("a & b", "background job"),
        ("a; b & wait", "put into the background and waited for"),
        ("a || true; b", "swallows the failure of `a`"),
        ("a || :; b", "swallows the failure of `a`"),
        (
            "until pg_isready; do sleep 1; done; b",
            "waits without an end",
        ),
        (
            "./wait-for-it.sh db:5432 -- b",
            "launchgate does that itself",
        ),
        ("sleep 5; b", "hopes that the database is there"),
        ("a && b | c", "the server is in a pipe"),
        ("set -e; a; b", "`set -e` is left out"),
        ("cd /app; a; b", "working folder"),
        ("export A=1; a; b", "variable of the container"),
        ("A=1 a; b", "`--step-env`"),
        ("a; npm start", "passes signals on badly"),
        ("node server.js", "nothing to migrate"),
        ("./entrypoint.sh", "it is a script"),
        ("sh -lc 'a; b'", "login shell"),
        ("psql postgres://u:secret@h/d; b", "there is a password"),
        ("a; b $X", "split the value of $X"),
        ("a >x; b", "needs a shell, for a redirection"),
        ("a *.sql; b", "needs a shell, for a pattern"),
        ("a `date`; b", "needs a shell, for a backtick"),
        ("tini -- sh -c 'a; b'", "no longer needs it"),
    ] {
        assert!(said(text).contains(finding), "{text}\n{}", said(text));
    }
    assert!(!said("set -e; a; b").contains("goes on"));
    assert!(!said("a; b; c").contains("`c` starts although"));
}

#[test]
fn what_can_not_be_told_is_said_and_nothing_is_proposed() {
    for (text, why) in [
        ("a & b", "second server"),
        ("nginx; node b", "is a server"),
        ("gunicorn a && celery b", "is a server"),
        ("a || b; c", "runs only where `a` fails"),
        ("a && b || c", "runs only where"),
        (
            "until curl http://api; do sleep 1; done; b",
            "not the database",
        ),
        ("until pg_isready; do node x; done; b", "not the database"),
        ("wait-for-it redis:6379 -- b", "may not be the database"),
        ("a; cd /app; b", "changes the folder"),
        ("cd $X; b", "changes the folder"),
        ("export A=$B; b", "more than NAME=value"),
        ("A=1; b", "variable of the shell"),
        (". ./env; b", "the shell itself"),
        ("trap x TERM; b", "the shell itself"),
        ("ulimit -n 1; b", "the shell itself"),
        ("[ -f x ] && a; b", "the shell itself"),
        ("exec a; b", "replaces the shell"),
        ("a; if x; then b; fi", "would be the server, is `if`"),
        ("if x; then exec a; fi; b", "decides about what is behind"),
        ("f() { a; }; f", "decides about what is behind"),
        ("! a; b", "decides about what is behind"),
        ("a; b | c", "would be the server, is a pipe"),
        ("a \"$1\"; b", "the shell's own"),
        ("cat <<E\nx\nE\nb", "here-document"),
        ("A=1 a; A=2 b; c", "another value"),
        ("prisma migrate deploy", "looks like a migration"),
        ("node a; prisma migrate deploy", "looks like a migration"),
        ("sh -c a b", "one text"),
        ("zsh -c 'a; b'", "a shell that is not read"),
        ("a 'b", "no complete shell command"),
        ("a; b;; c", "no complete shell command"),
        ("", "no command"),
        ("  # x", "no command"),
        ("sleep 5", "could be the server"),
        ("[\"sh\", -c]", "JSON array"),
        ("[]", "no command"),
        ("'node a.js'", "a space in it"),
        ("a\r\nb\r\n", "can't be seen"),
        ("a\u{a0}b; c", "can't be seen"),
        (
            "[\"node\", \"a\", \"&&\", \"node\", \"b\"]",
            "no shell reads it",
        ),
    ] {
        assert!(unsure(text).contains(why), "{text}: {}", unsure(text));
    }
}

#[test]
fn passwords_are_hidden_in_what_is_said_and_kept_in_what_is_copied() {
    let page = said("psql postgres://u:secret@h/d; node b");
    let (said, copied) = page.split_once("Instead:").unwrap();
    assert!(
        said.contains("u:***@h") && !said.contains("secret"),
        "{page}"
    );
    assert_eq!(copied.matches("u:secret@h/d").count(), 3, "{page}");
}

#[test]
fn kubernetes_reads_its_array_back_as_the_words() {
    let (_, outcome) = one("a $X && b '$C' '$(D)' '$$'");
    let proposal = outcome.unwrap();
    assert!(
        proposal
            .kubernetes_array()
            .ends_with(r#""$$$C", "$$$$(D)", "$$$$$$$"]"#),
        "{}",
        proposal.kubernetes_array()
    );
    assert_eq!(
        expanded_by_kubernetes(&proposal.kubernetes_array()),
        proposal.dockerfile_array()
    );
}

#[test]
fn a_step_that_begins_with_a_dash_is_no_flag() {
    let (_, proposal) = one("-jx; node b.js");
    let proposal = proposal.unwrap();
    hold_together(&proposal);
    assert!(proposal.words.contains(&"--migrate=-jx".to_owned()));
}

/// What Kubernetes does to each word: `$$` is one dollar, `$(NAME)` a variable.
fn expanded_by_kubernetes(array: &str) -> String {
    let mut out = String::new();
    let mut rest = array;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..=at]);
        rest = &rest[at + 1..];
        assert!(!rest.starts_with('('), "a reference in {array}");
        rest = rest.strip_prefix('$').unwrap_or(rest);
    }
    out + rest
}

/// Holds for whatever is proposed.
fn hold_together(proposal: &Proposal) {
    let words = &proposal.words;
    let array: Vec<String> = serde_json::from_str(&proposal.dockerfile_array()).unwrap();
    assert_eq!(&array, words);
    if proposal.env.is_empty() && proposal.folder.is_none() && !proposal.takes_cmd {
        assert_eq!(&shlex::split(&proposal.command_line()).unwrap(), words);
    }
    assert_eq!(
        expanded_by_kubernetes(&proposal.kubernetes_array()),
        proposal.dockerfile_array()
    );
    let args: Vec<_> = words.iter().map(std::ffi::OsString::from).collect();
    let Ok(Parsed::Command(raw)) = cli::parse(&args) else {
        panic!("launchgate does not take {words:?}");
    };
    let shell = raw.values(SettingId::Shell).is_some();
    let get = |_: &[u8]| Some(Vec::new());
    for step in raw.values(SettingId::Migrate).unwrap_or_default() {
        let split = crate::shell_words::split(
            step.as_encoded_bytes(),
            crate::shell_words::Expansion::On(&get),
        );
        assert!(shell || split.is_ok(), "{step:?}: {split:?}");
    }
    assert!(proposal.takes_cmd || !raw.words(Operand::Server).is_empty());
}

#[test]
fn what_is_long_or_deep_is_refused_in_time() {
    for text in [
        "(".repeat(16_000),
        "(".repeat(9),
        "while ! until ".repeat(4) + "b; " + &"do sleep 1; done; ".repeat(8),
        "{ ".repeat(16) + "a" + &"; }".repeat(16),
        "if a; then ".repeat(16) + "b; " + &"fi; ".repeat(16),
        "((".repeat(31),
        "$(".repeat(60) + "a",
        "{ ".repeat(60) + "a" + &"; }".repeat(60),
        "( ".repeat(60) + "a" + &" )".repeat(60),
        "`".repeat(60),
        "\"$(".repeat(60),
        "${a:-".repeat(60),
        "if a; then ".repeat(60) + "b; " + &"fi; ".repeat(60),
        "until ".repeat(60) + "b; " + &"do sleep 1; done; ".repeat(60),
        "while ! until ".repeat(30) + "b; " + &"do sleep 1; done; ".repeat(60),
        "[[ ".to_owned() + &"( ".repeat(50) + "a" + &" )".repeat(50) + " ]]; b",
        "! ".repeat(5000),
        "a;".repeat(5000) + "b",
        "a &&".repeat(3000) + "b",
        "case a in ".repeat(60),
        "f()".repeat(60),
        "a | ".repeat(3000) + "b",
        ">x ".repeat(3000),
        "'".repeat(10_001),
        "\\".repeat(10_001),
        "a ".repeat(9000),
        "sh -c ".repeat(2000),
        "exec ".repeat(2000),
        "tini -- ".repeat(1500) + "a",
    ] {
        let _ = one(&text);
        let (_, outcome) = propose(&["bash".into(), "-c".into(), text]);
        let _ = outcome.map(|proposal| hold_together(&proposal));
    }
}

fn pieces() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "node a.js",
        "sh -c '",
        "bash -ec \"",
        "\"",
        "'",
        "; ",
        " && ",
        " || ",
        " & ",
        " | ",
        "\n",
        "$X",
        "${X}",
        "${X:-y}",
        "$(b)",
        "`c`",
        " > f",
        " 2>&1",
        "(",
        ")",
        "{ ",
        "; }",
        "if a; then ",
        "; fi",
        "until a; do sleep 1; done",
        "exec ",
        "set -e; ",
        "cd /x; ",
        "export A=1; ",
        "A=1 ",
        "true",
        "exit 1",
        "tini -- ",
        "gosu u ",
        "wait-for-it db:5432 -- ",
        "\\",
        "#",
        "*",
        "~",
        "$@",
        "<<E\n",
        "E\n",
        "[",
        "]",
        "\"$@\"",
        "=",
        "!",
        " ",
        "\t",
        "é",
        "$$",
        "$",
    ]);
    let known = known.prop_map(str::to_owned);
    prop::collection::vec(prop_oneof![9 => known, 1 => any::<String>()], 0..24)
        .prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn any_text_is_read_and_what_is_proposed_holds_together(text in pieces()) {
        if let (_, Ok(proposal)) = one(&text) {
            hold_together(&proposal);
        }
        let (_, outcome) = propose(&["bash".into(), "-c".into(), text]);
        let _ = outcome.map(|proposal| hold_together(&proposal));
    }

    #[test]
    fn words_without_a_shell_are_taken_as_they_are(words in prop::collection::vec("[^\0]{0,12}", 0..5)) {
        if let (_, Ok(proposal)) = propose(&words) {
            hold_together(&proposal);
        }
    }
}
