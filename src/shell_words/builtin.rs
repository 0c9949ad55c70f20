//! Words that only a shell knows: no program has their name, and what they do would be gone with
//! the process that does it.

/// What to write instead of a word that is a shell's own; `None` of any other. Those that are
/// also programs (`test`, `echo`, `kill`) are none of them.
#[must_use]
pub fn instead_of(word: &str) -> Option<&'static str> {
    let instead = match word {
        "cd" | "pushd" | "popd" => {
            "set the container's working directory, or use `--shell` for it and the command behind it"
        }
        "export" | "declare" | "typeset" | "readonly" | "local" => {
            "set the variable with `--step-env NAME=VALUE`"
        }
        "unset" => "`--step-env NAME=` empties a variable; or use `--shell`",
        "exec" | "command" | "builtin" | "eval" => {
            "leave it out: the program behind it is started as it is; or use `--shell`"
        }
        "." | "source" => {
            "set its variables with `--step-env`, or use `--shell` for it and the command behind it"
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
