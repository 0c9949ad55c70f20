mod random;
mod refused;

use super::*;

const SURROUNDINGS: KnownDatabase<'static> = KnownDatabase {
    url_variables: &["DATABASE_URL"],
    has_url: true,
};

fn report(text: &str) -> Report {
    convert(&[text.to_owned()], &SURROUNDINGS)
}

/// The command proposed for a text, as it is typed.
fn line(text: &str) -> String {
    let report = report(text);
    match &report.outcome {
        Ok(proposal) => proposal.command_line(),
        Err(refusal) => panic!("{text}: {refusal:?}\n{report:#?}"),
    }
}

/// Why no command is proposed.
fn refused(text: &str) -> String {
    match report(text).outcome {
        Err(refusal) => format!("{}; {}", refusal.what, refusal.hint),
        Ok(proposal) => panic!("{text}: {}", proposal.command_line()),
    }
}

/// "Read as what they are: a Procfile's `web:` and `release:` lines, `command:` and `args:` of
/// Kubernetes and Compose (`$$`), CMD and ENTRYPOINT in both forms, a script on standard input."
#[test]
fn a_chain_is_read_in_every_form() {
    for text in [
        r#"sh -c "./migrate; ./serve""#,
        "/bin/sh -c './migrate && ./serve'",
        "exec sh -c './migrate; exec ./serve'",
        "ash -ec './migrate\n./serve'",
        "dash -lc './migrate;./serve;'",
        "busybox sh -c './migrate && ./serve'",
        "bash -euo pipefail -c './migrate && ./serve'",
        "sh -e -u -c './migrate && ./serve'",
        "\n  ./migrate\n\n  # then the server\n  ./serve\n",
        "#!/bin/sh\nset -e\n./migrate\nexec ./serve\n",
        "#!/usr/bin/env bash\nset -euo pipefail\n./migrate\nexec ./serve\n",
        r#"["sh", "-c", "./migrate; ./serve"]"#,
        "['/bin/sh', '-ec', './migrate; ./serve']",
        r#"CMD ["sh", "-c", "./migrate && ./serve"]"#,
        "CMD ./migrate && ./serve",
        "cmd ./migrate && \\\n    ./serve",
        r#"ENTRYPOINT ["sh", "-c", "./migrate && ./serve"]"#,
        "# comment\n\nENTRYPOINT [\"sh\", \"-c\"]\nCMD [\"./migrate && ./serve\"]",
        r#"command: ["sh", "-c", "./migrate && ./serve"]"#,
        "command:\n- sh\n- -c\n- ./migrate && ./serve\n",
        "    command:\n      - sh\n      - '-c'\n      - |\n        ./migrate\n        ./serve\n",
        "- sh\n- -c\n- >-\n  ./migrate &&\n  ./serve\n",
        "args: [\"./migrate; ./serve\"]\ncommand: [\"sh\",\n  \"-c\"]",
        "command: sh -c \"./migrate && ./serve\"",
        "entrypoint: sh -c\ncommand: ['./migrate && ./serve'] # both",
        "web: ./migrate && ./serve",
        "release: ./migrate\nweb: ./serve\n",
        "command: >\n  sh -c \"./migrate &&\n         ./serve\"\n",
        "{ ./migrate; } && { ./serve; }",
        "./migrate || exit 1; ./serve",
        "./migrate || { echo failed; exit 1; }; ./serve",
        "echo migrating; ./migrate && echo starting && ./serve",
        "./migrate && ./serve 2>&1",
        "./migrate 2>&1 && ./serve",
        "until pg_isready; do echo waiting; sleep 1; done; ./migrate; ./serve",
        "while ! nc -z db 5432; do sleep 1; done; ./migrate; ./serve",
        "until psql \"$DATABASE_URL\" -c 'select 1'; do sleep 1; done; ./migrate && ./serve",
        "wait-for-it db:3306 && ./migrate && ./serve",
    ] {
        assert_eq!(
            line(text),
            "launchgate run --migrate ./migrate -- ./serve",
            "{text:?}"
        );
    }
    assert_eq!(
        line("- sh\n- -c\n- ./migrate && exec ./serve $$A '$$$$'"),
        "launchgate run --expand-env --migrate ./migrate -- ./serve '${A}' '$$$$'"
    );
}

