//! The Dockerfiles of this repository and of its README, and the image that `scripts/dist` packs.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use crate::common::docker::{Container, Engine, repository, static_binary};
use crate::common::wait_until as until;

#[test]
fn dockerfile_makes_an_image_of_one_file() {
    let engine = Engine::answering();
    let image = engine.launchgate_image();
    let container = engine.start_words(&image, &["--version"], &[]);
    assert_eq!(container.wait(), 0);
    assert_eq!(
        container.logs().trim(),
        format!("launchgate {}", env!("CARGO_PKG_VERSION"))
    );
}

/// The image that `scripts/dist` packed, used by a Dockerfile with `COPY --from`.
#[test]
fn packaged_image_is_one_to_copy_from() {
    let engine = Engine::answering();
    let version = env!("CARGO_PKG_VERSION");
    let dist = std::env::var_os("LAUNCHGATE_DIST");
    let dist = PathBuf::from(dist.expect("LAUNCHGATE_DIST: what `scripts/dist` printed"));
    let archive = dist.join(format!("launchgate-{version}-image.tar"));
    let archive = archive.to_str().expect("a path in UTF-8");
    engine.succeed(&["load", "--quiet", "--input", archive]);
    let context = engine.context();
    let file = context.join("Dockerfile");
    let text = format!(
        "FROM scratch\nCOPY --from=launchgate:{version}-amd64 /launchgate /bin/launchgate\n\
         ENTRYPOINT [\"/bin/launchgate\"]\n"
    );
    fs::write(&file, text).expect("a Dockerfile");
    let image = engine.build_file(&file, &context, &[]);
    let container = engine.start_words(&image, &["--version"], &[]);
    assert_eq!(container.wait(), 0, "{}", container.logs());
    assert_eq!(container.logs().trim(), format!("launchgate {version}"));
}

/// `Dockerfile.example` with `examples/node` as the app, on this machine's own node.
#[test]
fn dockerfile_example_migrates_once_per_release() {
    let engine = Engine::answering();
    let launchgate = engine.launchgate_image();
    let node = engine.import(&["sh", "cat", "node"]);
    let build = |release: &str| {
        engine.build_file(
            &repository("Dockerfile.example"),
            &repository("examples/node"),
            &[
                ("LAUNCHGATE_IMAGE", &launchgate),
                ("APP_IMAGE", &node),
                ("GIT_SHA", release),
            ],
        )
    };
    walk(&engine, &build, |replica| {
        until("a healthy container", || {
            (replica.inspect("{{.State.Health.Status}}") == "healthy").then_some(())
        });
    });
}

/// README's first example is the CMD of README's Dockerfile, which is built here as it stands, but for the
/// names of the two images that can't be pulled.
#[test]
fn readmes_dockerfile_migrates_once_per_release() {
    let readme = fs::read_to_string(repository("README.md")).expect("README.md");
    let block = |opening: &str, part: &str| {
        let mut blocks = readme.split("```").skip(1).step_by(2);
        let found = blocks.find(|block| block.starts_with(opening) && block.contains(part));
        let found = found.unwrap_or_else(|| panic!("no {opening} block with {part}"));
        found[opening.len()..].trim().to_owned()
    };
    let dockerfile = block("dockerfile", "COPY --from=launchgate");
    let first = shlex::split(&block("text", "launchgate run")).expect("words");
    let array = dockerfile.split("CMD ").nth(1).expect("a CMD");
    let words: Vec<String> = serde_json::from_str(array).expect("the exec form");
    assert_eq!(words, first, "README's first example and its Dockerfile");

    let engine = Engine::answering();
    let launchgate = engine.launchgate_image();
    let node = engine.image_with_user("node", &engine.import(&["sh", "cat", "node"]));
    let text = dockerfile
        .replace("FROM node:22-bookworm-slim", &format!("FROM {node}"))
        .replace("--from=launchgate ", &format!("--from={launchgate} "));
    let file = engine.context().join("Dockerfile");
    fs::write(&file, text).expect("a Dockerfile");
    let build = |release: &str| {
        let app = repository("examples/node");
        engine.build_file(&file, &app, &[("GIT_SHA", release)])
    };
    walk(&engine, &build, |_| ());
}

