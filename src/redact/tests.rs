use super::passwords;
use proptest::prelude::*;

#[test]
fn hides_passwords_of_urls_and_nothing_else_that_matters() {
    for (text, shown) in [
        ("node migrate.js", "node migrate.js"),
        ("curl http://host:8080/x", "curl http://host:8080/x"),
        ("curl http://host:8080", "curl http://host:8080"),
        ("curl http://[::1]:8080/x", "curl http://[::1]:8080/x"),
        ("curl http://host:$PORT/x", "curl http://host:$PORT/x"),
        ("aws s3 cp a s3://bucket/a:b", "aws s3 cp a s3://bucket/a:b"),
        ("psql postgres://u@h/db", "psql postgres://u@h/db"),
        ("psql postgres://u@h:5432/db", "psql postgres://u@h:5432/db"),
        (
            "psql 'postgres://u:p@h/db' -c x",
            "psql 'postgres://u:***@h/db' -c x",
        ),
        (
            "psql 'postgres://u:p@h/db' -c \"select 'a@b'\"",
            "psql 'postgres://u:***@h/db' -c \"select 'a@b'\"",
        ),
        ("a mysql://u:p/w?@x@h/d b", "a mysql://u:***@h/d b"),
        ("a://u:p@h b://v:q@h", "a://u:***@h b://v:***@h"),
        ("redis://:p@h/0", "redis://:***@h/0"),
        // The scheme is forgotten or misspelled.
        ("x 'u:p@h/d' y", "x 'u:***@h/d' y"),
        ("postgres:/u:p@h/d", "postgres:***@h/d"),
        ("postgres//u:p@h/d", "postgres//u:***@h/d"),
        ("`u:p@ss:w@h`", "`u:***@h`"),
        ("u:p@tcp(h:3306)/d", "u:***@tcp(h:3306)/d"),
        ("root@h:5432/d", "root@h:5432/d"),
        ("app:v1@sha256:0a1b", "app:v1@sha256:0a1b"),
        ("deno run npm:prisma@5", "deno run npm:prisma@5"),
        // What somebody still has to fill in.
        ("a://USER:PASSWORD@HOST/D", "a://USER:PASSWORD@HOST/D"),
        (
            "a://{DB_USER}:{DB_PASSWORD}@h",
            "a://{DB_USER}:{DB_PASSWORD}@h",
        ),
        ("a://u:${DB_PASSWORD}@h", "a://u:${DB_PASSWORD}@h"),
        ("a://u:{DB_PASSWORD}x@h", "a://u:***@h"),
        (
            "x://h/d?user=u&sslpassword=s&a=b",
            "x://h/d?user=u&sslpassword=***&a=b",
        ),
        ("'x://h/d?password=s'", "'x://h/d?password=***'"),
        // A blank or a quote in the password.
        (
            "psql 'postgres://u:a b@h/d' x",
            "psql 'postgres://u:***@h/d' x",
        ),
        (
            "psql \"postgres://u:it's@h/d\" x",
            "psql \"postgres://u:***@h/d\" x",
        ),
        (
            "psql 'postgres://u:a\"b@h/d' x",
            "psql 'postgres://u:***@h/d' x",
        ),
        (
            "psql 'postgres://u:it'\\''s a@h/d'",
            "psql 'postgres://u:***@h/d'",
        ),
        (
            "psql postgres://u:a\\ b@h/d x",
            "psql postgres://u:***@h/d x",
        ),
        (
            "--url='postgres://u:12 34@h/d'",
            "--url='postgres://u:***@h/d'",
        ),
        // An apostrophe that closes no quote.
        ("it can't be 'a://u:p w@h'", "it can't be 'a://u:***@h'"),
        (
            "it can't be a://u:p@h or b://v:q@h",
            "it can't be a://u:***@h or b://v:***@h",
        ),
        // Cut off.
        (
            "an argument (`postgres://u:geheimge…`)",
            "an argument (`postgres://u:***`)",
        ),
    ] {
        assert_eq!(passwords(text), shown);
    }
}

