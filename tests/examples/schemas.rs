//! The configuration files against what their platforms publish, as `PyPI` and npm have it.
//! `scripts/install-test-tools` installs that.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::home::output;
use crate::reader::repository;

/// Where `scripts/install-test-tools` puts its tools: in the build's folder.
fn tools() -> PathBuf {
    let build = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    let tools = build.expect("the build's folder").join("test-tools");
    assert!(
        tools.join("venv/bin/python").exists(),
        "no tools in {}: run scripts/install-test-tools",
        tools.display()
    );
    tools
}

/// Python with the tools from `PyPI`.
pub fn python() -> Command {
    Command::new(tools().join("venv/bin/python"))
}

fn files(example: &str, names: &[&str]) -> Vec<PathBuf> {
    let folder = repository("examples").join(example);
    names.iter().map(|name| folder.join(name)).collect()
}

/// The same file with another word in it, which must not pass.
fn broken(file: &Path, word: &str, other: &str) -> tempfile::NamedTempFile {
    let text = fs::read_to_string(file).expect("a file");
    assert!(text.contains(word), "no {word} in {}", file.display());
    let name = file.file_name().expect("its name").to_string_lossy();
    let copy = tempfile::Builder::new()
        .suffix(&*name)
        .tempfile()
        .expect("a file");
    fs::write(copy.path(), text.replacen(word, other, 1)).expect("its text");
    copy
}

/// The command accepts the files, and not the first of them with this word changed.
fn passes(command: impl Fn() -> Command, files: &[PathBuf], word: &str, other: &str) {
    output(command().args(files));
    let broken = broken(&files[0], word, other);
    let result = command().arg(broken.path()).output().expect("a checker");
    assert!(!result.status.success(), "{other} instead of {word} passes");
}

#[test]
fn the_kubernetes_manifests_fit_their_schemas() {
    let names = ["deployment.yaml", "job.yaml", "init-container.yaml"];
    let files = files("kubernetes", &names);
    for version in ["1.29", "1.37"] {
        let command = || {
            let mut command = Command::new(tools().join("venv/bin/kubernetes-validate"));
            command.args(["--strict", "--kubernetes-version", version]);
            command
        };
        passes(command, &files, "livenessProbe", "livelinessProbe");
    }
}

#[test]
fn the_compose_files_fit_the_specification() {
    let files = files("compose", &["compose.yaml", "compose.job.yaml"]);
    let command = || {
        let mut command = Command::new(tools().join("venv/bin/check-jsonschema"));
        command.args(["--builtin-schema", "vendor.compose-spec"]);
        command
    };
    passes(command, &files, "stop_grace_period", "stop_grace");
}

#[test]
fn the_ecs_task_definitions_fit_the_api() {
    let names = ["task-definition.json", "task-definition.migrate.json"];
    let files = files("ecs", &names);
    let command = || {
        let mut command = python();
        command.arg(repository("tests/examples/ecs.py"));
        command
    };
    passes(command, &files, "stopTimeout", "stopTimeOut");
    passes(command, &files, "\"tcp\"", "\"http\"");
}

/// As types: what Northflank publishes is its client.
#[test]
fn the_northflank_bodies_fit_the_client() {
    let bodies = [
        ("job.json", "CreateJobManualData"),
        ("service-wait.json", "CreateServiceDeploymentData"),
        ("service-run.json", "CreateServiceDeploymentData"),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let link = folder.path().join("node_modules");
    std::os::unix::fs::symlink(tools().join("node_modules"), link).expect("a link");
    let check = |change: &dyn Fn(String) -> String| {
        let mut source = String::new();
        for (number, (name, kind)) in bodies.iter().enumerate() {
            let file = repository("examples/northflank").join(name);
            let body = change(fs::read_to_string(file).expect("a body"));
            let _ = writeln!(
                source,
                "import type {{ {kind} as T{number} }} from '@northflank/js-client';\n\
                 export const body{number}: T{number} = {body};"
            );
        }
        fs::write(folder.path().join("bodies.ts"), source).expect("a file");
        let mut command = Command::new(tools().join("node_modules/.bin/tsc"));
        command.args(
            "--noEmit --strict --skipLibCheck --types --target es2022 --module nodenext bodies.ts"
                .split(' '),
        );
        command.current_dir(folder.path()).output().expect("tsc")
    };
    let result = check(&|body| body);
    let said = String::from_utf8_lossy(&result.stdout);
    assert!(result.status.success(), "{said}");
    for (word, other) in [
        ("backoffLimit", "backOffLimit"),
        ("livenessProbe", "livelinessProbe"),
    ] {
        let result = check(&|body| body.replace(word, other));
        assert!(!result.status.success(), "{other} instead of {word} passes");
    }
}

/// The files that the document shows, against the schema that editors are given.
#[test]
fn the_settings_files_of_the_document_fit_the_schema() {
    let page = fs::read_to_string(repository("docs/settings-file.md")).expect("a page");
    let blocks = page.split("```toml\n").skip(1);
    let files: Vec<_> = blocks
        .map(|block| {
            let file = tempfile::Builder::new().suffix(".toml").tempfile();
            let file = file.expect("a file");
            let text = block.split("```").next().expect("its text");
            fs::write(file.path(), text).expect("a file");
            file
        })
        .collect();
    assert_eq!(files.len(), 2);
    let paths: Vec<_> = files.iter().map(|file| file.path().to_owned()).collect();
    let command = || {
        let mut command = Command::new(tools().join("venv/bin/check-jsonschema"));
        let schema = repository("docs/launchgate.schema.json");
        command.arg("--schemafile").arg(schema);
        command
    };
    passes(command, &paths, "migrate-timeout", "migrate-timeuot");
    passes(command, &paths, "\"10m\"", "10");
}
