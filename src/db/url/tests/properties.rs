//! Properties of every password and every text.

use percent_encoding::NON_ALPHANUMERIC;
use proptest::prelude::*;

use super::*;

/// Passwords that occur nowhere else in the URLs below, raw special characters included.
pub(super) fn passwords() -> impl Strategy<Value = String> {
    // The marks keep it from being a part of a host or a scheme by chance, and from being a number.
    "[ -~äß🔑]{1,12}".prop_map(|middle| format!("xQ{middle}Zy"))
}

pub(super) fn encoded(password: &str) -> String {
    utf8_percent_encode(password, NON_ALPHANUMERIC).to_string()
}

/// The renderings of the URL, and of each value in it, that show the password.
fn shows(text: &str, password: &str) -> Vec<String> {
    let shown = match DatabaseUrl::parse(text) {
        Ok(url) => {
            format!(
                "{url} {url:?} {url:#?} {:?} {:?}",
                url.tls(),
                url.password()
            )
        }
        Err(error) => format!("{error} {error:?} {error:#?} {}", error.hint()),
    };
    Some(shown)
        .filter(|shown| contains(shown, password))
        .into_iter()
        .collect()
}

fn contains(text: &str, password: &str) -> bool {
    text.contains(password) || text.contains(&encoded(password))
}

/// What a step may print of the URL, as the log has it.
fn redacted(url: &DatabaseUrl, text: &str, password: &str) -> String {
    url.redact(&format!(
        "raw {password} encoded {} url {text}",
        encoded(password)
    ))
}

/// `@HOST/DATABASE?NAME=`: a password with this in it makes two whole URLs of one.
fn reads_as_the_rest_of_a_url(password: &str) -> bool {
    let rest = password.split_once('@').map(|(_, rest)| rest);
    let query = rest
        .and_then(|rest| rest.split_once('/'))
        .and_then(|(_, path)| path.split_once('?'));
    query.is_some_and(|(_, query)| query.contains('='))
}

proptest! {
    #[test]
    fn an_encoded_password_is_read_and_never_shown(password in passwords()) {
        for scheme in ["postgres", "mysql+pymysql", "jdbc:mariadb"] {
            let text = format!("{scheme}://ann:{}@db:5432/shop?sslmode=disable", encoded(&password));
            let read = url(&text);
            prop_assert_eq!(super::tests::password(&read), Some(password.as_str()));
            prop_assert_eq!(shows(&text, &password), Vec::<String>::new());
            prop_assert_eq!(redacted(&read, &text, &password), "raw *** encoded *** url ***");
        }
        let text = format!("jdbc:postgresql://db/shop?user=ann&password={}", encoded(&password));
        let read = url(&text);
        prop_assert_eq!(super::tests::password(&read), Some(password.as_str()));
        prop_assert_eq!(redacted(&read, &text, &password), "raw *** encoded *** url ***");
        prop_assert_eq!(shows(&text, &password), Vec::<String>::new());
    }

    #[test]
    fn a_raw_password_is_read_as_it_is_or_not_at_all(password in passwords().prop_filter("encoded, or the rest of a whole URL", |p| {
        !p.contains('%') && !reads_as_the_rest_of_a_url(p)
    })) {
        for rest in ["db:5432/shop", "db/shop?sslmode=disable", "[::1]:5432/shop", "db"] {
            let text = format!("postgres://ann:{password}@{rest}");
            match DatabaseUrl::parse(&text) {
                Ok(url) => {
                    prop_assert_eq!(super::tests::password(&url), Some(password.as_str()));
                    prop_assert_eq!(redacted(&url, &text, &password), "raw *** encoded *** url ***");
                }
                Err(UrlError::Placeholder(_) | UrlError::Template(_)) => {}
                Err(error) => prop_assert!(error.hint().contains("percent-encode"), "{:?}: {}", error, error.hint()),
            }
            prop_assert_eq!(shows(&text, &password), Vec::<String>::new());
        }
    }

    #[test]
    fn no_broken_url_shows_its_password(password in passwords(), encode: bool) {
        let p = if encode { encoded(&password) } else { password.clone() };
        for text in [
            format!("postgres://ann:{p}@"),
            format!("postgres://ann:{p}"),
            format!("postgres://ann:{p}@/"),
            format!("postgres:/ann:{p}@db/shop"),
            format!("postgres:ann:{p}@db/shop"),
            format!("postgres//ann:{p}@db/shop"),
            format!("ann:{p}@db/shop"),
            format!("://ann:{p}@db/shop"),
            format!("mongodb://ann:{p}@db/shop"),
            format!("jdbc:oracle:thin:ann/{p}@db"),
            format!("jdbc:postgresql:ann:{p}@db/shop"),
            format!("postgres://ann:{p}@db:x/shop"),
            format!("postgres://ann:{p}@a,b/shop"),
            format!("postgres://ann:{p}@[::1/shop"),
            format!("postgres://ann:{p}@d b/shop"),
            format!("postgres://ann:{p}@db/shop?sslmode=nonsense"),
            format!("postgres://db/shop?password={p}&sslmode=nonsense"),
            format!("postgres://db/shop?user=ann&password={p}"),
            format!("postgres://db/shop?sslmode={p}"),
            format!("postgres://db/shop?port={p}"),
            format!("postgres://db/shop?hostaddr={p}"),
            format!("mysql://db/shop?pass={p}&ssl={p}"),
            format!("mysql://db/shop?token={p}"),
            format!("sqlite://ann:{p}@db/shop"),
            format!("sqlite:/shop.db?key={p}"),
            format!("file:ann:{p}@db/shop"),
            format!("\"postgres://ann:{p}@db/shop\""),
            format!("postgres://ann:{p}%FF@db/shop"),
            format!("postgres://ann:{p}%00@db/shop"),
        ] {
            prop_assert_eq!(shows(&text, &password), Vec::<String>::new(), "{}", text);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "(postgres|mysql|sqlite|jdbc|file|x)?:?/{0,3}[a-z:@/?#%,=&\\[\\]1é -]{0,24}") {
        if let Ok(url) = DatabaseUrl::parse(&text) {
            let _ = url.redact(&text);
        }
    }

    #[test]
    fn what_is_shown_reads_back_as_the_same_server(
        user in "[!-~ä]{1,8}", host in "[a-z][a-z0-9.-]{0,8}", port in 1u16.., database in "[!-.0-~ä]{1,8}",
    ) {
        let text = format!("postgres://{}@{host}:{port}/{}", encoded(&user), encoded(&database));
        let shown = url(&text).to_string();
        let again = url(&shown);
        prop_assert_eq!(again.to_string(), shown);
        prop_assert_eq!(again.user(), Some(user.as_str()));
        prop_assert_eq!(again.database(), Some(database.as_str()));
    }
}
