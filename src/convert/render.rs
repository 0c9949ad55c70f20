//! The page that `convert` prints: what is wrong, the command, and how files of platforms have it.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::Findings;
use super::proposal::Proposal;
use crate::redact;

/// The whole page. Passwords are hidden in what is said, and kept in what is to be copied.
pub(super) fn page(findings: &Findings, proposal: Option<&Proposal>) -> String {
    let mut page = String::new();
    list(&mut page, "What is wrong", &findings.wrong);
    if let Some(proposal) = proposal {
        if findings.wrong.is_empty() {
            page.push_str("Nothing is wrong with it as it stands.\n\n");
        }
        list(&mut page, "To know", &findings.notes);
        proposal.render(&mut page);
    }
    page
}

fn list(page: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    page.push_str(title);
    page.push_str(":\n");
    for line in lines {
        // writing to a String cannot fail
        let _ = writeln!(page, "  - {}", redact::passwords(&line.replace('\n', " ")));
    }
    page.push('\n');
}

impl Proposal {
    /// Whether somebody's password would be in everybody's sight.
    pub(super) fn shows_password(&self) -> bool {
        let hides = |text: &String| *redact::passwords(text) != **text;
        self.words.iter().any(hides)
    }

    /// The command as it is typed into a shell.
    #[must_use]
    pub fn command_line(&self) -> String {
        let mut line = String::new();
        if let Some(folder) = &self.folder {
            let _ = write!(line, "cd {} && ", quote(folder));
        }
        for (name, value) in &self.env {
            let _ = write!(line, "{name}={} ", quote(value));
        }
        let words: Vec<Cow<'_, str>> = self.words.iter().map(|word| quote(word)).collect();
        line.push_str(&words.join(" "));
        if self.takes_cmd {
            line.push_str(" \"$@\"");
        }
        line
    }

    /// The JSON array of a Dockerfile.
    #[must_use]
    pub fn dockerfile_array(&self) -> String {
        array(self.words.iter().map(String::as_str))
    }

    /// The JSON array of Kubernetes, which expands `$(NAME)` and reads `$$` as one dollar.
    #[must_use]
    pub fn kubernetes_array(&self) -> String {
        let words: Vec<String> = self.words.iter().map(|word| for_kubernetes(word)).collect();
        array(words.iter().map(String::as_str))
    }

    fn render(&self, page: &mut String) {
        let _ = writeln!(page, "Instead:\n  {}\n", self.command_line());
        page.push_str("Dockerfile:\n");
        if let Some(folder) = &self.folder {
            let _ = writeln!(page, "  WORKDIR {}", for_env(folder));
        }
        for (name, value) in &self.env {
            let _ = writeln!(page, "  ENV {name}={}", for_env(&json(value)));
        }
        let array = self.dockerfile_array();
        if self.takes_cmd {
            let _ = writeln!(page, "  ENTRYPOINT {array}");
        } else {
            let _ = writeln!(page, "  CMD {array}");
            page.push_str(
                "  (ENTRYPOINT instead of CMD where the image has an entrypoint of its own)\n",
            );
        }
        page.push_str("\nKubernetes:\n");
        let _ = writeln!(page, "  command: {}", self.kubernetes_array());
        if self.takes_cmd {
            page.push_str("  (the server's command goes into args)\n");
        }
        if let Some(folder) = &self.folder {
            let _ = writeln!(page, "  workingDir: {}", json(folder));
        }
        if !self.env.is_empty() {
            page.push_str("  env:\n");
        }
        for (name, value) in &self.env {
            let value = json(&for_kubernetes(value));
            let _ = writeln!(page, "    - name: {name}\n      value: {value}");
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

fn array<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.map(json).collect();
    format!("[{}]", words.join(", "))
}

/// A Dockerfile puts variables into WORKDIR and ENV.
fn for_env(text: &str) -> String {
    text.replace('$', "\\$")
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
