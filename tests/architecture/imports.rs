//! What a file of Rust imports, read without a compiler.

/// A file, and the paths that it names.
#[derive(Debug)]
pub(super) struct Module {
    /// Relative to `src`.
    pub(super) file: String,
    /// Its module's path, without `crate`.
    pub(super) path: Vec<String>,
    /// Everything in this crate that it names, outside its unit tests.
    pub(super) imports: Vec<Import>,
}

/// One path, and where it stands.
#[derive(Debug)]
pub(super) struct Import {
    pub(super) line: usize,
    /// Without `crate`, never empty.
    pub(super) path: Vec<String>,
}

impl Module {
    /// Reads the text of `file`.
    pub(super) fn new(file: &str, text: &str) -> Self {
        let path = file.trim_end_matches(".rs").split('/').map(str::to_owned);
        let path: Vec<String> = path.collect();
        let end = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
        let imports = imports(&tokens(&text[..end]), &path);
        Self {
            file: file.to_owned(),
            path,
            imports,
        }
    }

    /// The top-level module that it is in.
    pub(super) fn room(&self) -> &str {
        &self.path[0]
    }

    /// Whether it is the crate itself, which sees every room.
    pub(super) fn is_root(&self) -> bool {
        matches!(self.file.as_str(), "lib.rs" | "main.rs")
    }

    /// Whether it is a file of unit tests.
    pub(super) fn is_test(&self) -> bool {
        self.path.iter().any(|name| name == "tests")
    }
}

/// A word, or a sign that is not part of one; `::` is one sign.
#[derive(Debug, PartialEq, Eq)]
struct Token {
    text: String,
    line: usize,
}

/// The tokens of a text, without comments and literals.
fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(c) = rest.chars().next() {
        let len = literal(rest).or_else(|| comment(rest)).unwrap_or_else(|| {
            let is_word = |c: char| c.is_alphanumeric() || c == '_';
            let len = match c {
                c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
                ':' if rest.starts_with("::") => 2,
                c => c.len_utf8(),
            };
            if !c.is_whitespace() {
                let text = rest[..len].to_owned();
                found.push(Token { text, line });
            }
            len
        });
        line += rest[..len].matches('\n').count();
        rest = &rest[len..];
    }
    found
}

/// The length of the comment that `text` begins with.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    let inside = text.strip_prefix("/*")?;
    Some(inside.find("*/").map_or(text.len(), |end| end + 4))
}

/// The length of the string or character that `text` begins with.
fn literal(text: &str) -> Option<usize> {
    let raw = text.strip_prefix("br").or(text.strip_prefix('r'));
    if let Some(raw) = raw {
        let signs = raw.len() - raw.trim_start_matches('#').len();
        if let Some(inside) = raw[signs..].strip_prefix('"') {
            let end = format!("\"{}", "#".repeat(signs));
            let len = inside.find(&end)? + end.len();
            return Some(text.len() - inside.len() + len);
        }
    }
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let inside = &text[1..];
    // `'a` without a second quote right behind it is a lifetime.
    let mut chars = inside.chars();
    let (first, second) = (chars.next(), chars.next());
    if quote == '\'' && first != Some('\\') && second != Some('\'') {
        return Some(1);
    }
    let mut escaped = false;
    let end = inside.find(|c| {
        let ends = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    end.map(|end| end + 2)
}

fn imports(tokens: &[Token], own: &[String]) -> Vec<Import> {
    let mut found = Vec::new();
    let mut depth: Vec<bool> = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let before = at.checked_sub(1).map(|at| tokens[at].text.as_str());
        match token.text.as_str() {
            "{" => {
                let is_module = at >= 2 && tokens[at - 2].text == "mod";
                depth.push(is_module);
            }
            "}" => drop(depth.pop()),
            "use" => {
                let mut paths = Vec::new();
                tree(tokens, &mut (at + 1), &[], &mut paths);
                found.extend(paths.into_iter().map(|path| (token.line, path)));
                at += tokens[at..].iter().position(|t| t.text == ";").unwrap_or(0);
            }
            "crate" | "super" | "self" if before != Some("::") && before != Some("(") => {
                let mut path = Vec::new();
                let mut end = at;
                while let Some(word) = tokens.get(end) {
                    path.push(word.text.clone());
                    if tokens.get(end + 1).is_none_or(|t| t.text != "::") {
                        break;
                    }
                    end += 2;
                }
                found.push((token.line, path));
            }
            _ => {}
        }
        at += 1;
        // Inside an inline module `super` is this file.
        if depth.contains(&true) {
            found.retain(|(_, path)| path[0] != "super");
        }
    }
    let absolute = found.into_iter().filter_map(|(line, path)| {
        let path = absolute(&path, own)?;
        (!path.is_empty()).then_some(Import { line, path })
    });
    absolute.collect()
}

/// Adds the paths of the `use` tree that begins at `at`.
fn tree(tokens: &[Token], at: &mut usize, before: &[String], paths: &mut Vec<Vec<String>>) {
    let mut path = before.to_vec();
    while let Some(token) = tokens.get(*at) {
        *at += 1;
        match token.text.as_str() {
            "::" => {}
            "{" => {
                while tokens.get(*at).is_some_and(|token| token.text != "}") {
                    tree(tokens, at, &path, paths);
                    if tokens.get(*at).is_some_and(|token| token.text == ",") {
                        *at += 1;
                    }
                }
                *at += 1;
                return;
            }
            "as" => *at += 1,
            "," | ";" | "}" => {
                *at -= 1;
                break;
            }
            "self" if !path.is_empty() => {}
            word => path.push(word.to_owned()),
        }
    }
    paths.push(path);
}

/// The path from the crate's root; `None` where it leads out of the crate.
fn absolute(path: &[String], own: &[String]) -> Option<Vec<String>> {
    let (first, rest) = path.split_first()?;
    match first.as_str() {
        "crate" => Some(rest.to_vec()),
        "self" => Some([own, rest].concat()),
        "super" => {
            let ups = path.iter().take_while(|word| *word == "super").count();
            let base = own.len().checked_sub(ups)?;
            Some([&own[..base], &path[ups..]].concat())
        }
        _ => None,
    }
}