/// Safe in every replica, at a restart and in the next release, with the operator's commands at hand, in a
/// container that runs and in a new one.
#[allow(
    clippy::print_stderr,
    reason = "how long a stop took is worth a line, and no test's condition"
)]
fn walk(engine: &Engine, build: &dyn Fn(&str) -> String, look: impl Fn(&Container<'_>)) {
    let data = engine.data();
    let options = [
        "--env=DATA_DIR=/data",
        "--env=DATABASE_URL=sqlite:/data/app.db",
        "--health-interval=1s",
    ];
    let start = |image: &str| engine.start_on(&data, image, &[], &options);
    let migrations = |containers: &[Container<'_>]| {
        let logs = containers.iter().map(Container::logs);
        logs.map(|logs| logs.matches("schema is 2").count())
            .sum::<usize>()
    };

    let first = build("4f2a91c");
    let replicas: Vec<_> = (0..5).map(|_| start(&first)).collect();
    for replica in &replicas {
        replica.wait_for("listening");
    }
    assert_eq!(migrations(&replicas), 1);
    let replica = &replicas[0];
    look(replica);
    let fetch = "fetch('http://127.0.0.1:8080/').then(r => r.text()).then(t => console.log(t))";
    let answer = replica.exec(&["node", "-e", fetch]);
    assert!(answer.contains("\"schema\":2"), "{answer}");

    let stopping = Instant::now();
    assert_eq!(replica.stop(), 0, "it was not killed\n{}", replica.logs());
    eprintln!("docker stop took {} ms", stopping.elapsed().as_millis());
    engine.succeed(&["start", &replica.id]);
    until("the restarted server", || {
        (replica.logs().matches("listening").count() == 2).then_some(())
    });
    assert_eq!(migrations(&replicas), 1, "a restart migrates nothing");

    let next = [start(&build("9b3d07e"))];
    next[0].wait_for("listening");
    assert_eq!(migrations(&next), 1, "the next release migrates");

    // In a container that runs.
    let status = next[0].exec(&["launchgate", "status"]);
    assert!(
        status.contains("4f2a91c") && status.contains("9b3d07e"),
        "{status}"
    );
    let resolve = ["launchgate", "resolve", "9b3d07e", "--as", "succeeded"];
    let said = next[0].exec(&resolve);
    assert!(
        said.contains("the next start will not run its steps"),
        "{said}"
    );
    // Where it does not run, a new one of the same image does it.
    assert_eq!(next[0].stop(), 0, "it was not killed\n{}", next[0].logs());
    let operator = |words: &[&str]| {
        let operator = engine.start_on(&data, &first, words, &options);
        assert_eq!(operator.wait(), 0, "{}", operator.logs());
        operator.logs()
    };
    let status = operator(&["launchgate", "status"]);
    assert!(status.contains("9b3d07e"), "{status}");
    operator(&["launchgate", "resolve", "9b3d07e", "--as", "blocked"]);
    engine.succeed(&["start", &next[0].id]);
    assert_eq!(next[0].wait(), 77, "{}", next[0].logs());
}

impl Engine {
    /// The image that the repository's `Dockerfile` makes. Its compiler is replaced by one
    /// that has the result at hand: a toolchain's image can't be pulled, and the build itself
    /// is what made the binary of all these tests.
    fn launchgate_image(&self) -> String {
        let stub = self.context();
        fs::copy(static_binary(), stub.join("launchgate")).expect("the binary");
        let cargo = "#!/bin/sh\nset -e\nfor last; do :; done\n\
                     test \"$*\" = \"build --release --locked --target $last\"\n\
                     test -f Cargo.lock -a -f .cargo/config.toml -a -f src/main.rs\n\
                     mkdir -p target/$last/release\ncp /launchgate target/$last/release/\n";
        fs::write(stub.join("cargo"), cargo).expect("a stub");
        let base = self.import(&["sh", "chmod", "cp", "mkdir", "mv", "uname"]);
        let file = stub.join("Dockerfile");
        let text = format!(
            "FROM {base}\nCOPY launchgate /\nCOPY cargo /usr/bin/\n\
             RUN chmod 755 /usr/bin/cargo\n"
        );
        fs::write(&file, text).expect("a Dockerfile");
        let rust = self.build_file(&file, &stub, &[]);
        self.build_file(
            &repository("Dockerfile"),
            &repository(""),
            &[("RUST_IMAGE", &rust)],
        )
    }

    /// The same image with a user 1000 of this name, as the official images of a language have one.
    fn image_with_user(&self, name: &str, image: &str) -> String {
        let context = self.context();
        let users = format!("root:x:0:0::/root:/bin/sh\n{name}:x:1000:1000::/app:/bin/sh\n");
        fs::write(context.join("passwd"), users).expect("the users");
        let groups = format!("root:x:0:\n{name}:x:1000:\n");
        fs::write(context.join("group"), groups).expect("the groups");
        let file = context.join("Dockerfile");
        let text = format!("FROM {image}\nCOPY passwd group /etc/\n");
        fs::write(&file, text).expect("a Dockerfile");
        self.build_file(&file, &context, &[])
    }
}
