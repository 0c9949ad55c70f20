//! The packages that `scripts/dist` makes, installed as their users install them, and run: those
//! for arm64 under qemu.
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
const LICENSES: &str = "THIRD-PARTY-LICENSES.txt";

/// An architecture, as each kind of package calls it.
struct Arch {
    rust: &'static str,
    npm: &'static str,
    debian: &'static str,
    /// What runs its programs here.
    emulator: Option<&'static str>,
}

const ARCHES: [Arch; 2] = [
    Arch {
        rust: "x86_64",
        npm: "x64",
        debian: "amd64",
        emulator: None,
    },
    Arch {
        rust: "aarch64",
        npm: "arm64",
        debian: "arm64",
        emulator: Some("qemu-aarch64-static"),
    },
];

impl Arch {
    fn binary(&self) -> PathBuf {
        package(&format!("launchgate-{VERSION}-{}-linux-musl", self.rust))
    }

    fn command(&self, program: &Path) -> Command {
        match self.emulator {
            None => Command::new(program),
            Some(emulator) => {
                let mut command = Command::new(emulator);
                command.arg(program);
                command
            }
        }
    }

    /// An installed launchgate is the binary itself, and does what it is for.
    #[track_caller]
    fn works(&self, program: &Path) {
        assert_eq!(fs::read(program).unwrap(), fs::read(self.binary()).unwrap());
        let place = TempDir::new().unwrap();
        let mut command = self.command(program);
        command.args(["run", "--migrate", "touch migrated", "--"]);
        command.args(["cat", "/proc/self/cmdline"]);
        command.env_clear().current_dir(place.path());
        command
            .env("DATABASE_URL", "sqlite:a.db")
            .env("PATH", "/usr/bin:/bin");
        let shown = run(&mut command);
        assert!(shown.ends_with("cat\0/proc/self/cmdline\0"), "{shown}");
        assert!(place.path().join("migrated").is_file());
    }
}

fn dist() -> PathBuf {
    let folder = std::env::var_os("LAUNCHGATE_DIST");
    PathBuf::from(folder.expect("LAUNCHGATE_DIST: what `scripts/dist` printed"))
}

fn package(name: &str) -> PathBuf {
    let path = dist().join(name);
    assert!(path.is_file(), "{}", path.display());
    path
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

#[track_caller]
fn has_licenses(path: &Path) {
    assert_eq!(
        fs::read(path).unwrap(),
        fs::read(package(LICENSES)).unwrap()
    );
}

#[test]
fn every_linked_crate_has_its_license_in_the_text() {
    let texts = fs::read_to_string(package(LICENSES)).unwrap();
    for arch in &ARCHES {
        for (name, version) in components(arch) {
            let c_code = ["sqlite", "musl", "boringssl"].contains(&&*name);
            assert!(
                c_code || texts.contains(&format!("{name} {version}")),
                "{name} {version}"
            );
        }
    }
    for name in ["SQLite", "musl", "Rust standard library", "libunwind"] {
        assert!(texts.contains(name), "{name}");
    }
}

#[test]
fn pip_install_puts_it_on_the_path() {
    let place = TempDir::new().unwrap();
    let venv = place.path().join("venv");
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv));
    for arch in &ARCHES {
        let names = fs::read_dir(dist()).unwrap();
        let wheel = names
            .map(|entry| entry.unwrap().path())
            .find(|path| {
                path.to_string_lossy()
                    .ends_with(&format!("_{}.whl", arch.rust))
            })
            .expect("a wheel");
        let folder = place.path().join(arch.rust);
        let mut pip = Command::new(venv.join("bin/pip"));
        pip.args(["install", "--quiet", "--no-index"]);
        // pip refuses a wheel for another machine, but not into a folder for that machine.
        let platform = format!("manylinux2014_{}", arch.rust);
        pip.args(["--only-binary", ":all:", "--platform", &platform])
            .arg("--target")
            .arg(&folder);
        run(pip.arg(&wheel));
        arch.works(&folder.join("bin/launchgate"));
        let info = folder.join(format!("launchgate-{VERSION}.dist-info"));
        has_licenses(&info.join("licenses").join(LICENSES));
        let metadata = fs::read_to_string(info.join("METADATA")).unwrap();
        assert!(
            metadata.contains(&format!("\nVersion: {VERSION}\n")),
            "{metadata}"
        );
    }
}

