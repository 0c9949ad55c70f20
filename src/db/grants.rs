//! What `SHOW GRANTS` says that this session may do: on `MySQL` and `MariaDB` the one answer that
//! has the roles in it. Pure.
//!
//! <https://dev.mysql.com/doc/refman/8.4/en/show-grants.html>,
//! <https://mariadb.com/kb/en/show-grants/>. A line may hold the hash of a password: none is shown.

/// The name of a table, and whether names that differ in case are one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name<'a> {
    pub(super) database: &'a str,
    pub(super) table: &'a str,
    pub(super) any_case: bool,
}

/// What a line grants or revokes.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    gives: bool,
    privileges: Vec<String>,
    on: On,
}

enum Read {
    Line(Line),
    /// About no privilege.
    Nothing,
    /// Not understood.
    Strange,
}

#[derive(Debug, PartialEq, Eq)]
enum On {
    Everything,
    /// A pattern as of LIKE.
    Database(String),
    Table(String, String),
    /// Another kind of thing.
    Other,
}

/// Whether the lines of `SHOW GRANTS` give `privilege` on a table; `None` where one of them, not
/// understood, might.
pub(super) fn give(lines: &[String], privilege: &str, name: Name<'_>) -> Option<bool> {
    let mut known: Vec<Line> = Vec::new();
    let mut may_be = false;
    for line in lines {
        match read(line) {
            Read::Line(line) => known.push(line),
            Read::Nothing => {}
            Read::Strange => may_be = true,
        }
    }
    let lines = known;
    let has = |line: &Line| {
        let mut all = line.privileges.iter();
        all.any(|given| given == privilege || given.starts_with("ALL"))
    };
    let of_database =
        |line: &Line| matches!(&line.on, On::Database(pattern) if name.is_named(pattern));
    let revoked = lines
        .iter()
        .any(|line| !line.gives && has(line) && of_database(line));
    // Of a user's entries that a database matches the server takes the one that names it, but
    // which lines are the user's and which a role's is not told.
    let is_named = lines.iter().any(|line| line.gives && of_database(line));
    let mut is_given = false;
    for line in lines.iter().filter(|line| line.gives && has(line)) {
        is_given |= match &line.on {
            On::Everything => !revoked,
            On::Database(pattern) if name.is_named(pattern) => true,
            On::Database(pattern) => {
                let is_like = name.is_like(pattern);
                may_be |= is_like;
                is_like && !is_named
            }
            On::Table(database, table) => {
                name.same(database, name.database) && name.same(table, name.table)
            }
            On::Other => false,
        };
    }
    if is_given || !may_be {
        Some(is_given)
    } else {
        None
    }
}

impl Name<'_> {
    fn same(self, one: &str, other: &str) -> bool {
        if self.any_case {
            one.to_lowercase() == other.to_lowercase()
        } else {
            one == other
        }
    }

    /// Whether a pattern is the database's own name, its wildcards escaped or not.
    fn is_named(self, pattern: &str) -> bool {
        self.same(pattern, self.database) || self.same(&pattern.replace('\\', ""), self.database)
    }

    fn is_like(self, pattern: &str) -> bool {
        let case = |text: &str| -> Vec<char> {
            if self.any_case {
                text.to_lowercase().chars().collect()
            } else {
                text.chars().collect()
            }
        };
        like(&case(pattern), &case(self.database))
    }
}

fn like(pattern: &[char], text: &[char]) -> bool {
    match (pattern, text) {
        ([], text) => text.is_empty(),
        (['%', pattern @ ..], text) => (0..=text.len()).any(|at| like(pattern, &text[at..])),
        (['_', pattern @ ..], [_, text @ ..]) => like(pattern, text),
        (['\\', wanted, pattern @ ..] | [wanted, pattern @ ..], [c, text @ ..]) => {
            wanted == c && like(pattern, text)
        }
        (_, []) => false,
    }
}

fn read(line: &str) -> Read {
    let (gives, rest) = match line.split_once(' ') {
        Some(("GRANT", rest)) => (true, rest),
        Some(("REVOKE", rest)) => (false, rest),
        Some(("SET", _)) => return Read::Nothing,
        _ => return Read::Strange,
    };
    let words = words(rest);
    let end = if gives { "TO" } else { "FROM" };
    let to = words.iter().position(|word| word == end);
    let on = words.iter().position(|word| word == "ON");
    let (on, to) = match (on, to) {
        (Some(on), Some(to)) if on + 1 < to => (on, to),
        // A role is granted; what it gives has lines of its own where it is in force.
        (None, Some(_)) => return Read::Nothing,
        _ => return Read::Strange,
    };
    Read::Line(Line {
        gives,
        privileges: privileges(&words[..on]),
        on: match &words[on + 1..to] {
            [name] => of(name),
            _ => On::Other,
        },
    })
}

/// The words of a line: a blank in quotes or brackets ends none, and neither does a comma there.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let (mut quote, mut depth) = (None, 0);
    for c in text.chars() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('`' | '"' | '\'', None) => quote = Some(c),
            ('(', None) => depth += 1,
            (')', None) => depth -= 1,
            (' ' | ',', None) if depth == 0 => {
                words.push(std::mem::take(&mut word));
                if c == ',' {
                    words.push(c.to_string());
                }
                continue;
            }
            _ => {}
        }
        word.push(c);
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// Between commas; one that is given for columns alone is none.
fn privileges(words: &[String]) -> Vec<String> {
    let parts = words.split(|word| word == ",");
    parts
        .map(|part| part.join(" "))
        .filter(|privilege| !privilege.contains('('))
        .collect()
}