/// What real entrypoints have, each as the command that does the same.
#[test]
fn commands_of_real_entrypoints_are_known() {
    for (text, expected) in [
        (
            "wait-for-it.sh redis:6379 -- echo up; ./migrate; ./serve",
            "--prepare 'wait-for-it.sh redis:6379' --migrate ./migrate -- ./serve",
        ),
        (
            "wait-for-it.sh db:5432 -- ./migrate; ./serve",
            "--migrate ./migrate -- ./serve",
        ),
        (
            "time python manage.py migrate; gunicorn a",
            "--shell --migrate 'time python manage.py migrate' -- gunicorn a",
        ),
        (
            "pnpm --filter @x/db migrate; ./serve",
            "--migrate 'pnpm --filter @x/db migrate' -- ./serve",
        ),
        (
            "npm --prefix api run db:migrate; ./serve",
            "--migrate 'npm --prefix api run db:migrate' -- ./serve",
        ),
        (
            "yarn --cwd api migrate; ./serve",
            "--migrate 'yarn --cwd api migrate' -- ./serve",
        ),
        (
            "java -jar a.jar db migrate c.yml; java -jar a.jar server c.yml",
            "--migrate 'java -jar a.jar db migrate c.yml' -- java -jar a.jar server c.yml",
        ),
        (
            "directus bootstrap; pm2-runtime start a.cjs",
            "--migrate 'directus bootstrap' -- pm2-runtime start a.cjs",
        ),
        (
            "rake db:migrate db:seed RAILS_ENV=test; ./serve",
            "--migrate 'rake db:migrate db:seed RAILS_ENV=test' -- ./serve",
        ),
        (
            "liquibase release-locks; liquibase update; ./serve",
            "--migrate 'liquibase release-locks' --migrate 'liquibase update' -- ./serve",
        ),
    ] {
        assert_eq!(line(text), format!("launchgate run {expected}"), "{text}");
    }
}

#[test]
fn a_stale_lock_of_the_tool_is_removed_under_launchgates_lock() {
    let is_said = |text, unlock: &str| {
        let said = format!("put `--migrate '{unlock}'` in front (not `--prepare`");
        report(text).notes.iter().any(|note| note.contains(&said))
    };
    let liquibase = "liquibase release-locks";
    assert!(is_said("liquibase update; ./serve", liquibase));
    assert!(is_said(
        "npx knex migrate:latest; ./serve",
        "knex migrate:unlock"
    ));
    for text in [
        "liquibase releaseLocks; liquibase update; ./serve",
        "flyway migrate; ./serve",
    ] {
        assert!(!is_said(text, liquibase), "{text}");
    }
}

#[test]
fn php_fpm_is_to_be_stopped_by_sigquit() {
    let is_said = |text| {
        let notes = report(text).notes;
        notes
            .iter()
            .any(|note| note.contains("--rewrite-signal 15:3"))
    };
    assert!(is_said("php artisan migrate --force && exec php-fpm -F"));
    assert!(!is_said("php artisan migrate --force && exec gunicorn a"));
}

/// One row each of what convert got wrong, with what is right.
#[test]
fn what_was_wrong_is_right() {
    for (text, expected) in [
        (
            "php artisan migrate --force && php artisan config:cache && exec php-fpm",
            "launchgate run --migrate 'php artisan migrate --force' --warm-up 'php artisan config:cache' -- php-fpm",
        ),
        (
            "mkdir -p out && echo x > out/f && ./migrate && ./server",
            "launchgate run --shell --prepare 'mkdir -p out' --prepare 'echo x > out/f' --migrate ./migrate -- ./server",
        ),
        (
            "DIRECT_URL=$DATABASE_URL npx prisma migrate deploy && node server.js",
            "launchgate run --init --step-env 'DIRECT_URL={DATABASE_URL}' --migrate 'npx prisma migrate deploy' -- node server.js",
        ),
        (
            "web: ./migrate && gunicorn a",
            "launchgate run --migrate ./migrate -- gunicorn a",
        ),
        (
            "./migrate && ./exec --port 80",
            "launchgate run --migrate ./migrate -- ./exec --port 80",
        ),
        (
            "./migrate && ./api && ./echo",
            "launchgate run --migrate ./migrate --warm-up ./api -- ./echo",
        ),
        (
            "tini -- node server.js",
            "launchgate init -- node server.js",
        ),
        (
            "su-exec app tini -g -- \"$@\"",
            "su-exec app launchgate init --init-group -- \"$@\"",
        ),
        (
            "node migrate.js; node server.js",
            "launchgate run --init --migrate 'node migrate.js' -- node server.js",
        ),
        (
            "wait4x postgresql $DATABASE_URL -t 1m -- ./migrate && su-exec app tini -- \"$@\"",
            "launchgate run --init --user app --step-user 0 --wait-timeout 1m --migrate ./migrate -- \"$@\"",
        ),
        (
            "s6-setuidgid app ./migrate && exec s6-setuidgid app node s.js",
            "launchgate run --init --migrate 's6-setuidgid app ./migrate' -- s6-setuidgid app node s.js",
        ),
    ] {
        assert_eq!(line(text), expected, "{text}");
    }
    let needed = refused("while ! nc -z db 3306; do sleep 1; done; exec java -jar app.jar");
    assert!(
        needed.contains("which command migrates") && needed.contains("--migrate"),
        "{needed}"
    );
}

#[test]
fn each_platform_reads_its_array_back_as_the_words() {
    let proposal = report("./migrate $X && ./serve '$C' '$(D)' '$$'")
        .outcome
        .unwrap();
    let kubernetes = proposal.kubernetes_array();
    assert!(
        kubernetes.ends_with(r#""$$$C", "$$$$(D)", "$$$$$$$"]"#),
        "{kubernetes}"
    );
    assert_eq!(
        expanded_by_kubernetes(&kubernetes),
        proposal.dockerfile_array()
    );
    assert_eq!(
        proposal.compose_array().replace("$$", "$"),
        proposal.dockerfile_array()
    );
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
