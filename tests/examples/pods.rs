//! The Kubernetes Deployment without a cluster: the containers' own command, variables and
//! probes, three replicas at once, with a program that stands for the app.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::common::wait_until;
use crate::reader::{free_port, repository};
use crate::roles::postgres_with_roles;
use crate::texts::{CommandLine, command_lines, documents};

/// Tells what it sees, and as the migration waits for the file `go`.
const NODE: &str = r#"#!/bin/sh
case $1 in
migrate/*)
    env >"$EVIDENCE/$$"
    mv "$EVIDENCE/$$" "$EVIDENCE/migration.$$"
    until [ -e "$EVIDENCE/go" ]; do sleep 0.02; done
    ;;
*)
    env >"$EVIDENCE/$$"
    mv "$EVIDENCE/$$" "$EVIDENCE/server.$$"
    exec sleep 600
    ;;
esac
"#;

struct Pod {
    process: Child,
    port: u16,
}

impl Pod {
    /// The container of the Deployment, but for its port.
    fn start(container: &CommandLine, secrets: &BTreeMap<&str, String>, folder: &Path) -> Self {
        let port = free_port();
        let words = container.words.iter();
        let words = words.map(|word| word.replace(":8080", &format!(":{port}")));
        let variables = container.variables.iter().map(|(name, value)| {
            let secret = || secrets.get(name.as_str()).expect("a secret").clone();
            (name, value.clone().unwrap_or_else(secret))
        });
        let process = Command::new(env!("CARGO_BIN_EXE_launchgate"))
            .args(words)
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
            .env("EVIDENCE", folder)
            .envs(variables)
            .stdin(Stdio::null())
            .spawn()
            .expect("launchgate");
        Self { process, port }
    }

    /// The status that a probe of this path sees, where something listens.
    fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n"
        )
        .ok()?;
        // As a kubelet: what counts is the first line, and who asked is who closes.
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).ok()?;
        Some(line.split(' ').nth(1)?.to_owned())
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What the processes of this kind saw, once there are as many.
fn seen(folder: &Path, kind: &str, count: usize) -> Vec<String> {
    wait_until(&format!("{count} of {kind}"), || {
        let entries = fs::read_dir(folder).expect("a folder");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let texts: Vec<_> = paths
            .filter(|path| path.file_stem().is_some_and(|stem| stem == kind))
            .map(|path| fs::read_to_string(path).expect("a text"))
            .collect();
        (texts.len() == count).then_some(texts)
    })
}

#[test]
fn the_kubernetes_deployment_migrates_once_and_answers_its_probes() {
    let (_server, migrator, web) = postgres_with_roles();
    let folder = tempfile::tempdir().expect("a folder");
    let node = folder.path().join("node");
    fs::write(&node, NODE).expect("a program");
    fs::set_permissions(&node, fs::Permissions::from_mode(0o755)).expect("its mode");

    let manifest = repository("examples/kubernetes/deployment.yaml");
    let lines = command_lines(&[repository("examples/kubernetes")]);
    let container = lines.iter().find(|line| line.file == manifest);
    let container = container.expect("its command");
    let documents = documents(std::slice::from_ref(&manifest));
    let path = |probe: &str| {
        let pointer = format!("/0/spec/template/spec/containers/0/{probe}/httpGet/path");
        let path = documents[&manifest].pointer(&pointer);
        path.and_then(|path| path.as_str())
            .expect("a path")
            .to_owned()
    };

    let secrets = BTreeMap::from([
        ("DATABASE_URL", web.clone()),
        ("ADMIN_DATABASE_URL", migrator.clone()),
    ]);
    let pods: Vec<_> = (0..3)
        .map(|_| Pod::start(container, &secrets, folder.path()))
        .collect();
    let migrations = seen(folder.path(), "migration", 1);
    let has = |environment: &str, url: &str| {
        let line = format!("DATABASE_URL={url}");
        environment.lines().any(|own| own == line)
    };
    assert!(has(&migrations[0], &migrator), "{migrations:?}");
    for pod in &pods {
        for probe in ["startupProbe", "livenessProbe"] {
            let alive = wait_until(probe, || pod.get(&path(probe)));
            assert_eq!(alive, "200", "{probe}");
        }
        assert_eq!(pod.get(&path("readinessProbe")).as_deref(), Some("503"));
    }
    fs::write(folder.path().join("go"), "").expect("a file");
    for server in seen(folder.path(), "server", 3) {
        assert!(has(&server, &web), "{server}");
        assert!(!server.contains(&migrator), "{server}");
        assert!(!server.contains("LAUNCHGATE_"), "{server}");
    }
    for pod in &pods {
        assert_eq!(pod.get("/livez"), None, "the port is the server's");
    }
    assert_eq!(seen(folder.path(), "migration", 1).len(), 1);
}
