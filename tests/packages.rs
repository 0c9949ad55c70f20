//! The packages that `scripts/dist` makes, installed as their users install them, and run.
//!
//! `LAUNCHGATE_DIST` names the folder that it filled; `scripts/test` does both. The image is
//! tested with the containers.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn dist() -> PathBuf {
    let folder = std::env::var_os("LAUNCHGATE_DIST");
    PathBuf::from(folder.expect("LAUNCHGATE_DIST: what `scripts/dist --arch x86_64` printed"))
}

fn package(name: &str) -> PathBuf {
    let path = dist().join(name);
    assert!(path.is_file(), "{}", path.display());
    path
}

fn binary() -> PathBuf {
    package(&format!("launchgate-{VERSION}-x86_64-linux-musl"))
}

/// Runs it and returns what it prints.
#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{said}",
        output.status
    );
    String::from_utf8(output.stdout).unwrap()
}

/// An installed launchgate is the binary itself, and does what it is for.
#[track_caller]
fn works(program: &Path) {
    assert_eq!(fs::read(program).unwrap(), fs::read(binary()).unwrap());
    let place = TempDir::new().unwrap();
    let words = [
        "run",
        "--migrate",
        "touch migrated",
        "--",
        "cat",
        "/proc/self/cmdline",
    ];
    let mut command = Command::new(program);
    command.args(words).env_clear().current_dir(place.path());
    command
        .env("DATABASE_URL", "sqlite:a.db")
        .env("PATH", "/usr/bin:/bin");
    assert_eq!(run(&mut command), "cat\0/proc/self/cmdline\0");
    assert!(place.path().join("migrated").is_file());
}

#[test]
fn pip_install_puts_it_on_the_path() {
    let place = TempDir::new().unwrap();
    let venv = place.path().join("venv");
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv));
    let names = fs::read_dir(dist()).unwrap();
    let wheel = names
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().ends_with("_x86_64.whl"))
        .expect("a wheel");
    let mut pip = Command::new(venv.join("bin/pip"));
    run(pip.args(["install", "--quiet", "--no-index"]).arg(&wheel));
    works(&venv.join("bin/launchgate"));
    let shown = run(Command::new(venv.join("bin/pip")).args(["show", "launchgate"]));
    assert!(shown.contains(&format!("Version: {VERSION}\n")), "{shown}");
}

#[test]
fn npm_install_puts_it_into_the_bin_folder() {
    let place = TempDir::new().unwrap();
    fs::write(place.path().join("package.json"), "{}").unwrap();
    let mut npm = Command::new("npm");
    npm.args([
        "install",
        "--silent",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
    ]);
    // The one of the machine by hand: what nobody published can't be looked up.
    npm.args(["--omit=optional"]);
    npm.arg(package(&format!("launchgate-linux-x64-{VERSION}.tgz")));
    npm.arg(package(&format!("launchgate-{VERSION}.tgz")));
    run(npm.current_dir(place.path()));
    works(&place.path().join("node_modules/.bin/launchgate"));
    let manifest = place.path().join("node_modules/launchgate/package.json");
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(manifest).unwrap()).unwrap();
    for cpu in ["x64", "arm64"] {
        let wanted = &manifest["optionalDependencies"][format!("@launchgate/linux-{cpu}")];
        assert_eq!(wanted, VERSION);
    }
}

#[test]
fn dpkg_installs_it_with_man_page_and_completions() {
    let root = TempDir::new().unwrap();
    let database = root.path().join("var/lib/dpkg");
    for folder in ["info", "updates", "triggers"] {
        fs::create_dir_all(database.join(folder)).unwrap();
    }
    fs::write(database.join("status"), "").unwrap();
    let mut dpkg = Command::new("dpkg");
    dpkg.arg(format!("--root={}", root.path().display()));
    dpkg.args(["--force-not-root", "--install"]);
    run(dpkg.arg(package(&format!("launchgate_{VERSION}_amd64.deb"))));
    works(&root.path().join("usr/bin/launchgate"));
    let page = root.path().join("usr/share/man/man1/launchgate.1.gz");
    let page = run(Command::new("gzip")
        .args(["--decompress", "--stdout"])
        .arg(page));
    assert_eq!(page, run(Command::new(binary()).args(["generate", "man"])));
    for (shell, path) in [
        ("bash", "bash-completion/completions/launchgate"),
        ("zsh", "zsh/vendor-completions/_launchgate"),
        ("fish", "fish/vendor_completions.d/launchgate.fish"),
    ] {
        let installed = fs::read_to_string(root.path().join("usr/share").join(path)).unwrap();
        assert_eq!(
            installed,
            run(Command::new(binary()).args(["generate", shell]))
        );
    }
    for entry in walkdir::WalkDir::new(root.path().join("usr")) {
        let entry = entry.unwrap();
        let metadata = entry.metadata().unwrap();
        let wanted = if entry.file_name() == "launchgate" && metadata.len() > 1_000_000
            || metadata.is_dir()
        {
            0o755
        } else {
            0o644
        };
        assert!(!metadata.file_type().is_socket() && metadata.uid() == 0);
        assert_eq!(
            metadata.permissions().mode() & 0o7777,
            wanted,
            "{}",
            entry.path().display()
        );
    }
}

#[test]
fn the_sums_are_those_of_the_files() {
    let sums = fs::read_to_string(package("SHA256SUMS")).unwrap();
    let named: BTreeSet<String> = sums.lines().map(|line| line[66..].to_owned()).collect();
    let there: BTreeSet<String> = fs::read_dir(dist())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "SHA256SUMS")
        .collect();
    assert_eq!(named, there);
    let mut check = Command::new("sha256sum");
    run(check
        .args(["--check", "--strict", "SHA256SUMS"])
        .current_dir(dist()));
}

#[test]
fn the_list_of_what_is_inside_names_every_linked_crate() {
    let list = package(&format!("launchgate-{VERSION}-x86_64.cdx.json"));
    let list: serde_json::Value = serde_json::from_slice(&fs::read(list).unwrap()).unwrap();
    assert_eq!(list["bomFormat"], "CycloneDX");
    let components = list["components"].as_array().unwrap();
    let names: BTreeSet<&str> = components
        .iter()
        .map(|c| c["name"].as_str().unwrap())
        .collect();
    for name in [
        "clap",
        "nix",
        "sqlx-postgres",
        "libsqlite3-sys",
        "ring",
        "hyper",
    ] {
        assert!(names.contains(name), "{name}");
    }
    // Neither what only tests use nor what only compiles.
    for name in ["proptest", "tempfile", "clap_derive", "launchgate"] {
        assert!(!names.contains(name), "{name}");
    }
    for component in components {
        let license = component["licenses"][0]["expression"].as_str();
        assert!(
            license.is_some_and(|license| !license.is_empty()),
            "{component}"
        );
        assert!(component["hashes"][0]["content"].is_string(), "{component}");
    }
}
