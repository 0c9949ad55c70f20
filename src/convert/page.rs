//! The page that `convert` prints: what is wrong, the command, and how each platform writes it.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::{Proposal, Report};

impl Report {
    /// The whole page.
    pub fn page(&self) -> String {
        let mut page = String::new();
        list(&mut page, "Problems", &self.wrong);
        if let Ok(proposal) = &self.outcome {
            if self.wrong.is_empty() {
                page.push_str("No problems found.\n\n");
            }
            list(&mut page, "Notes", &self.notes);
            proposal.print(&mut page);
        }
        page
    }
}

fn list(page: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    // writing to a String cannot fail
    let _ = writeln!(page, "{title}:");
    for line in lines {
        let _ = writeln!(page, "  - {}", line.replace('\n', " "));
    }
    page.push('\n');
}

impl Proposal {
    /// The command as it is typed into a shell.
    pub fn command_line(&self) -> String {
        let mut line = String::new();
        if let Some(folder) = &self.folder {
            let _ = write!(line, "cd {} && ", quote(folder));
        }
        let words: Vec<Cow<'_, str>> = self.words.iter().map(|word| quote(word)).collect();
        line.push_str(&words.join(" "));
        if self.takes_cmd {
            line.push_str(" \"$@\"");
        }
        line
    }

    /// The JSON array of a Dockerfile.
    pub fn dockerfile_array(&self) -> String {
        array(self.words.iter().cloned())
    }

    /// The array of Kubernetes, which expands `$(NAME)` and reads `$$` as one dollar.
    pub fn kubernetes_array(&self) -> String {
        array(self.words.iter().map(|word| for_kubernetes(word)))
    }

    /// The array of Compose, which expands `$NAME` and reads `$$` as one dollar.
    pub fn compose_array(&self) -> String {
        array(self.words.iter().map(|word| word.replace('$', "$$")))
    }

    fn print(&self, page: &mut String) {
        let (docker, kubernetes, compose) = (
            self.dockerfile_array(),
            self.kubernetes_array(),
            self.compose_array(),
        );
        let (instruction, key, docker_note, kubernetes_note) = if self.takes_cmd {
            (
                "ENTRYPOINT",
                "entrypoint",
                "",
                "  (put the server's command in args)\n",
            )
        } else {
            (
                "CMD",
                "command",
                "  (if the image has its own ENTRYPOINT, which would run before this, set ENTRYPOINT instead of CMD)\n",
                "",
            )
        };
        let (mut docker_folder, mut kubernetes_folder) = (String::new(), String::new());
        if let Some(folder) = &self.folder {
            docker_folder = format!("  WORKDIR {}\n", folder.replace('$', "\\$"));
            kubernetes_folder = format!("  workingDir: {}\n", json(folder));
        }
        let _ = write!(
            page,
            "Instead:\n  {}\n\nDockerfile:\n{docker_folder}  {instruction} {docker}\n{docker_note}\n\
             Kubernetes:\n  command: {kubernetes}\n{kubernetes_note}{kubernetes_folder}",
            self.command_line()
        );
        if compose != docker {
            let _ = writeln!(page, "\nCompose:\n  {key}: {compose}");
        }
    }
}

fn quote(word: &str) -> Cow<'_, str> {
    // A zero byte, the only thing that can't be quoted, was refused before.
    shlex::try_quote(word).unwrap_or(Cow::Borrowed(word))
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn array(words: impl Iterator<Item = String>) -> String {
    let words: Vec<String> = words.map(|word| json(&word)).collect();
    format!("[{}]", words.join(", "))
}

fn for_kubernetes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(c);
        if c == '$' && matches!(chars.peek(), Some('$' | '(')) {
            out.push('$');
        }
    }
    out
}