#[test]
fn npm_install_puts_it_into_the_bin_folder() {
    for arch in &ARCHES {
        let place = TempDir::new().unwrap();
        fs::write(place.path().join("package.json"), "{}").unwrap();
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--no-audit", "--no-fund"]);
        npm.arg("--ignore-scripts");
        if arch.emulator.is_some() {
            npm.arg("--force"); // another machine's
        }
        // The one of the machine by hand: what nobody published can't be looked up.
        npm.args(["--omit=optional"]);
        npm.arg(package(&format!(
            "launchgate-linux-{}-{VERSION}.tgz",
            arch.npm
        )));
        npm.arg(package(&format!("launchgate-{VERSION}.tgz")));
        run(npm.current_dir(place.path()));
        let modules = place.path().join("node_modules");
        arch.works(&modules.join(".bin/launchgate"));
        let scope = modules.join("@launchgate");
        has_licenses(&scope.join(format!("linux-{}", arch.npm)).join(LICENSES));
        let manifest = fs::read(modules.join("launchgate/package.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        for arch in &ARCHES {
            let wanted =
                &manifest["optionalDependencies"][format!("@launchgate/linux-{}", arch.npm)];
            assert_eq!(wanted, VERSION);
        }
    }
}

#[test]
fn one_image_index_has_both_architectures() {
    let archive = package(&format!("launchgate-{VERSION}-image.tar"));
    let name = format!("oci-archive:{}:{VERSION}", archive.display());
    let index = run(Command::new("skopeo").args(["inspect", "--raw", &name]));
    let index: serde_json::Value = serde_json::from_str(&index).unwrap();
    let listed: Vec<&str> = index["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|manifest| manifest["platform"]["architecture"].as_str().unwrap())
        .collect();
    assert_eq!(listed, ARCHES.map(|arch| arch.debian));
    for arch in &ARCHES {
        let place = TempDir::new().unwrap();
        let copy = format!("dir:{}", place.path().display());
        let mut skopeo = Command::new("skopeo");
        skopeo.args(["--insecure-policy", "--override-os=linux"]);
        skopeo.arg(format!("--override-arch={}", arch.debian));
        run(skopeo.args(["copy", "--quiet", &name, &copy]));
        let manifest = fs::read(place.path().join("manifest.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        let layer = manifest["layers"][0]["digest"].as_str().unwrap();
        let layer = place.path().join(layer.trim_start_matches("sha256:"));
        let mut tar = Command::new("tar");
        tar.arg("-xf").arg(layer).arg("-C").arg(place.path());
        run(&mut tar);
        arch.works(&place.path().join("launchgate"));
        has_licenses(&place.path().join(LICENSES));
    }
}

#[test]
fn dpkg_installs_it_with_man_page_and_completions() {
    for arch in &ARCHES {
        dpkg_installs(arch);
    }
}

fn dpkg_installs(arch: &Arch) {
    let root = TempDir::new().unwrap();
    let database = root.path().join("var/lib/dpkg");
    for folder in ["info", "updates", "triggers"] {
        fs::create_dir_all(database.join(folder)).unwrap();
    }
    fs::write(database.join("status"), "").unwrap();
    let mut dpkg = Command::new("dpkg");
    dpkg.arg(format!("--root={}", root.path().display()));
    dpkg.args(["--force-not-root", "--force-architecture", "--install"]);
    run(dpkg.arg(package(&format!(
        "launchgate_{VERSION}_{}.deb",
        arch.debian
    ))));
    arch.works(&root.path().join("usr/bin/launchgate"));
    let licenses = root.path().join("usr/share/doc/launchgate").join(LICENSES);
    let mut unpack = Command::new("gzip");
    run(unpack
        .arg("--decompress")
        .arg(licenses.with_extension("txt.gz")));
    has_licenses(&licenses);
    let page = root.path().join("usr/share/man/man1/launchgate.1.gz");
    let page = run(Command::new("gzip")
        .args(["--decompress", "--stdout"])
        .arg(page));
    assert_eq!(
        page,
        run(Command::new(ARCHES[0].binary()).args(["generate", "man"]))
    );
    for (shell, path) in [
        ("bash", "bash-completion/completions/launchgate"),
        ("zsh", "zsh/vendor-completions/_launchgate"),
        ("fish", "fish/vendor_completions.d/launchgate.fish"),
    ] {
        let installed = fs::read_to_string(root.path().join("usr/share").join(path)).unwrap();
        assert_eq!(
            installed,
            run(Command::new(ARCHES[0].binary()).args(["generate", shell]))
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

/// The names and versions of what the SBOM lists.
fn components(arch: &Arch) -> Vec<(String, String)> {
    let list = package(&format!("launchgate-{VERSION}-{}.cdx.json", arch.rust));
    let list: serde_json::Value = serde_json::from_slice(&fs::read(list).unwrap()).unwrap();
    assert_eq!(list["bomFormat"], "CycloneDX");
    let text =
        |component: &serde_json::Value, key: &str| component[key].as_str().unwrap().to_owned();
    let listed = list["components"].as_array().unwrap().iter();
    listed
        .map(|component| {
            let license = component["licenses"][0]["expression"].as_str();
            assert!(license.is_some_and(|l| !l.is_empty()), "{component}");
            let crates_io = text(component, "purl").starts_with("pkg:cargo/");
            assert!(
                !crates_io
                    || component["description"].is_string()
                    || component["hashes"][0]["content"].is_string(),
                "{component}"
            );
            (text(component, "name"), text(component, "version"))
        })
        .collect()
}

#[test]
fn the_list_of_what_is_inside_names_every_linked_crate_and_c_library() {
    for arch in &ARCHES {
        let components = components(arch);
        let names: BTreeSet<&str> = components.iter().map(|(name, _)| &**name).collect();
        let linked = [
            "clap",
            "nix",
            "sqlx-postgres",
            "libsqlite3-sys",
            "ring",
            "hyper",
        ];
        for name in linked.into_iter().chain(["sqlite", "musl", "boringssl"]) {
            assert!(names.contains(name), "{name}");
        }
        // Neither what only tests use nor what only compiles.
        for name in [
            "proptest",
            "tempfile",
            "stateright",
            "clap_derive",
            "launchgate",
        ] {
            assert!(!names.contains(name), "{name}");
        }
    }
}
