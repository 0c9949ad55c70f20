use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, contents) in files {
        write(&folder, name, contents);
    }
    folder
}

fn write(folder: &TempDir, name: &str, contents: &str) {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
    fs::write(path, contents).expect("a file");
}

fn matching(folder: &TempDir, globs: &[&str]) -> Result<Files, Problem> {
    let globs: Vec<String> = globs.iter().map(ToString::to_string).collect();
    Files::matching(&globs, folder.path())
}

fn of(folder: &TempDir, globs: &[&str]) -> Result<String, Problem> {
    matching(folder, globs)?.fingerprint()
}

fn files(folder: &TempDir, glob: &str) -> usize {
    match matching(folder, &[glob]) {
        Ok(files) => files.names.len(),
        Err(error) if error.what().contains(" matches ") => 0,
        Err(error) => panic!("{glob}: {error}"),
    }
}

fn revision(folder: &TempDir, globs: &[&str]) -> String {
    of(folder, globs).expect("a fingerprint")
}

fn error(folder: &TempDir, glob: &str) -> Problem {
    of(folder, &[glob]).expect_err("an error")
}

const MIGRATIONS: [(&str, &str); 4] = [
    ("db/1.sql", "create"),
    ("db/2.sql", "alter"),
    ("db/down/1.sql", "drop"),
    ("db/.keep", ""),
];

#[test]
fn is_the_same_on_every_machine_for_ever() {
    let folder = folder(&MIGRATIONS);
    // Changing this means that every user's migrations run once more.
    assert_eq!(
        revision(&folder, &["db/**"]),
        "fp-92d9aba2930d787c638fe67e3ed63ee6"
    );
}

#[test]
fn knows_globs() {
    let folder = folder(&MIGRATIONS);
    write(&folder, "app/a[1].sql", "");
    for (glob, expected) in [
        ("db/*.sql", 2),
        ("db/**", 4),
        ("db/*", 3),
        ("db/", 4),
        ("./db/**", 4),
        ("db//./**", 4),
        (".//db/1.sql", 1),
        ("app/../db/*.sql", 2),
        ("**/*.sql", 4),
        ("**", 5),
        ("./", 5),
        ("db/**/1.sql", 2),
        ("*/1.sql", 1),
        ("*/*/1.sql", 1),
        ("db/?.sql", 2),
        ("db/[13-9].sql", 1),
        ("db/{1,2}.sql", 2),
        ("db/{1,down/1}.sql", 2),
        ("{db,app}/**", 5),
        ("{db/down,app}/*", 2),
        ("{app/*,db/{2.sql,down/*}}", 3),
        ("app/a\\[1\\].sql", 1),
        ("db/*.SQL", 0),
        ("!db/*", 0),
        ("nothing/**", 0),
        ("nothing/1.sql", 0),
        ("db/1.sql/**", 0),
        ("db/3.sql", 0),
        ("db", 0),
        (".", 0),
    ] {
        assert_eq!(files(&folder, glob), expected, "{glob}");
    }
    let name = folder.path().file_name().expect("a name").to_string_lossy();
    assert_eq!(files(&folder, &format!("../{name}/db/*.sql")), 2);
    assert_eq!(
        files(&folder, &format!("{}/db/*.sql", folder.path().display())),
        2
    );
}

#[test]
fn a_directory_by_itself_is_no_file() {
    let folder = folder(&MIGRATIONS);
    for (glob, instead) in [
        ("db", "'db/**'"),
        ("./db", "'db/**'"),
        ("*/down", "'db/down/**'"),
        (".", "'**'"),
    ] {
        let error = error(&folder, glob);
        assert!(error.what().contains("directory"), "{error}");
        assert!(error.hint().contains(instead), "{}", error.hint());
    }
}

#[test]
fn errors_name_the_glob_that_is_wrong() {
    let folder = folder(&MIGRATIONS);
    let error = of(&folder, &["db/*.sql", "sql/*"]).expect_err("no such directory");
    assert_eq!(error.what(), "\"sql/*\" matches no file");
    for glob in ["", "db/[1", "db/{a", "db/}", "db/*/../1.sql", "db/[3-1]"] {
        let error = of(&folder, &[glob]).expect_err(glob);
        assert!(
            error.what().contains("is not a valid glob"),
            "{glob}: {error}"
        );
    }
    let none = of(&folder, &[]).expect_err("no globs");
    assert_eq!(none.what(), "no files to fingerprint");
}

#[test]
fn a_fingerprint_is_of_names_and_contents_and_nothing_else() {
    let first = folder(&MIGRATIONS);
    let mut backwards = MIGRATIONS;
    backwards.reverse();
    let second = folder(&backwards);
    fs::set_permissions(
        second.path().join("db/1.sql"),
        fs::Permissions::from_mode(0o755),
    )
    .expect("chmod");
    write(&second, "app.js", "not matched");
    fs::create_dir(second.path().join("db/empty")).expect("a directory");
    let expected = revision(&first, &["db/**"]);
    for globs in [
        &["db/**"][..],
        &["db/**", "./db/*.sql"],
        &["db/down/*", "db/*", "db/1.sql"],
    ] {
        assert_eq!(revision(&second, globs), expected, "{globs:?}");
    }
    write(&second, "db/1.sql", "created");
    assert_ne!(revision(&second, &["db/**"]), expected);
    write(&second, "db/1.sql", "create");
    fs::rename(
        second.path().join("db/2.sql"),
        second.path().join("db/3.sql"),
    )
    .expect("rename");
    assert_ne!(revision(&second, &["db/**"]), expected);
}

