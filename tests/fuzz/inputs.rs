//! Inputs: passwords, URLs as they are meant and as people misspell them.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use proptest::sample::select;

/// What every secret begins and ends with.
pub(crate) const MARK: &str = "Geheim";

/// One of these texts.
pub(crate) fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> + Clone {
    select(texts).prop_map(str::to_owned)
}

/// Some of these pieces, up to `longest`, with a few characters of any kind between them.
pub(crate) fn pieces(
    known: &'static [&'static str],
    longest: usize,
) -> impl Strategy<Value = String> {
    let other = prop_oneof![
        4 => "[ -~]",
        2 => any::<char>().prop_map(String::from),
        1 => any::<String>(),
    ];
    let piece = prop_oneof![8 => one_of(known), 1 => other];
    prop::collection::vec(piece, 0..longest).prop_map(|pieces| pieces.concat())
}

/// A password: what every one begins and ends with, and anything printable between.
pub(crate) fn password() -> impl Strategy<Value = String> {
    "[ -~äß🔑]{0,12}".prop_map(|inside| format!("{MARK}{inside}{MARK}"))
}

/// Percent-encoded, so that it means itself anywhere in a URL.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// The parts that a URL has.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    pub(crate) scheme: String,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) database: String,
}

impl Parts {
    /// The URL, everything encoded.
    pub(crate) fn url(&self) -> String {
        let [user, password, database] =
            [&self.user, &self.password, &self.database].map(|part| encoded(part));
        format!(
            "{}://{user}:{password}@{}:{}/{database}",
            self.scheme, self.host, self.port
        )
    }
}

/// The parts of a URL of a server.
pub(crate) fn parts() -> impl Strategy<Value = Parts> {
    let text = || "[ -~äß🔑]{1,9}";
    let schemes = &[
        "postgres",
        "postgresql",
        "postgis",
        "postgresql+psycopg2",
        "mysql",
        "mariadb",
        "mysql2",
        "mysql+pymysql",
        "PostgreSQL",
    ];
    let hosts = &["db", "db.example.com", "127.0.0.1", "[::1]", "a-b_c"];
    let numbers = (one_of(hosts), 1..=u16::MAX);
    (one_of(schemes), text(), password(), numbers, text()).prop_map(
        |(scheme, user, password, (host, port), database)| Parts {
            scheme,
            user,
            password,
            host,
            port,
            database,
        },
    )
}

/// What is typed in front of a URL; then its parts, some of them wrong.
const IN_FRONT: &[&str] = &[
    "",
    "",
    "",
    "",
    " ",
    "\"",
    "'",
    "DATABASE_URL=",
    "export DATABASE_URL=",
    "psql ",
    "jdbc:",
    "url: ",
    "\u{feff}",
    "<",
    "=",
    "--database-url ",
];

const SCHEMES: &[&str] = &[
    "postgres",
    "postgres",
    "mysql",
    "postgresql",
    "postgress",
    "postgre",
    "psotgres",
    "pg",
    "mysq",
    "mysqll",
    "ecto",
    "pgx5",
    "sqlite",
    "file",
    "redis",
    "https",
    "Postgres+x",
    "1postgres",
    "pöstgres",
    "post gres",
    "",
    "jdbc:mysql",
    "mongodb+srv",
];

const USERS: &[&str] = &[
    "u",
    "user",
    "a@b",
    "u%40x",
    "",
    "ü",
    "a.b",
    "$USER",
    "{DB_USER}",
    "[x",
];

const HOSTS: &[&str] = &[
    "h",
    "h:5432",
    "h:",
    "h:99999",
    "h:5432x",
    "h1:1,h2:2",
    "[::1]:5",
    "[::1",
    "",
    "tcp(h:3306)",
    "h h",
    "%2Ftmp",
    "localhost",
    "h:$PORT",
    "-",
    "*",
    "h,",
    "1.2.3",
];

const PATHS: &[&str] = &[
    "", "/d", "/d", "/d/e", "//d", "/ü", "/d e", "/d\"", "/d'", "#d", "/d%", "/%zz", "/%00", ";d",
];

const QUERIES: &[&str] = &[
    "",
    "",
    "",
    "?sslmode=require",
    "?sslmode=bogus",
    "?a=b&c",
    "?x=@y",
    "?",
    "?sslmode=verify-full&sslrootcert=/x",
    "?host=/tmp",
    "?host=h2&port=x",
    "?schema=a",
    "?socketPath=/x",
    "?service=no-such",
    "?target_session_attrs=read-only",
    "?options=-c%20x",
    "\n",
    " x",
    "&",
];

/// A URL with a password, as it is typed: encoded or not, with a mistake or without.
pub(crate) fn typed_url() -> impl Strategy<Value = String> {
    let slashes = one_of(&[
        ":///", ":/", "//", ":////", ": //", ":\\\\", "://@", "/", ":",
    ]);
    // What nothing says is a URL ends at a blank or a quote.
    let plain = "[!-~&&[^'\"`\\\\]]{0,12}".prop_map(|inside| format!("{MARK}{inside}{MARK}"));
    prop_oneof![
        // A blank and an `@` in one password, neither encoded, could be the end of the URL too.
        with_slashes(
            Just("://".to_owned()),
            password().prop_filter("one end", |password| {
                !(password.contains('@') && password.contains(' '))
            })
        ),
        with_slashes(slashes, plain),
    ]
}

fn with_slashes(
    slashes: impl Strategy<Value = String>,
    password: impl Strategy<Value = String>,
) -> impl Strategy<Value = String> {
    let password = (password, any::<bool>()).prop_map(|(password, is_encoded)| {
        if is_encoded {
            encoded(&password)
        } else {
            password
        }
    });
    let front = (one_of(IN_FRONT), one_of(SCHEMES), slashes);
    let end = (one_of(HOSTS), one_of(PATHS), one_of(QUERIES));
    (front, one_of(USERS), password, end).prop_map(|(front, user, password, end)| {
        let (begin, scheme, slashes) = front;
        let (host, path, query) = end;
        format!("{begin}{scheme}{slashes}{user}:{password}@{host}{path}{query}")
    })
}
