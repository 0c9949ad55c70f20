//! Unexpanded placeholders: `$TAG`, `${GIT_SHA}`, `$(git rev-parse HEAD)`,
//! `${{ github.sha }}`, `{{ .Values.tag }}`.
//!
//! The exec form of a container's command has no shell, and a template that was not rendered
//! reaches launchgate as it is. Taken literally, such a name never changes, so the next release
//! would never be migrated. Pure.

/// Where a text is used. In a URL, a lone `$` or `%` may belong to a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// A release or an app's name: `$NAME`, `%NAME%`, `#{NAME}` and a whole text such as `<no value>` count
    /// too.
    Name,
    /// A database URL: `$NAME` and `%NAME%` count only where they are the whole URL.
    Url,
}

/// The first placeholder in a text.
pub fn find(text: &str, context: Context) -> Option<&str> {
    let is_word = |name: &str| !name.is_empty() && word_len(name) == name.len();
    if context == Context::Url && text.strip_prefix('$').is_some_and(is_word) {
        return Some(text);
    }
    // What Go's templates write for a value that is missing, and what a manual has in place of one.
    if text.starts_with('<') && text.ends_with('>') {
        return Some(text);
    }
    if context == Context::Url
        && text.starts_with('%')
        && starting(text, Context::Name) == Some(text)
    {
        return Some(text);
    }
    text.match_indices(['$', '{', '#', '<', '`', '%'])
        .find_map(|(at, _)| starting(&text[at..], context))
}

/// The placeholder that a text begins with.
fn starting(text: &str, context: Context) -> Option<&str> {
    // The longest opening first: `${{` is also `${`.
    let everywhere = [("${{", "}}"), ("{{", "}}"), ("${", "}"), ("$(", ")")];
    let in_names = [("#{", "}"), ("$[", "]"), ("<%", "%>")];
    let in_names = in_names.into_iter().filter(|_| context == Context::Name);
    for (open, close) in everywhere.into_iter().chain(in_names) {
        if let Some(rest) = text.strip_prefix(open) {
            let end = rest
                .find(close)
                .map_or(text.len(), |at| open.len() + at + close.len());
            return Some(&text[..end]);
        }
    }
    if context == Context::Url {
        return None;
    }
    if let Some(rest) = text.strip_prefix('`') {
        return Some(&text[..rest.find('`')? + 2]);
    }
    if let Some(rest) = text.strip_prefix('$') {
        let len = word_len(rest);
        return (len > 0).then(|| &text[..=len]);
    }
    let rest = text.strip_prefix('%')?;
    let len = word_len(rest);
    (len > 0 && rest[len..].starts_with('%')).then(|| &text[..len + 2])
}

/// How many bytes of a variable's name a text begins with.
fn word_len(text: &str) -> usize {
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        return 0;
    }
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_with_a_placeholder_is_found() {
        for (text, found) in [
            ("$TAG", "$TAG"),
            ("v1-$TAG-x", "$TAG"),
            ("${GIT_SHA}", "${GIT_SHA}"),
            ("${GIT_SHA:-none}", "${GIT_SHA:-none}"),
            ("$(git rev-parse HEAD)", "$(git rev-parse HEAD)"),
            ("`git rev-parse HEAD`", "`git rev-parse HEAD`"),
            ("${{ github.sha }}", "${{ github.sha }}"),
            ("{{ .Values.image.tag }}", "{{ .Values.image.tag }}"),
            ("%BUILD_SHA%", "%BUILD_SHA%"),
            ("app-${NEVER_CLOSED", "${NEVER_CLOSED"),
            ("#{Build.SourceVersion}#", "#{Build.SourceVersion}"),
            ("v$[variables.tag]", "$[variables.tag]"),
            ("<%= sha %>", "<%= sha %>"),
            ("<no value>", "<no value>"),
            ("<nil>", "<nil>"),
        ] {
            assert_eq!(find(text, Context::Name), Some(found), "{text}");
        }
        for text in [
            "v1.2.3", "4f2c1e", "50%", "100%-a", "a$", "$5", "a{b}", "{a}", "it's", "a<b>", "#5",
        ] {
            assert_eq!(find(text, Context::Name), None, "{text}");
        }
    }

    #[test]
    fn a_url_may_have_a_dollar_in_its_password() {
        for (text, found) in [
            ("postgres://a:${DB_PASSWORD}@h/d", "${DB_PASSWORD}"),
            ("$DATABASE_URL", "$DATABASE_URL"),
            ("${DATABASE_URL}", "${DATABASE_URL}"),
            ("{{ .Values.url }}", "{{ .Values.url }}"),
            ("%DATABASE_URL%", "%DATABASE_URL%"),
            ("<no value>", "<no value>"),
            ("postgres://$(cat user)@h/d", "$(cat user)"),
        ] {
            assert_eq!(find(text, Context::Url), Some(found), "{text}");
        }
        for text in [
            "postgres://a:pa$word@h/d",
            "postgres://a:%C3%A9@h/d",
            "postgres://a:b%25c%25@h/d",
            "postgres://{DB_USER}@h/d",
            "postgres://a:b#{c}@h/d",
            "$5",
        ] {
            assert_eq!(find(text, Context::Url), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_found_is_part_of_the_text(text in "[$%{}()`a-zé0-9 ]{0,12}") {
            for context in [Context::Name, Context::Url] {
                if let Some(found) = find(&text, context) {
                    prop_assert!(text.contains(found));
                }
            }
        }
    }
}