#[test]
fn names_and_contents_cannot_run_into_each_other() {
    let one = folder(&[("a", "b\0c")]);
    let two = folder(&[("a", "b"), ("c", "")]);
    let three = folder(&[("ab", "c")]);
    let swapped = folder(&[("a", ""), ("c", "b")]);
    let all = [&one, &two, &three, &swapped].map(|folder| revision(folder, &["**"]));
    for (at, revision) in all.iter().enumerate() {
        assert!(!all[..at].contains(revision));
    }
}

#[test]
fn symbolic_links_in_the_way_are_refused() {
    let folder = folder(&MIGRATIONS);
    let link =
        |target: &str, name: &str| symlink(target, folder.path().join(name)).expect("a link");
    link("1.sql", "db/9.sql");
    link("db", "linked");
    link("down", "db/up");
    fs::create_dir(folder.path().join("broken")).expect("a directory");
    link("nowhere", "broken/1.sql");
    for (glob, named) in [
        ("db/*.sql", "db/9.sql"),
        ("db/9.sql", "db/9.sql"),
        ("linked/*.sql", "linked"),
        ("linked/1.sql", "linked"),
        ("linked", "linked"),
        ("db/up/*.sql", "db/up"),
        ("d*/u*/*.sql", "db/up"),
        ("db/**/1.sql", "db/up"),
        ("broken/*", "broken/1.sql"),
    ] {
        let path = folder.path().join(named);
        let said = format!("{path:?} is a symbolic link");
        let error = error(&folder, glob);
        assert!(error.what().starts_with(&said), "{glob}: {error}");
    }
    for (glob, expected) in [
        ("db/[12].sql", 2),
        ("db/d*/*.sql", 1),
        ("db/1.sql", 1),
        ("db/{1,2}.sql", 2),
    ] {
        assert_eq!(files(&folder, glob), expected, "{glob}");
    }
    // Links to files that don't match, and to nowhere, hide nothing.
    assert_eq!(files(&folder, "d?/1.sql"), 1);
    assert_eq!(files(&folder, "broken/**/*.js"), 0);
}

#[test]
fn what_is_no_file_is_refused_unopened() {
    let folder = folder(&MIGRATIONS);
    let _socket = UnixListener::bind(folder.path().join("db/socket")).expect("a socket");
    let error = error(&folder, "db/**");
    assert!(
        error
            .what()
            .ends_with("db/socket\" is neither a file nor a directory"),
        "{error}"
    );
    assert_eq!(files(&folder, "db/*.sql"), 2);
}

#[test]
fn what_cannot_be_read_is_refused() {
    // A regular file that no one can read from its beginning, whatever the user (proc(5)).
    let error = of(
        &folder(&[]),
        &[&format!("/proc/{}/mem", std::process::id())],
    )
    .expect_err("unreadable");
    assert!(error.what().starts_with("cannot read \"/proc/"), "{error}");

    let folder = folder(&MIGRATIONS);
    let down = folder.path().join("db/down");
    fs::set_permissions(&down, fs::Permissions::from_mode(0o0)).expect("chmod");
    let readable = fs::read_dir(&down).is_ok(); // root may
    match of(&folder, &["db/**"]) {
        Ok(_) => assert!(readable),
        Err(error) => {
            let said = format!("cannot read {down:?}");
            assert!(!readable && error.what().starts_with(&said), "{error}");
        }
    }
    assert_eq!(
        files(&folder, "db/*.sql"),
        2,
        "a directory that the glob does not lead to is not looked into"
    );
}

#[test]
fn nothing_shown_can_break_a_line() {
    let folder = folder(&[("a\nb/x", "")]);
    let error = error(&folder, "a\nb");
    assert!(!error.what().contains('\n') && !error.hint().contains('\n'));
}

#[test]
fn a_large_file_is_read_in_full() {
    let contents = "x".repeat(1_000_000);
    let one = folder(&[("f", &contents)]);
    let two = folder(&[("f", &format!("{}y", &contents[1..]))]);
    assert_ne!(revision(&one, &["f"]), revision(&two, &["f"]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn the_same_files_make_the_same_fingerprint_and_others_another(
        contents in prop::collection::btree_map("[a-c]{1,2}(/[x-z])?\\.sql", "[ab]{0,2}", 1..6),
        change in any::<prop::sample::Index>(),
    ) {
        let pairs: Vec<_> = contents.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let mut shuffled = pairs.clone();
        shuffled.rotate_left(change.index(pairs.len()));
        let (one, two) = (folder(&pairs), folder(&shuffled));
        let expected = of(&one, &["**/*.sql"]).expect("files");
        prop_assert_eq!(matching(&one, &["**/*.sql"]).expect("files").names.len(), pairs.len());
        prop_assert_eq!(&of(&two, &["./**", "**/*.sql"]).expect("files"), &expected);
        let name = pairs[change.index(pairs.len())].0;
        write(&two, name, "changed");
        prop_assert_ne!(of(&two, &["**"]).expect("files"), expected);
    }

    #[test]
    fn no_glob_makes_it_panic(glob in "[ab*?\\[\\]{},./\\\\!-]{0,12}".prop_filter("the whole disk", |glob| !glob.starts_with('/') && !glob.contains(".."))) {
        let folder = folder(&[("a/b", ""), ("b", "")]);
        let _ = of(&folder, &[&glob]);
    }
}
