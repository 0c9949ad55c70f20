# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_launchgate_global_optspecs
    string join \n h/help V/version
end

function __fish_launchgate_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_launchgate_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_launchgate_using_subcommand
    set -l cmd (__fish_launchgate_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c launchgate -n "__fish_launchgate_needs_command" -s h -l help -d 'Print help'
complete -c launchgate -n "__fish_launchgate_needs_command" -s V -l version -d 'Print version'
complete -c launchgate -n "__fish_launchgate_needs_command" -f -a "run" -d 'Run the steps once per release, then become SERVER'
complete -c launchgate -n "__fish_launchgate_needs_command" -f -a "job" -d 'Run the steps once per release, then exit 0'
complete -c launchgate -n "__fish_launchgate_needs_command" -f -a "wait" -d 'Wait until this revision has succeeded, then become SERVER'
complete -c launchgate -n "__fish_launchgate_needs_command" -f -a "init" -d 'Start SERVER without a gate, forward signals to it and reap zombies'
complete -c launchgate -n "__fish_launchgate_needs_command" -f -a "status" -d 'Show who holds the gate and the newest rows of the ledger'
complete -c launchgate -n "__fish_launchgate_needs_command" -f -a "resolve" -d 'Record an operator\'s decision about a revision in the ledger'
complete -c launchgate -n "__fish_launchgate_needs_command" -f -a "check" -d 'Check settings, executables and the database without changing anything'
complete -c launchgate -n "__fish_launchgate_needs_command" -f -a "probe" -d 'For health checks: exit 0 while the gate is closed, otherwise become COMMAND'
complete -c launchgate -n "__fish_launchgate_needs_command" -f -a "print-ddl" -d 'Print the ledger\'s DDL, for databases where launchgate\'s role may not create tables'
complete -c launchgate -n "__fish_launchgate_needs_command" -f -a "convert" -d 'Explain what is wrong with a `sh -c` chain, and print the launchgate command that replaces it'
complete -c launchgate -n "__fish_launchgate_needs_command" -f -a "generate" -d 'Print the man page, shell completions or the schema of the settings file'
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l prepare -d 'Run CMD at every start of every replica, before launchgate connects to the database; repeatable, run in order' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l warm-up -d 'Run CMD at every start of every replica, after the gate and before the server; repeatable, run in order' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l backup -d 'Run CMD before the first migrate step, only if a migration is due' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l snapshot -d 'SQLite: copy the database into DIR before the first migrate step; migrate only if that succeeds' -r -f -a "(__fish_complete_directories)"
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l migrate -d 'Run CMD to migrate; repeatable, run in order' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l sql -d 'Apply the .sql migrations in DIR after the migrate commands, as the tool that made them would' -r -f -a "(__fish_complete_directories)"
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l sql-layout -d 'Which tool\'s folder `--sql` has, where its files or the database leave that open: sqlx, prisma, drizzle, dbmate, goose, golang-migrate' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l verify -d 'Run CMD after the migrate steps; if it fails, the run fails' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l shell -d 'Run step and start commands through `/bin/sh -c`' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l expand-env -d 'Expand $NAME and ${NAME} in step and start commands and in SERVER\'s arguments, without a shell' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l migrate-timeout -d 'Stop a step and fail if it runs longer than this [default: 0, no limit]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l stop-grace -d 'Time between SIGTERM and SIGKILL when a step or start command is stopped; 0 sends SIGKILL at once [default: 10s]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l step-env -d 'Set an environment variable for the steps only; repeatable' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l step-env-from -d 'Set NAME for the steps to the value of the variable SOURCE, and remove SOURCE from the server\'s environment; repeatable' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l step-user -d 'Run the steps as this user (name or ID) [default: --user]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l database-url -d 'The database that holds the lock and the ledger; {NAME} is replaced with that variable\'s value [default: `DATABASE_URL`, `POSTGRES_URL` and others, else libpq\'s `PGHOST`]' -r -f
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l database-url-env -d 'Read the database URL from this variable' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l database-url-file -d 'Read the database URL from this file' -r -F
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l database-password-file -d 'Read the database password from this file, again for each connection' -r -F
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l no-database -d 'Use no lock and no ledger: every replica runs the steps at every start' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l ledger -d 'The schema (Postgres) or database (MySQL, MariaDB) that holds the ledger [default: schema or database `launchgate`, where possible]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l app -d 'The name of this app; apps that share a database need different names [default: default]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l wait-timeout -d 'How long to wait for the database to accept a connection [default: 60s]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l release -d 'The name of this release [default: the platform\'s release id]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l fingerprint -d 'Use a hash of these files as the revision, instead of the release; repeatable' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l lock-timeout -d 'How long to wait for another replica to finish migrating [default: 0, no limit]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l lease -d 'How long the lock holder still counts as alive after its last heartbeat, 3s to 1h [default: 30s]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l max-attempts -d 'Refuse a revision after this many failed attempts; 0 means no limit [default: 3]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l retry-delay -d 'How long every replica waits after a failed attempt before the next one; doubles with each failure, up to 5 minutes; 0 means no wait [default: 10s]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l retries -d 'How often this replica runs failed steps again by itself, within --max-attempts [default: 0]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l orphan-timeout -d 'How long to wait for database sessions left behind by an earlier run\'s steps [default: 60s]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l unset-env -d 'Remove NAME from the server\'s environment; repeatable' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l user -d 'Run the server as this user (name or ID)' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l init -d 'Keep running as the server\'s init: forward signals and reap zombies' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l init-group -d 'With --init: send signals to the server\'s whole process group' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l rewrite-signal -d 'With --init: forward signal FROM as TO, or drop it if TO is 0; repeatable' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l remap-exit -d 'With --init: exit with TO if the server exits with FROM; repeatable' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l health-listen -d 'Answer HTTP health checks on ADDR while the gate is closed: `:8080`, `127.0.0.1:8080`, `[::1]:8080`' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l parent-death-signal -d 'With --init: receive and forward this signal when launchgate\'s parent dies' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -s v -l verbose -d 'Log more' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -s q -l quiet -d 'Log only warnings and errors' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l log-format -d '`text`, or `json`: one object per line, step output wrapped line by line [default: text]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l termination-log -d 'Write the reason to FILE if the gate fails [default: `/dev/termination-log` if it exists]' -r -F
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -l config -d 'Read settings from FILE [default: `./launchgate.toml`, else `/etc/launchgate.toml`, if it exists]' -r -F
complete -c launchgate -n "__fish_launchgate_using_subcommand run" -s h -l help -d 'Print help'
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l backup -d 'Run CMD before the first migrate step, only if a migration is due' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l snapshot -d 'SQLite: copy the database into DIR before the first migrate step; migrate only if that succeeds' -r -f -a "(__fish_complete_directories)"
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l migrate -d 'Run CMD to migrate; repeatable, run in order' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l sql -d 'Apply the .sql migrations in DIR after the migrate commands, as the tool that made them would' -r -f -a "(__fish_complete_directories)"
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l sql-layout -d 'Which tool\'s folder `--sql` has, where its files or the database leave that open: sqlx, prisma, drizzle, dbmate, goose, golang-migrate' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l verify -d 'Run CMD after the migrate steps; if it fails, the run fails' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l shell -d 'Run step and start commands through `/bin/sh -c`' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l expand-env -d 'Expand $NAME and ${NAME} in step and start commands and in SERVER\'s arguments, without a shell' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l migrate-timeout -d 'Stop a step and fail if it runs longer than this [default: 0, no limit]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l stop-grace -d 'Time between SIGTERM and SIGKILL when a step or start command is stopped; 0 sends SIGKILL at once [default: 10s]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l step-env -d 'Set an environment variable for the steps only; repeatable' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l step-env-from -d 'Set NAME for the steps to the value of the variable SOURCE, and remove SOURCE from the server\'s environment; repeatable' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l step-user -d 'Run the steps as this user (name or ID) [default: --user]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l database-url -d 'The database that holds the lock and the ledger; {NAME} is replaced with that variable\'s value [default: `DATABASE_URL`, `POSTGRES_URL` and others, else libpq\'s `PGHOST`]' -r -f
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l database-url-env -d 'Read the database URL from this variable' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l database-url-file -d 'Read the database URL from this file' -r -F
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l database-password-file -d 'Read the database password from this file, again for each connection' -r -F
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l no-database -d 'Use no lock and no ledger: every replica runs the steps at every start' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l ledger -d 'The schema (Postgres) or database (MySQL, MariaDB) that holds the ledger [default: schema or database `launchgate`, where possible]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l app -d 'The name of this app; apps that share a database need different names [default: default]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l wait-timeout -d 'How long to wait for the database to accept a connection [default: 60s]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l release -d 'The name of this release [default: the platform\'s release id]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l fingerprint -d 'Use a hash of these files as the revision, instead of the release; repeatable' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l lock-timeout -d 'How long to wait for another replica to finish migrating [default: 0, no limit]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l lease -d 'How long the lock holder still counts as alive after its last heartbeat, 3s to 1h [default: 30s]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l max-attempts -d 'Refuse a revision after this many failed attempts; 0 means no limit [default: 3]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l retry-delay -d 'How long every replica waits after a failed attempt before the next one; doubles with each failure, up to 5 minutes; 0 means no wait [default: 10s]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l retries -d 'How often this replica runs failed steps again by itself, within --max-attempts [default: 0]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l orphan-timeout -d 'How long to wait for database sessions left behind by an earlier run\'s steps [default: 60s]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l unset-env -d 'Remove NAME from the server\'s environment; repeatable' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l user -d 'Run the server as this user (name or ID)' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l init -d 'Keep running as the server\'s init: forward signals and reap zombies' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l init-group -d 'With --init: send signals to the server\'s whole process group' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l rewrite-signal -d 'With --init: forward signal FROM as TO, or drop it if TO is 0; repeatable' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l remap-exit -d 'With --init: exit with TO if the server exits with FROM; repeatable' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l health-listen -d 'Answer HTTP health checks on ADDR while the gate is closed: `:8080`, `127.0.0.1:8080`, `[::1]:8080`' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l parent-death-signal -d 'With --init: receive and forward this signal when launchgate\'s parent dies' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -s v -l verbose -d 'Log more' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -s q -l quiet -d 'Log only warnings and errors' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l log-format -d '`text`, or `json`: one object per line, step output wrapped line by line [default: text]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l termination-log -d 'Write the reason to FILE if the gate fails [default: `/dev/termination-log` if it exists]' -r -F
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -l config -d 'Read settings from FILE [default: `./launchgate.toml`, else `/etc/launchgate.toml`, if it exists]' -r -F
complete -c launchgate -n "__fish_launchgate_using_subcommand job" -s h -l help -d 'Print help'
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l prepare -d 'Run CMD at every start of every replica, before launchgate connects to the database; repeatable, run in order' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l warm-up -d 'Run CMD at every start of every replica, after the gate and before the server; repeatable, run in order' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l database-url -d 'The database that holds the lock and the ledger; {NAME} is replaced with that variable\'s value [default: `DATABASE_URL`, `POSTGRES_URL` and others, else libpq\'s `PGHOST`]' -r -f
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l database-url-env -d 'Read the database URL from this variable' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l database-url-file -d 'Read the database URL from this file' -r -F
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l database-password-file -d 'Read the database password from this file, again for each connection' -r -F
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l no-database -d 'Use no lock and no ledger: every replica runs the steps at every start' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l ledger -d 'The schema (Postgres) or database (MySQL, MariaDB) that holds the ledger [default: schema or database `launchgate`, where possible]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l app -d 'The name of this app; apps that share a database need different names [default: default]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l wait-timeout -d 'How long to wait for the database to accept a connection [default: 60s]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l release -d 'The name of this release [default: the platform\'s release id]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l fingerprint -d 'Use a hash of these files as the revision, instead of the release; repeatable' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l lock-timeout -d 'How long to wait for another replica to finish migrating [default: 0, no limit]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l lease -d 'How long the lock holder still counts as alive after its last heartbeat, 3s to 1h [default: 30s]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l max-attempts -d 'Refuse a revision after this many failed attempts; 0 means no limit [default: 3]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l retry-delay -d 'How long every replica waits after a failed attempt before the next one; doubles with each failure, up to 5 minutes; 0 means no wait [default: 10s]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l orphan-timeout -d 'How long to wait for database sessions left behind by an earlier run\'s steps [default: 60s]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l unset-env -d 'Remove NAME from the server\'s environment; repeatable' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l user -d 'Run the server as this user (name or ID)' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l init -d 'Keep running as the server\'s init: forward signals and reap zombies' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l init-group -d 'With --init: send signals to the server\'s whole process group' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l rewrite-signal -d 'With --init: forward signal FROM as TO, or drop it if TO is 0; repeatable' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l remap-exit -d 'With --init: exit with TO if the server exits with FROM; repeatable' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l health-listen -d 'Answer HTTP health checks on ADDR while the gate is closed: `:8080`, `127.0.0.1:8080`, `[::1]:8080`' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l parent-death-signal -d 'With --init: receive and forward this signal when launchgate\'s parent dies' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -s v -l verbose -d 'Log more' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -s q -l quiet -d 'Log only warnings and errors' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l log-format -d '`text`, or `json`: one object per line, step output wrapped line by line [default: text]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l termination-log -d 'Write the reason to FILE if the gate fails [default: `/dev/termination-log` if it exists]' -r -F
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l config -d 'Read settings from FILE [default: `./launchgate.toml`, else `/etc/launchgate.toml`, if it exists]' -r -F
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l sql -d 'Use the fingerprint of the .sql migrations in DIR as the revision, as `launchgate run --sql` does' -r -f -a "(__fish_complete_directories)"
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l sql-layout -d 'Which tool\'s folder `--sql` has, where its files leave that open' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l shell -d 'Run start commands through `/bin/sh -c`' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l expand-env -d 'Expand $NAME and ${NAME} in SERVER\'s arguments, without a shell' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -l stop-grace -d 'Time between SIGTERM and SIGKILL when a start command is stopped; 0 sends SIGKILL at once [default: 10s]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand wait" -s h -l help -d 'Print help'
complete -c launchgate -n "__fish_launchgate_using_subcommand init" -l unset-env -d 'Remove NAME from the server\'s environment; repeatable' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand init" -l user -d 'Run the server as this user (name or ID)' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand init" -s v -l verbose -d 'Log more' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand init" -s q -l quiet -d 'Log only warnings and errors' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand init" -l log-format -d '`text`, or `json`: one object per line, step output wrapped line by line [default: text]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand init" -l config -d 'Read settings from FILE [default: `./launchgate.toml`, else `/etc/launchgate.toml`, if it exists]' -r -F
complete -c launchgate -n "__fish_launchgate_using_subcommand init" -l expand-env -d 'Expand $NAME and ${NAME} in SERVER\'s arguments, without a shell' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand init" -l stop-grace -d 'Time between SIGTERM and SIGKILL for processes that outlive the server [default: 10s]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand init" -l init-group -d 'Send signals to the server\'s whole process group' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand init" -l rewrite-signal -d 'Forward signal FROM as TO, or drop it if TO is 0; repeatable' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand init" -l remap-exit -d 'Exit with TO if the server exits with FROM; repeatable' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand init" -l parent-death-signal -d 'Receive and forward this signal when launchgate\'s parent dies' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand init" -s h -l help -d 'Print help'
complete -c launchgate -n "__fish_launchgate_using_subcommand status" -l json -d 'Print JSON' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand status" -l database-url -d 'The database that holds the lock and the ledger; {NAME} is replaced with that variable\'s value [default: `DATABASE_URL`, `POSTGRES_URL` and others, else libpq\'s `PGHOST`]' -r -f
complete -c launchgate -n "__fish_launchgate_using_subcommand status" -l database-url-env -d 'Read the database URL from this variable' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand status" -l database-url-file -d 'Read the database URL from this file' -r -F
complete -c launchgate -n "__fish_launchgate_using_subcommand status" -l database-password-file -d 'Read the database password from this file, again for each connection' -r -F
complete -c launchgate -n "__fish_launchgate_using_subcommand status" -l no-database -d 'Use no lock and no ledger: every replica runs the steps at every start' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand status" -l ledger -d 'The schema (Postgres) or database (MySQL, MariaDB) that holds the ledger [default: schema or database `launchgate`, where possible]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand status" -l app -d 'The name of this app; apps that share a database need different names [default: default]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand status" -l wait-timeout -d 'How long to wait for the database to accept a connection [default: 60s]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand status" -l max-attempts -d 'Refuse a revision after this many failed attempts; 0 means no limit [default: 3]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand status" -l retry-delay -d 'How long every replica waits after a failed attempt before the next one; doubles with each failure, up to 5 minutes; 0 means no wait [default: 10s]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand status" -s v -l verbose -d 'Log more' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand status" -s q -l quiet -d 'Log only warnings and errors' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand status" -l log-format -d '`text`, or `json`: one object per line, step output wrapped line by line [default: text]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand status" -l config -d 'Read settings from FILE [default: `./launchgate.toml`, else `/etc/launchgate.toml`, if it exists]' -r -F
complete -c launchgate -n "__fish_launchgate_using_subcommand status" -s h -l help -d 'Print help'
complete -c launchgate -n "__fish_launchgate_using_subcommand resolve" -l as -d '`succeeded`: consider it done; `retry`: reset its attempts; `blocked`: never start it' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand resolve" -l note -d 'The reason, recorded in the ledger' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand resolve" -l database-url -d 'The database that holds the lock and the ledger; {NAME} is replaced with that variable\'s value [default: `DATABASE_URL`, `POSTGRES_URL` and others, else libpq\'s `PGHOST`]' -r -f
complete -c launchgate -n "__fish_launchgate_using_subcommand resolve" -l database-url-env -d 'Read the database URL from this variable' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand resolve" -l database-url-file -d 'Read the database URL from this file' -r -F
complete -c launchgate -n "__fish_launchgate_using_subcommand resolve" -l database-password-file -d 'Read the database password from this file, again for each connection' -r -F
complete -c launchgate -n "__fish_launchgate_using_subcommand resolve" -l no-database -d 'Use no lock and no ledger: every replica runs the steps at every start' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand resolve" -l ledger -d 'The schema (Postgres) or database (MySQL, MariaDB) that holds the ledger [default: schema or database `launchgate`, where possible]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand resolve" -l app -d 'The name of this app; apps that share a database need different names [default: default]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand resolve" -l wait-timeout -d 'How long to wait for the database to accept a connection [default: 60s]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand resolve" -s v -l verbose -d 'Log more' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand resolve" -s q -l quiet -d 'Log only warnings and errors' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand resolve" -l log-format -d '`text`, or `json`: one object per line, step output wrapped line by line [default: text]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand resolve" -l config -d 'Read settings from FILE [default: `./launchgate.toml`, else `/etc/launchgate.toml`, if it exists]' -r -F
complete -c launchgate -n "__fish_launchgate_using_subcommand resolve" -s h -l help -d 'Print help'
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l prepare -d 'Run CMD at every start of every replica, before launchgate connects to the database; repeatable, run in order' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l warm-up -d 'Run CMD at every start of every replica, after the gate and before the server; repeatable, run in order' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l backup -d 'Run CMD before the first migrate step, only if a migration is due' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l snapshot -d 'SQLite: copy the database into DIR before the first migrate step; migrate only if that succeeds' -r -f -a "(__fish_complete_directories)"
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l migrate -d 'Run CMD to migrate; repeatable, run in order' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l sql -d 'Apply the .sql migrations in DIR after the migrate commands, as the tool that made them would' -r -f -a "(__fish_complete_directories)"
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l sql-layout -d 'Which tool\'s folder `--sql` has, where its files or the database leave that open: sqlx, prisma, drizzle, dbmate, goose, golang-migrate' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l verify -d 'Run CMD after the migrate steps; if it fails, the run fails' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l shell -d 'Run step and start commands through `/bin/sh -c`' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l expand-env -d 'Expand $NAME and ${NAME} in step and start commands and in SERVER\'s arguments, without a shell' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l migrate-timeout -d 'Stop a step and fail if it runs longer than this [default: 0, no limit]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l stop-grace -d 'Time between SIGTERM and SIGKILL when a step or start command is stopped; 0 sends SIGKILL at once [default: 10s]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l step-env -d 'Set an environment variable for the steps only; repeatable' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l step-env-from -d 'Set NAME for the steps to the value of the variable SOURCE, and remove SOURCE from the server\'s environment; repeatable' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l step-user -d 'Run the steps as this user (name or ID) [default: --user]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l database-url -d 'The database that holds the lock and the ledger; {NAME} is replaced with that variable\'s value [default: `DATABASE_URL`, `POSTGRES_URL` and others, else libpq\'s `PGHOST`]' -r -f
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l database-url-env -d 'Read the database URL from this variable' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l database-url-file -d 'Read the database URL from this file' -r -F
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l database-password-file -d 'Read the database password from this file, again for each connection' -r -F
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l no-database -d 'Use no lock and no ledger: every replica runs the steps at every start' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l ledger -d 'The schema (Postgres) or database (MySQL, MariaDB) that holds the ledger [default: schema or database `launchgate`, where possible]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l app -d 'The name of this app; apps that share a database need different names [default: default]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l wait-timeout -d 'How long to wait for the database to accept a connection [default: 60s]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l release -d 'The name of this release [default: the platform\'s release id]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l fingerprint -d 'Use a hash of these files as the revision, instead of the release; repeatable' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l lock-timeout -d 'How long to wait for another replica to finish migrating [default: 0, no limit]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l lease -d 'How long the lock holder still counts as alive after its last heartbeat, 3s to 1h [default: 30s]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l max-attempts -d 'Refuse a revision after this many failed attempts; 0 means no limit [default: 3]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l retry-delay -d 'How long every replica waits after a failed attempt before the next one; doubles with each failure, up to 5 minutes; 0 means no wait [default: 10s]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l retries -d 'How often this replica runs failed steps again by itself, within --max-attempts [default: 0]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l orphan-timeout -d 'How long to wait for database sessions left behind by an earlier run\'s steps [default: 60s]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l unset-env -d 'Remove NAME from the server\'s environment; repeatable' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l user -d 'Run the server as this user (name or ID)' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l init -d 'Keep running as the server\'s init: forward signals and reap zombies' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l init-group -d 'With --init: send signals to the server\'s whole process group' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l rewrite-signal -d 'With --init: forward signal FROM as TO, or drop it if TO is 0; repeatable' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l remap-exit -d 'With --init: exit with TO if the server exits with FROM; repeatable' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l health-listen -d 'Answer HTTP health checks on ADDR while the gate is closed: `:8080`, `127.0.0.1:8080`, `[::1]:8080`' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l parent-death-signal -d 'With --init: receive and forward this signal when launchgate\'s parent dies' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -s v -l verbose -d 'Log more' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -s q -l quiet -d 'Log only warnings and errors' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l log-format -d '`text`, or `json`: one object per line, step output wrapped line by line [default: text]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l termination-log -d 'Write the reason to FILE if the gate fails [default: `/dev/termination-log` if it exists]' -r -F
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -l config -d 'Read settings from FILE [default: `./launchgate.toml`, else `/etc/launchgate.toml`, if it exists]' -r -F
complete -c launchgate -n "__fish_launchgate_using_subcommand check" -s h -l help -d 'Print help'
complete -c launchgate -n "__fish_launchgate_using_subcommand probe" -l pid -d 'The process ID of launchgate [default: 1]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand probe" -l config -d 'Read settings from FILE [default: `./launchgate.toml`, else `/etc/launchgate.toml`, if it exists]' -r -F
complete -c launchgate -n "__fish_launchgate_using_subcommand probe" -s h -l help -d 'Print help'
complete -c launchgate -n "__fish_launchgate_using_subcommand print-ddl" -l database -d '`postgres`, `mysql` or `sqlite`' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand print-ddl" -l role -d 'Add the grants that this role needs' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand print-ddl" -l ledger -d 'The schema or database, where it is named with --ledger [default: launchgate]' -r
complete -c launchgate -n "__fish_launchgate_using_subcommand print-ddl" -s h -l help -d 'Print help'
complete -c launchgate -n "__fish_launchgate_using_subcommand convert" -s h -l help -d 'Print help'
complete -c launchgate -n "__fish_launchgate_using_subcommand generate" -s h -l help -d 'Print help'
