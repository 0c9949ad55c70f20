//! Shell builtins that are not programs: their effect would end with the process that has it.

/// What to write instead of a shell builtin; `None` for any other word, and for builtins that are
/// programs too (`test`, `echo`, `kill`).
pub fn instead_of(word: &str) -> Option<&'static str> {
    let instead = match word {
        "cd" | "pushd" | "popd" => {
            "set the container's working directory, or use `--shell` to run it together with the next command"
        }
        "export" | "declare" | "typeset" | "readonly" | "local" => {
            "set the variable with `--step-env NAME=VALUE`"
        }
        "unset" => "`--step-env NAME=` empties a variable; or use `--shell`",
        "exec" | "command" | "builtin" | "eval" => {
            "remove it: launchgate starts the program directly; or use `--shell`"
        }
        "." | "source" => {
            "set its variables with `--step-env`, or use `--shell` to run it together with the next command"
        }
        "set" | "shopt" | "ulimit" | "umask" | "alias" | "unalias" | "trap" | "shift" | "hash"
        | "getopts" | "let" | "wait" | "jobs" | "fg" | "bg" | "return" | "exit" | "break"
        | "continue" | ":" | "!" | "[[" | "{" | "if" | "then" | "for" | "while" | "until"
        | "case" | "function" => {
            "use `--shell`, or a script that begins with `#!` and its interpreter"
        }
        _ => return None,
    };
    Some(instead)
}
