//! Every command line in the examples, as `launchgate check` sees it: with the variables that its
//! file sets, a real database behind every URL and a program for every name. What is left to go
//! wrong are unknown flags, values that don't parse, steps that are refused: an example that is
//! out of date.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::common::servers::Postgres;
use crate::reader::{free_port, repository};
use crate::stacks::laravel;
use crate::texts::{CommandLine, command_lines, command_lines_of, examples};

/// What a platform sets, and the examples of it rely on.
const PLATFORMS: [(&str, &[&str]); 6] = [
    (
        "northflank",
        &["NF_DEPLOYMENT_SHA", "POSTGRES_URI", "POSTGRES_URI_ADMIN"],
    ),
    ("fly", &["FLY_IMAGE_REF"]),
    ("render", &["RENDER_GIT_COMMIT", "DATABASE_URL"]),
    (
        "railway",
        &["RAILWAY_GIT_COMMIT_SHA", "DATABASE_URL", "PORT"],
    ),
    ("heroku", &["HEROKU_BUILD_COMMIT", "DATABASE_URL"]),
    ("kamal", &["KAMAL_VERSION", "DATABASE_URL"]),
];

#[test]
fn every_command_line_is_understood() {
    let database = Postgres::start();
    let mariadb = laravel();
    mariadb.create_database("launchgate");
    mariadb.sql("", "GRANT ALL ON launchgate.* TO 'app'@'%'");
    let port = mariadb.port.to_string();
    let folders = examples();
    assert!(folders.len() >= 16, "{folders:?}");
    let mut lines = command_lines(&folders);
    database.sql(
        "postgres",
        "CREATE ROLE app SUPERUSER LOGIN PASSWORD 'secret'",
    );
    let page = stacks(database.port, &port);
    assert!(page.len() > 25, "{page:?}");
    lines.extend(page);
    let mut wrong = Vec::new();
    for line in &lines {
        let output = Shop::for_line(line, &database.url("postgres"), &port).check();
        if let Some(reason) = reason(&output) {
            let shown = String::from_utf8_lossy(&output.stderr).into_owned();
            let file = line.file.display();
            wrong.push(format!("{file}: {reason}\n{:?}\n{shown}", line.words));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for folder in folders {
        let count = |within: &Path| {
            let of = lines.iter().filter(|line| line.file.starts_with(within));
            of.count()
        };
        assert!(count(&folder) > 0, "{} has none", folder.display());
        // A file that has one must not go unread.
        for file in crate::texts::files(&folder) {
            let text = fs::read_to_string(&file).unwrap_or_default();
            let is_configuration = ["yaml", "yml", "toml", "json"]
                .iter()
                .any(|e| file.extension().is_some_and(|extension| extension == *e));
            if is_configuration && text.contains("launchgate") {
                assert!(count(&file) > 0, "{} has none", file.display());
            }
        }
    }
}

#[test]
fn every_readme_is_one_screen_and_says_how_it_was_tested() {
    for folder in examples() {
        let readme = fs::read_to_string(folder.join("README.md")).expect("a README");
        let folder = folder.display();
        assert!(readme.lines().count() <= 50, "{folder}: more than a screen");
        assert!(
            readme.contains("**Run by a test**") || readme.contains("**Checked, not run:**"),
            "{folder}: run or checked?"
        );
    }
}

/// What must not pass, does not.
#[test]
fn a_command_line_that_is_out_of_date_is_found() {
    let database = Postgres::start();
    let verdict = |words: &[&str]| {
        let line = CommandLine {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            variables: [("GIT_SHA".to_owned(), None)].into(),
            file: repository("examples/node/README.md"),
        };
        reason(&Shop::for_line(&line, &database.url("postgres"), "").check())
    };
    let server = ["--", "node"];
    let run = |words: &[&'static str]| verdict(&[&["run"], words, &server].concat());
    assert_eq!(run(&["--migrate=node migrate.js"]), None);
    for words in [
        &["--migrat=node migrate.js"][..],
        &["--migrate=node a.js; node b.js"],
        &["--migrate=node a.js", "--lease=30"],
        &["--migrate=node a.js", "--step-env-from=A=NOT_SET"],
        &["--migrate=node $FILE"],
    ] {
        assert!(run(words).is_some(), "{words:?}");
    }
    assert!(verdict(&["start", "--", "node"]).is_some());
}

/// The commands in the page of stacks, with the variables that they name as their platforms set them.
fn stacks(postgres: u16, mariadb: &str) -> Vec<CommandLine> {
    let mut lines = command_lines_of(&repository("docs/stacks.md"));
    for line in &mut lines {
        let text = line.words.join(" ");
        let (port, database) = if text.contains("mysql://") {
            (mariadb.to_owned(), "laravel")
        } else {
            (postgres.to_string(), "postgres")
        };
        let named = text
            .split('{')
            .skip(1)
            .filter_map(|rest| rest.split('}').next());
        line.variables = named
            .filter(|name| *name != "DATABASE_URL")
            .map(|name| {
                let value = match name {
                    "SPRING_DATASOURCE_URL" => {
                        format!("jdbc:postgresql://127.0.0.1:{port}/{database}")
                    }
                    "DB_HOST" => "127.0.0.1".to_owned(),
                    "DB_PORT" => port.clone(),
                    "DB_NAME" | "DB_DATABASE" => database.to_owned(),
                    _ if name.ends_with("PASSWORD") => "secret".to_owned(),
                    _ => "app".to_owned(),
                };
                (name.to_owned(), Some(value))
            })
            .collect();
    }
    lines
}

/// A folder that looks like the repository's, with the programs that one command line wants.
struct Shop {
    folder: tempfile::TempDir,
    words: Vec<String>,
    variables: Vec<(String, String)>,
    file: PathBuf,
}

impl Shop {
    fn for_line(line: &CommandLine, url: &str, mariadb_port: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let here = |value: &str| {
            // The shell that runs a README's block or Kamal's hook expands variables, and so does Compose.
            if value.starts_with("postgres://") || value == "$DATABASE_URL" {
                url.to_owned()
            } else if value == "3306" {
                mariadb_port.to_owned()
            } else if value.starts_with("sqlite:") {
                format!("sqlite:{}/app.db", folder.path().display())
            } else if value.starts_with("${") || value == "$KAMAL_VERSION" {
                "4f2a91c".to_owned()
            } else {
                value.to_owned()
            }
        };
        let example = line.file.strip_prefix(repository("examples"));
        let example = example.unwrap_or(Path::new("page"));
        let platform = PLATFORMS.iter().find(|(name, _)| example.starts_with(name));
        let platform = platform.map_or(&["GIT_SHA", "DATABASE_URL"][..], |(_, names)| names);
        // Spring's is not looked at where there is another.
        let is_springs =
            |name: &str| line.file.ends_with("stacks.md") && name.starts_with("SPRING");
        let platform = if line.variables.keys().any(|name| is_springs(name)) {
            &["GIT_SHA"][..]
        } else {
            platform
        };
        let value = |name: &str| match name {
            "FLY_IMAGE_REF" => "registry.fly.io/web:deployment-01JD4F2A91C".to_owned(),
            "PORT" => "8080".to_owned(),
            _ if name.ends_with("URL") || name.contains("_URI") => url.to_owned(),
            _ => "4f2a91c".to_owned(),
        };
        let mut variables: Vec<_> = platform
            .iter()
            .map(|name| ((*name).to_owned(), value(name)))
            .collect();
        variables.extend(line.variables.iter().map(|(name, given)| {
            let given = given.as_deref().map_or_else(|| value(name), here);
            (name.clone(), given)
        }));
        // A secret group's name, which no file sets.
        variables.extend(option(&line.words, "--database-url-env").map(|name| {
            let name = name.to_owned();
            (name, url.to_owned())
        }));
        let mut words: Vec<_> = line.words.iter().map(|word| here(word)).collect();
        free_the_port(&mut words);
        let shop = Self {
            folder,
            words,
            variables,
            file: line.file.clone(),
        };
        shop.fill();
        shop
    }

    /// Copies the example, and makes the programs that are not in it.
    fn fill(&self) {
        let example = self.example();
        let to = self.folder.path().join("examples").join(&example);
        let from = repository("examples").join(&example);
        fs::create_dir_all(&to).expect("a folder");
        let files = from.is_dir().then(|| crate::texts::files(&from));
        for file in files.into_iter().flatten() {
            let copy = to.join(file.strip_prefix(&from).expect("below it"));
            fs::create_dir_all(copy.parent().expect("a folder")).expect("a folder");
            fs::copy(&file, copy).expect("a copy");
        }
        if let Some(folder) = option(&self.words, "--sql").filter(|_| !from.is_dir()) {
            fs::create_dir_all(to.join(folder)).expect("a folder");
            fs::write(to.join(folder).join("1_guests.sql"), "SELECT 1;").expect("a migration");
        }
        for program in self.programs() {
            assert!(!program.starts_with('/'), "{program}: where would it be?");
            let path = if program.contains('/') {
                self.home().join(program)
            } else {
                self.folder.path().join("bin").join(program)
            };
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(&path, "#!/bin/sh\n").expect("a program");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
        }
    }

    fn example(&self) -> PathBuf {
        let Ok(below) = self.file.strip_prefix(repository("examples")) else {
            return PathBuf::from("page");
        };
        let first = below.components().next();
        PathBuf::from(first.expect("its name").as_os_str())
    }

    /// Where the reader is: in the example, or at the top where paths begin there.
    fn home(&self) -> PathBuf {
        if self.words.iter().any(|word| word.contains("examples/")) {
            return self.folder.path().to_path_buf();
        }
        self.folder.path().join("examples").join(self.example())
    }

    /// The first words of the steps and of the server.
    fn programs(&self) -> Vec<String> {
        let steps = ["--backup", "--migrate", "--verify"];
        let steps = steps.iter().flat_map(|flag| all(&self.words, flag));
        let steps = steps.filter_map(|step| shlex::split(step)?.into_iter().next());
        let mut server = self.words.iter().skip_while(|word| *word != "--").skip(1);
        steps.chain(server.next().cloned()).collect()
    }

    /// What gates is only checked. The other commands do nothing here that matters.
    fn check(&self) -> Output {
        let mut words = self.words.clone();
        // Who waits runs no step, and without one a database gates nothing.
        if words[0] == "wait" && option(&words, "--sql").is_none() {
            let step = self.programs().into_iter().next();
            words.insert(1, format!("--migrate={}", step.expect("a server")));
        }
        if ["run", "job", "wait"].contains(&words[0].as_str()) {
            "check".clone_into(&mut words[0]);
        }
        Command::new(env!("CARGO_BIN_EXE_launchgate"))
            .args(words)
            .env_clear()
            .env("PATH", self.folder.path().join("bin"))
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.home())
            .stdin(Stdio::null())
            .output()
            .expect("launchgate")
    }
}

/// Why a command line is out of date, by what its check said.
fn reason(output: &Output) -> Option<String> {
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("warning: ") || said.contains("\"level\":\"warn") {
        return Some("a warning".to_owned());
    }
    let code = output.status.code();
    (code != Some(0)).then(|| format!("exit code {code:?}"))
}

/// The values of a flag, in front of the server.
fn all<'a>(words: &'a [String], flag: &'a str) -> impl Iterator<Item = &'a str> {
    let own = words.iter().take_while(|word| *word != "--");
    own.enumerate().filter_map(move |(at, word)| {
        let rest = word.strip_prefix(flag)?;
        if rest.is_empty() {
            return words.get(at + 1).map(String::as_str);
        }
        rest.strip_prefix('=')
    })
}

fn option<'a>(words: &'a [String], flag: &'a str) -> Option<&'a str> {
    all(words, flag).next()
}

/// The port that an example listens on may be in use here.
fn free_the_port(words: &mut [String]) {
    if let Some(address) = option(words, "--health-listen").map(str::to_owned) {
        let (host, _) = address.rsplit_once(':').expect("an address");
        let free = format!("{host}:{}", free_port());
        for word in words.iter_mut().filter(|word| word.ends_with(&address)) {
            *word = word.replace(&address, &free);
        }
    }
}
