use super::*;

fn of(entries: &[&str]) -> Secrets {
    let mut secrets = Secrets::default();
    secrets.add_variables(entries.iter().map(|entry| entry.as_bytes()));
    secrets
}

#[track_caller]
fn hides(entry: &str, secret: &str) {
    let text = format!("<{secret}>");
    assert_eq!(of(&[entry]).redact(&text), "<***>", "{entry}");
}

#[track_caller]
fn shows(entries: &[&str], text: &str) {
    assert_eq!(of(entries).redact(text), text, "{entries:?}");
}

/// "the passwords of every URL in the environment that a step sees" (contract, section 5)
#[test]
fn passwords_of_urls_are_secret() {
    for entry in [
        "ADMIN=postgres://root:ge%2Fheim@db/shop",
        "ADMIN=postgres://root:ge/heim@db/shop",
        "ADMIN=amqp://root:ge%2Fheim@db",
        "ADMIN=https://db/x?user=u&password=ge%2Fheim&x=1",
        "ADMIN=jdbc:sqlserver://db;user=u;password=ge/heim;x=1",
        "ADMIN=redis://:ge%2Fheim@db",
        "ADMIN=u://a:b@c,mysql://root:ge%2Fheim@db/shop",
        "ADMIN=root:ge/heim@tcp(db:3306)/shop",
        "ADMIN=host=db password='ge/heim'",
        "ADMIN=see postgres://root:ge%2Fheim@db/shop for more",
    ] {
        hides(entry, "ge/heim");
        hides(entry, "ge%2Fheim");
        hides(entry, "ge%2fheim");
    }
}

/// "the values (8 characters or more) of variables whose names end in `PASSWORD`, `PASSWD`, `PWD` (not the
/// shell's `PWD` and `OLDPWD`), `SECRET`, `TOKEN` or `KEY`, each also percent-encoded" (contract, section 5)
#[test]
fn values_of_variables_with_telling_names_are_secret() {
    for name in [
        "PGPASSWORD",
        "DB_PASSWD",
        "MYSQL_PWD",
        "CLIENT_SECRET",
        "NPM_TOKEN",
        "API_KEY",
        "api_key",
    ] {
        hides(&format!("{name}=geheim 12"), "geheim 12");
        hides(&format!("{name}=geheim 12\n"), "geheim 12");
        hides(&format!("{name}=geheim 12"), "geheim%2012");
        hides(&format!("{name}=geheim 12"), "geheim+12");
        shows(&[&format!("{name}=geheim1")], "geheim1");
    }
    for name in ["PWD", "OLDPWD", "KEYS", "TOKENS_FILE", "PATH"] {
        shows(&[&format!("{name}=geheim12")], "geheim12");
    }
}

#[test]
fn what_is_no_secret_is_shown() {
    shows(&["A=postgres://postgres:postgres@db/app"], "postgres app");
    shows(&["A=postgres://app:shop@db/shop"], "shop");
    shows(
        &["A_USER=postgres", "POSTGRES_PASSWORD=postgres"],
        "postgres",
    );
    shows(&["A=postgres://app:${PASSWORD}@db/app"], "${PASSWORD}");
    shows(&["A=http://host:8080/path", "B", "C="], "8080/path host");
    let userinfo = of(&["A=postgres://postgres:postgres@db/app"]);
    let shown = userinfo.redact("postgres://postgres:postgres@db/app");
    assert_eq!(shown, "postgres://***db/app");
}

#[test]
fn a_secret_in_another_one_leaves_nothing_behind() {
    let secrets = of(&["A_KEY=abc-geheim12-xyz", "B_KEY=geheim12"]);
    assert_eq!(secrets.redact("abc-geheim12-xyz geheim12"), "*** ***");
    // With every character as in `\u002d`.
    assert_eq!(secrets.longest(), 6 * "abc-geheim12-xyz".len());
}

#[test]
fn a_secret_is_found_in_every_spelling_and_nothing_else_is() {
    let secrets = of(&[r#"A_KEY=a\\"ö🔑 %2f/+"#]);
    for spelling in [
        r#"a\\"ö🔑 %2f/+"#,
        r#"a\\"ö🔑 %2F/+"#,
        "a%5C%5c%22%C3%b6%F0%9F%94%91+%252f%2F%2B",
        r#"a\\\\\"\u00f6\ud83d\udd11 %2f\/+"#,
        r#"a\u005c\\\"\u00F6\uD83D\uDD11\u0020%2f\u002f+"#,
    ] {
        assert_eq!(
            secrets.redact(&format!("-{spelling}-")),
            "-***-",
            "{spelling}"
        );
    }
    for other in [
        r#"A\\"ö🔑 %2f/+"#,
        r#"a\"ö🔑 %2f/+"#,
        r#"a\\"\u00f🔑 %2f/+"#,
        "a%5C%5c%22%C3ö🔑+%2f%2F%2B",
        r#"a\\"ö🔑 %2f/"#,
    ] {
        assert_eq!(secrets.redact(other), other);
    }
}
