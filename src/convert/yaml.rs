//! As much YAML as `command:`, `args:` and `entrypoint:` need: a mapping of these, lists in both
//! styles, scalars in all five. Whatever else YAML can do is refused.

use super::Refusal;

/// A key's value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum YamlValue {
    /// A list of scalars.
    List(Vec<String>),
    /// One scalar.
    Text(String),
}

fn broken(line: &str) -> Refusal {
    Refusal::new(
        format!("convert does not support this YAML: `{}`", line.trim()),
        "write the command as a list of quoted words, or as a `|` block",
    )
}

/// The keys at the first line's depth, in order.
pub(super) fn mapping(text: &str) -> Result<Vec<(String, YamlValue)>, Refusal> {
    let mut keys: Vec<(String, YamlValue)> = Vec::new();
    for (first, rest) in blocks(text, |line| !line.starts_with("- "))? {
        let (key, inline) = first.split_once(':').ok_or_else(|| broken(first))?;
        let value = value(inline.trim(), &rest)?;
        if keys.iter().any(|(known, _)| known == key) {
            return Err(Refusal::new(
                format!("`{key}:` appears twice"),
                "give one of them",
            ));
        }
        keys.push((key.to_owned(), value));
    }
    Ok(keys)
}

/// The items of a list with a dash in front of each.
pub(super) fn list(text: &str) -> Result<Vec<String>, Refusal> {
    let mut items = Vec::new();
    for (first, rest) in blocks(text, |_| true)? {
        let item = first.strip_prefix('-').ok_or_else(|| broken(first))?;
        match value(item.trim(), &rest)? {
            YamlValue::Text(text) => items.push(text),
            YamlValue::List(_) => return Err(broken(first)),
        }
    }
    Ok(items)
}

/// The lines at the first line's depth that `begins` accepts, each with the lines that belong
/// to it.
fn blocks(text: &str, begins: impl Fn(&str) -> bool) -> Result<Vec<(&str, Vec<&str>)>, Refusal> {
    let mut blocks: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut outer = None;
    for line in text.lines() {
        let depth = depth(line);
        let content = line.trim();
        let is_blank = content.is_empty() || (content.starts_with('#') && blocks.is_empty());
        let outer = *outer.get_or_insert(depth);
        match blocks.last_mut() {
            _ if !is_blank && depth == outer && begins(content) => {
                blocks.push((content, Vec::new()));
            }
            Some((_, rest)) => rest.push(line),
            None if is_blank => {}
            None => return Err(broken(line)),
        }
    }
    Ok(blocks)
}

fn depth(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// What is behind a key or a dash: on its line, and below.
fn value(inline: &str, below: &[&str]) -> Result<YamlValue, Refusal> {
    let inline = if inline.starts_with('#') { "" } else { inline };
    if let Some(style) = inline.strip_prefix(['|', '>']) {
        let is_literal = inline.starts_with('|');
        let (style, _) = style.split_once('#').unwrap_or((style, ""));
        if !matches!(style.trim(), "" | "-" | "+") {
            return Err(broken(inline));
        }
        return block_scalar(below, is_literal).map(YamlValue::Text);
    }
    let mut filled = below.iter().filter(|line| !line.trim().is_empty());
    let first = filled.clone().next().map(|line| line.trim_start());
    if inline.is_empty() && first.is_some_and(|line| line.starts_with("- ")) {
        return list(&below.join("\n")).map(YamlValue::List);
    }
    // A scalar or a list that goes on in the lines below: YAML folds a line break to a space.
    let mut folded = inline.to_owned();
    let comment = |line: &&&str| line.trim_start().starts_with('#');
    for line in filled.by_ref().filter(|line| !comment(line)) {
        folded.push(' ');
        folded.push_str(line.trim());
    }
    let folded = folded.trim();
    if folded.starts_with('[') {
        return flow_list(folded)
            .map(YamlValue::List)
            .ok_or_else(|| broken(folded));
    }
    let (text, rest) = scalar(folded, false).ok_or_else(|| broken(folded))?;
    if !rest.is_empty() && !rest.trim_start().starts_with('#') {
        return Err(broken(folded));
    }
    Ok(YamlValue::Text(text))
}

fn block_scalar(lines: &[&str], is_literal: bool) -> Result<String, Refusal> {
    let filled = || lines.iter().filter(|line| !line.trim().is_empty());
    let margin = filled().map(|line| depth(line)).next().unwrap_or(0);
    if let Some(line) = filled().find(|line| depth(line) < margin) {
        return Err(broken(line));
    }
    let lines: Vec<&str> = lines
        .iter()
        .map(|line| line.get(margin..).unwrap_or(""))
        .collect();
    if is_literal {
        return Ok(lines.join("\n"));
    }
    Ok(folded(&lines))
}

/// Lines folded to one (YAML 1.2, 8.1.3): a line break is a space, a blank line is a line break, and
/// nothing changes around lines that are indented further.
fn folded(lines: &[&str]) -> String {
    let mut out = String::new();
    let mut blanks = 0;
    let mut was_indented = false;
    for line in lines {
        if line.trim().is_empty() {
            blanks += 1;
            continue;
        }
        let is_indented = line.starts_with([' ', '\t']);
        let breaks = blanks + usize::from(was_indented || is_indented);
        match breaks {
            _ if out.is_empty() => {}
            0 => out.push(' '),
            breaks => out.push_str(&"\n".repeat(breaks)),
        }
        out.push_str(line);
        (blanks, was_indented) = (0, is_indented);
    }
    out.trim().to_owned()
}

/// `[a, "b", 'c']`.
pub(super) fn flow_list(text: &str) -> Option<Vec<String>> {
    let mut rest = text.strip_prefix('[')?.trim_start();
    let mut items = Vec::new();
    loop {
        if let Some(behind) = rest.strip_prefix(']') {
            let behind = behind.trim();
            return (behind.is_empty() || behind.starts_with('#')).then_some(items);
        }
        let (item, behind) = scalar(rest, true)?;
        items.push(item);
        rest = behind.trim_start();
        match rest.strip_prefix(',') {
            Some(behind) => rest = behind.trim_start(),
            None if rest.starts_with(']') => {}
            None => return None,
        }
    }
}

/// The scalar that a text begins with, and what is behind it.
fn scalar(text: &str, in_flow: bool) -> Option<(String, &str)> {
    if text.starts_with('"') {
        // JSON strings are valid YAML, except for escapes that no command needs.
        let mut strings = serde_json::Deserializer::from_str(text).into_iter::<String>();
        let string = strings.next()?.ok()?;
        return Some((string, &text[strings.byte_offset()..]));
    }
    if let Some(inside) = text.strip_prefix('\'') {
        let mut out = String::new();
        let mut rest = inside;
        loop {
            let (part, behind) = rest.split_once('\'')?;
            out.push_str(part);
            match behind.strip_prefix('\'') {
                Some(more) => {
                    out.push('\'');
                    rest = more;
                }
                None => return Some((out, behind)),
            }
        }
    }
    // A plain one. A scalar that YAML would not read as a string is refused.
    let end = if in_flow {
        text.find([',', ']'])?
    } else {
        text.find(" #").unwrap_or(text.len())
    };
    let plain = text[..end].trim_end();
    let is_special = plain.is_empty()
        || plain.starts_with(['&', '*', '!', '%', '@', '`', '{', '[', '|', '>', '?'])
        || plain.contains(": ");
    (!is_special && (!in_flow || !plain.contains(['[', '{', '"'])))
        .then(|| (plain.to_owned(), &text[end..]))
}