fn of(object: &str) -> On {
    let mut names = Vec::new();
    let mut rest = object;
    loop {
        let name = match rest.chars().next() {
            Some(quote @ ('`' | '"')) => {
                let Some(end) = closing(&rest[1..], quote) else {
                    return On::Other;
                };
                let twice: String = [quote, quote].iter().collect();
                let name = rest[1..=end].replace(&twice, &quote.to_string());
                rest = &rest[end + 2..];
                Some(name)
            }
            Some('*') => {
                rest = &rest[1..];
                None
            }
            _ => return On::Other,
        };
        names.push(name);
        match rest.strip_prefix('.') {
            Some(behind) => rest = behind,
            None => break,
        }
    }
    match (names.as_slice(), rest) {
        ([None, None], "") => On::Everything,
        ([Some(database), None], "") => On::Database(database.clone()),
        ([Some(database), Some(table)], "") => On::Table(database.clone(), table.clone()),
        _ => On::Other,
    }
}

/// Where a quoted name ends: at a quote that is not written twice.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut at = 0;
    loop {
        let end = at + text[at..].find(quote)?;
        if !text[end + 1..].starts_with(quote) {
            return Some(end);
        }
        at = end + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may_create(lines: &[&str]) -> Option<bool> {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let name = Name {
            database: "shop_1",
            table: "launchgate_runs",
            any_case: false,
        };
        give(&lines, "CREATE", name)
    }

    const LOGIN: &str = "GRANT USAGE ON *.* TO `u`@`%` IDENTIFIED BY PASSWORD '*6BB4837EB7'";

    #[test]
    fn what_gives_it() {
        for line in [
            "GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` IDENTIFIED VIA unix_socket WITH GRANT OPTION",
            "GRANT SELECT, CREATE, DROP ON *.* TO `u`@`%`",
            "GRANT SELECT, INSERT, CREATE ON `shop_1`.* TO `u`@`%`",
            "GRANT CREATE ON `shop\\_1`.* TO `u`@`%`",
            "GRANT CREATE ON `shop%`.* TO `u`@`%`",
            "GRANT CREATE ON `sho__1`.* TO `r`",
            "GRANT ALL PRIVILEGES ON \"shop_1\".* TO \"u\"@\"%\"",
            "GRANT SELECT (`a`, `b ON c`), CREATE ON `shop_1`.`launchgate_runs` TO `u`@`%`",
        ] {
            assert_eq!(may_create(&[LOGIN, line]), Some(true), "{line}");
        }
    }

    #[test]
    fn what_does_not() {
        for line in [
            LOGIN,
            "GRANT SELECT ON `shop_1`.* TO `u`@`%`",
            "GRANT CREATE VIEW, CREATE ROUTINE ON `shop_1`.* TO `u`@`%`",
            "GRANT CREATE ON `shop`.* TO `u`@`%`",
            "GRANT CREATE ON `shop\\_2`.* TO `u`@`%`",
            "GRANT CREATE ON `Shop_1`.* TO `u`@`%`",
            "GRANT CREATE ON `shop_1`.`other` TO `u`@`%`",
            "GRANT `CREATE` TO `u`@`%`",
            "GRANT PROXY ON ''@'%' TO 'root'@'localhost' WITH GRANT OPTION",
            "GRANT EXECUTE ON PROCEDURE `shop_1`.`create` TO `u`@`%`",
            "SET DEFAULT ROLE `r` FOR `u`@`%`",
        ] {
            assert_eq!(may_create(&[line]), Some(false), "{line}");
        }
    }

    #[test]
    fn an_entry_that_names_the_database_counts_before_one_that_matches_it() {
        let wide = "GRANT CREATE ON `shop%`.* TO `u`@`%`";
        let own = "GRANT SELECT ON `shop_1`.* TO `u`@`%`";
        // Unless one of them is a role's.
        assert_eq!(may_create(&[wide, own]), None);
        let all = "GRANT ALL PRIVILEGES ON *.* TO `u`@`%`";
        let less = "REVOKE CREATE ON `shop_1`.* FROM `u`@`%`";
        assert_eq!(may_create(&[all, less]), Some(false));
        assert_eq!(
            may_create(&[all, less, "GRANT CREATE ON `shop_1`.* TO `u`@`%`"]),
            Some(true)
        );
    }

    #[test]
    fn what_is_not_understood_may_give_it() {
        for line in ["BESTOW all ON `shop_1`.*", "GRANT CREATE ON", ""] {
            assert_eq!(may_create(&[LOGIN, line]), None, "{line}");
        }
    }

    #[test]
    fn names_may_be_one_in_any_case() {
        let lines = ["GRANT CREATE ON `Shop\\_1`.* TO `u`@`%`".to_owned()];
        let name = Name {
            database: "SHOP_1",
            table: "launchgate_runs",
            any_case: true,
        };
        assert_eq!(give(&lines, "CREATE", name), Some(true));
    }

    proptest::proptest! {
        #[test]
        fn no_line_makes_it_panic(line in "(GRANT|REVOKE|SET| |ON|TO|FROM|`|\"|'|\\*|\\.|,|\\(|\\)|é|%|\\\\)*") {
            let _ = may_create(&[&line]);
        }
    }
}