#[test]
fn hides_what_is_assigned_to_a_name_of_a_password() {
    for (text, shown) in [
        ("env PGPASSWORD=x psql -h h", "env PGPASSWORD=*** psql -h h"),
        ("env 'MYSQL_PWD=a b' mysql", "env 'MYSQL_PWD=***' mysql"),
        ("env MYSQL_PWD='a b' mysql", "env MYSQL_PWD=*** mysql"),
        ("sh -c 'PGPASSWORD=x psql'", "sh -c 'PGPASSWORD=***'"),
        ("tool --password=x --user=y", "tool --password=*** --user=y"),
        ("tool --db-Password=x y", "tool --db-Password=*** y"),
        (
            "tool -Dspring.datasource.password=x",
            "tool -Dspring.datasource.password=***",
        ),
        ("tool --password x --user y", "tool --password *** --user y"),
        ("tool --password 'a b' y", "tool --password *** y"),
        ("tool --no-password -h h", "tool --no-password -h h"),
        ("tool --password-file x", "tool --password-file x"),
        (
            "env POSTGRES_PASSWORD_FILE=x y",
            "env POSTGRES_PASSWORD_FILE=x y",
        ),
        (
            "psql 'host=h password=secret dbname=d' -c x",
            "psql 'host=h password=*** dbname=d' -c x",
        ),
        (
            "psql 'host=h password=secret'",
            "psql 'host=h password=***'",
        ),
        (
            "psql 'host=h password = secret'",
            "psql 'host=h password = ***'",
        ),
        (
            "psql \"host=h password='se cret' dbname=d\"",
            "psql \"host=h password=***\"",
        ),
        ("psql 'password=se\\ cret host=h'", "psql 'password=***'"),
        (
            "psql \"host=h password=a\\\\ b user=u\"",
            "psql \"host=h password=***\"",
        ),
        (
            "sqlcmd 'Server=h;Password=p;Database=d'",
            "sqlcmd 'Server=h;Password=***'",
        ),
        (
            "it can't be --password=x here",
            "it can't be --password=*** here",
        ),
        (
            "it can't be --password x here",
            "it can't be --password *** here",
        ),
        (
            "it can't be --password='x y' here'",
            "it can't be --password=***",
        ),
        (
            "password authentication failed",
            "password authentication failed",
        ),
        ("the password of u", "the password of u"),
    ] {
        assert_eq!(passwords(text), shown);
    }
}

/// Found by `scripts/fuzz`.
#[test]
fn hides_the_password_of_a_misspelled_url() {
    for (text, shown) in [
        ("postgres:/u:p@%2Ftmp/d", "postgres:***@%2Ftmp/d"),
        ("postgres:/u:p@-", "postgres:***@-"),
        ("postgres:/u:p@", "postgres:***@"),
        ("'postgres: //u:p@#d' x", "'postgres:***@#d' x"),
        ("postgres:/u:p@h://d", "postgres:***@h://d"),
        ("postgres://[x:p]q@h", "postgres://[x:***@h"),
    ] {
        assert_eq!(passwords(text), shown);
    }
    // This was hidden already, with its user.
    assert_eq!(passwords("/\\ postgres://u:p@h"), "/\\ postgres://u:***@h");
}

proptest! {
    #[test]
    fn no_password_of_a_url_is_left(password in "[!-~&&[^'\"`]]{3,20}", before: String) {
        // a backslash would make one word of both
        let before = before.trim_end_matches('\\');
        let text = format!("{before} postgres://user:{password}@host/db");
        let expected = " postgres://user:***@host/db";
        prop_assert!(passwords(&text).ends_with(expected));
    }

    #[test]
    fn no_password_of_a_quoted_word_is_left(password in "[ -~]{1,20}", before in "[a-z ]{0,9}") {
        let secret = "Geheim";
        for word in [
            format!("postgres://u:{secret}{password}{secret}@h/db"),
            format!("x://h/db?password={secret}"),
            format!("PGPASSWORD={secret}{password}{secret}"),
            format!("--password={secret}{password}{secret}"),
            format!("password='{secret}{}{secret}'", password.replace(['\'', '\\'], "")),
            format!("host=h password={secret}"),
        ] {
            let text = shlex::try_join([before.trim(), "--url", &word, "end"]).unwrap();
            let shown = passwords(&text);
            prop_assert!(!shown.contains(secret), "{text} {shown}");
            prop_assert!(shown.ends_with(" end"), "{text} {shown}");
        }
        let text = shlex::try_join(["--password", &format!("{secret}{password}"), "end"]).unwrap();
        prop_assert!(!passwords(&text).contains(secret), "{text}");
    }

    #[test]
    fn no_text_makes_it_panic(text: String, more in "(://|:|@|pwd=|--pass|['\"`\\\\ é]|x)*") {
        let _ = passwords(&format!("{text}{more}"));
    }
}
