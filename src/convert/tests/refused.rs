//! What is not converted, why, and what to write instead.

use super::refused;

#[test]
fn a_command_that_does_more_than_migrate_is_to_be_split() {
    for (text, task) in [
        (
            "rake db:migrate assets:precompile; ./serve",
            "assets:precompile",
        ),
        ("(rails db:migrate tmp:clear) && ./serve", "tmp:clear"),
        ("gradle flywayMigrate bootRun; ./serve", "bootRun"),
    ] {
        let why = refused(text);
        let said = format!("also runs `{task}`; split it in two");
        assert!(why.contains(&said), "{text}: {why}");
    }
}

#[test]
fn a_command_that_ends_is_no_server() {
    for (text, server) in [
        ("./migrate && ./serve; echo done", "./serve"),
        ("./migrate; gunicorn a; chmod 644 a", "gunicorn a"),
        ("./migrate; gunicorn a; sleep infinity", "gunicorn a"),
        ("./migrate; ./server; tail -f /dev/null", "./server"),
        (
            "./migrate; sh -c supervisord; supervisorctl start x",
            "sh -c supervisord",
        ),
    ] {
        let why = refused(text);
        let pattern = format!("--migrate ./migrate -- {server}`");
        assert!(why.contains(&pattern), "{text}: {why}");
    }
    let why = refused("rails db:migrate || rails x && rails db:migrate; cd /x; ./serve");
    let pattern = "run --migrate 'rails db:migrate' -- ./serve";
    assert!(why.contains(pattern), "{why}");
}

/// "Refused, with the pattern that works: keep the script, and end it with `exec launchgate run
/// --migrate '…' -- "$@"`."
#[test]
fn what_can_not_be_kept_keeps_the_script() {
    for (text, pattern) in [
        (
            ": \"${PORT:=8080}\"; ./m; exec s -p $PORT",
            "exec launchgate run --migrate '…' -- s -p $PORT",
        ),
        (
            "rails db:migrate; rails s; exec \"$@\"",
            "exec launchgate run --migrate 'rails db:migrate' -- \"$@\"",
        ),
        (
            "knex migrate:latest && pm2 start app.js && pm2 logs",
            "exec launchgate run --migrate 'knex migrate:latest' -- ",
        ),
        (
            "X=\"…${A}\"; export X; status=$?",
            "exec launchgate run --migrate '…' -- \"$@\"",
        ),
        (
            "if [ \"$SKIP\" ]; then ./migrate; fi; exec \"$@\"",
            "exec launchgate run --migrate ./migrate -- \"$@\"",
        ),
        (
            "[ \"$SKIP\" ] || ./migrate; exec \"$@\"",
            "exec launchgate run --migrate ./migrate -- \"$@\"",
        ),
        (
            "cd -P \"$(dirname \"$0\")\"; A=$B ./migrate; PHX_SERVER=true exec ./app start",
            "PHX_SERVER=true exec launchgate run --migrate 'env A=$B ./migrate' -- ./app start",
        ),
        (
            "./migrate & exec ./serve",
            "exec launchgate run --migrate ./migrate -- ./serve",
        ),
        (
            "(./worker &); ./migrate; exec ./serve",
            "--migrate ./migrate -- ./serve",
        ),
        (
            "export A=1; ./migrate; ./serve",
            "--migrate ./migrate -- ./serve",
        ),
        (
            "read x; ./migrate; ./serve $x",
            "--migrate ./migrate -- ./serve $x",
        ),
        ("./migrate && ./serve || exit 1", "--migrate ./migrate -- "),
        (
            "for i in 1 2; do ./migrate && break; done; ./serve",
            "--migrate ./migrate -- ./serve",
        ),
        (
            "case $X in 1) ./migrate ;; esac; ./serve",
            "--migrate ./migrate -- ./serve",
        ),
        (
            "umask 22; ./migrate; ./serve",
            "--migrate ./migrate -- ./serve",
        ),
        (
            "if x; then exit 0; fi; ./migrate; ./serve",
            "--migrate ./migrate -- ./serve",
        ),
        ("echo $(./migrate); ./serve", "keep the script"),
        (
            "gosu a ./migrate; ./cache; exec gosu a ./serve",
            "--migrate 'gosu a ./migrate'",
        ),
    ] {
        let why = refused(text);
        assert!(
            why.contains("keep the script") && why.contains(pattern),
            "{text}: {why}"
        );
    }
}

#[test]
fn what_is_no_chain_is_refused_with_what_to_write() {
    for (text, why) in [
        ("", "the chain has no command"),
        ("  # x", "the chain has no command"),
        ("[]", "the chain has no command"),
        ("[\"sh\", -c", "not one"),
        ("CMD ['sh', '-c', 'a']", "not valid JSON"),
        ("CMD a\nRUN b", "`RUN` is not CMD or ENTRYPOINT"),
        ("command: [a]\nimage: b", "`image:` is not a command"),
        (
            "command: [\"s\", \"$(PORT)\"]",
            "Kubernetes replaces `$(PORT)`",
        ),
        ("command: &x [a]", "does not support this YAML"),
        (
            "services:\n  web:\n    command: sh -c \"./migrate && ./serve $$PORT\"",
            "more of a manifest",
        ),
        ("release: ./migrate", "starts no server"),
        ("a: b\nc: d", "no `web:`"),
        ("./migrate 'b", "not valid shell syntax"),
        ("./migrate; b;; c", "not valid shell syntax"),
        ("./migrate\r\nb\r\n", "invisible character"),
        ("'./migrate a'; ./serve", "remove the quotes"),
        ("./migrate; 'a b'", "remove the quotes"),
        ("sh -c ./migrate ./serve", "but more words follow it"),
        ("zsh -c 'a; b'", "does not support `zsh`"),
        ("#!/usr/bin/python3\nimport x", "a `python` script"),
        ("tini --", "no command follows `tini`"),
        ("./migrate", "job --migrate './migrate'"),
        ("sh entrypoint.sh", "convert its text"),
        ("rails db:create db:migrate && rails s", "split it in two"),
        (
            "dbmate up && ./x && dbmate up && ./serve",
            "between two migrations",
        ),
        ("./migrate | tee log; ./serve", "hides a failed migration"),
        (
            "npx knex migrate:rollback && npx knex migrate:latest && node server.js",
            "takes the schema back or away",
        ),
        (
            "[ -n \"$X\" ] && rails db:reset; rails db:migrate; puma",
            "takes the schema back or away",
        ),
        (
            "echo 'DROP SCHEMA x CASCADE' | psql; ./migrate; ./serve",
            "takes the schema back or away",
        ),
        (
            "sh -c 'dropdb x; createdb x'; ./migrate; ./serve",
            "takes the schema back or away",
        ),
        (
            "su app -c './manage.py migrate'; ./migrate; ./serve",
            "a shell inside the chain runs `./manage.py migrate`",
        ),
        (
            "timeout 9 bash -c 'until ./migrate; do sleep 1; done'; ./migrate; ./serve",
            "a shell inside the chain runs `until",
        ),
        (
            "mkdir /x; exec su-exec app sh -c './migrate; ./serve'",
            "run as different users",
        ),
        ("args: ['./migrate; ./serve {{ .Values.x }}']", "a template"),
        (
            "\u{feff}#!/bin/sh\n./migrate\n./serve",
            "invisible character",
        ),
        ("run-s db:migrate build; ./serve", "also runs `build`"),
    ] {
        assert!(refused(text).contains(why), "{text:?}: {}", refused(text));
    }
}
