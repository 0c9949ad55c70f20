//! Finds the command lines of launchgate's in the examples: in the configuration files, by what
//! their formats mean, and in READMEs, Procfiles, Dockerfiles and scripts, line by line.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::home::output;
use crate::reader::repository;
use crate::schemas::python;

/// Variables, as far as the files say: `None` is a value that is kept elsewhere.
pub type Variables = BTreeMap<String, Option<String>>;

/// A command line, without `launchgate` itself.
#[derive(Debug)]
pub struct CommandLine {
    pub words: Vec<String>,
    pub variables: Variables,
    /// The file it is from.
    pub file: PathBuf,
}

/// The folders of examples.
pub fn examples() -> Vec<PathBuf> {
    let entries = fs::read_dir(repository("examples")).expect("the examples");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut folders: Vec<_> = paths.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// Every command line in the files of these folders.
pub fn command_lines(folders: &[PathBuf]) -> Vec<CommandLine> {
    let files: Vec<PathBuf> = folders.iter().flat_map(|folder| files(folder)).collect();
    let (configurations, others): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| {
        let extension = file.extension().unwrap_or_default();
        ["yaml", "yml", "toml", "json"]
            .iter()
            .any(|e| extension == *e)
    });
    let mut found = Vec::new();
    // What fly.toml sets counts for the command in the Dockerfile beside it.
    let mut beside: BTreeMap<PathBuf, Variables> = BTreeMap::new();
    for (file, documents) in documents(&configurations) {
        let mut finder = Finder::new(&file);
        finder.walk(&documents, &Variables::new());
        found.append(&mut finder.found);
        if let Some(set) = documents.pointer("/0/env") {
            beside.insert(folder(&file), variables_of(set));
        }
    }
    let texts = ["README.md", "Procfile", "Dockerfile", "pre-deploy"];
    for file in others {
        if texts.iter().any(|name| file.ends_with(name)) {
            let mut finder = Finder::new(&file);
            let variables = beside.get(&folder(&file)).cloned().unwrap_or_default();
            finder.read(&fs::read_to_string(&file).expect("a text"), variables);
            found.append(&mut finder.found);
        }
    }
    found
}

/// Every command line of this page.
pub fn command_lines_of(page: &Path) -> Vec<CommandLine> {
    let mut finder = Finder::new(page);
    let text = fs::read_to_string(page).expect("a page");
    finder.read(&text, Variables::new());
    finder.found
}

/// What is in these files, whatever they are written in.
pub fn documents(files: &[PathBuf]) -> BTreeMap<PathBuf, Value> {
    let mut command = python();
    command.arg(repository("tests/examples/to_json.py"));
    serde_json::from_str(&output(command.args(files))).expect("what was printed")
}

/// What a fresh clone has in this folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let left_over = [".venv", "node_modules", "data", "package-lock.json"];
        if left_over.iter().any(|name| path.ends_with(name)) {
            continue;
        }
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn folder(file: &Path) -> PathBuf {
    file.parent().expect("a folder").to_path_buf()
}

struct Finder {
    file: PathBuf,
    found: Vec<CommandLine>,
}

impl Finder {
    fn new(file: &Path) -> Self {
        Self {
            file: file.to_path_buf(),
            found: Vec::new(),
        }
    }

    fn keep(&mut self, words: &[String], variables: &Variables) {
        self.found.push(CommandLine {
            words: words.to_vec(),
            variables: variables.clone(),
            file: self.file.clone(),
        });
    }

    /// The variables of a container, a service or a file are those beside its command or above.
    fn walk(&mut self, value: &Value, above: &Variables) {
        match value {
            Value::Object(map) => {
                let mut variables = above.clone();
                let names = [
                    "env",
                    "environment",
                    "envVars",
                    "secrets",
                    "runtimeEnvironment",
                ];
                for set in names.iter().filter_map(|name| map.get(*name)) {
                    variables.extend(variables_of(set));
                }
                map.values().for_each(|value| self.walk(value, &variables));
            }
            Value::Array(values) => match words(value) {
                Some(words) if words.iter().any(|word| is_launchgate(word)) => {
                    self.take(&words, above);
                }
                _ => values.iter().for_each(|value| self.walk(value, above)),
            },
            Value::String(line) => self.line(line, above),
            _ => {}
        }
    }

    /// A text: fenced blocks and whole files by line, and of prose what is marked as code.
    fn read(&mut self, text: &str, mut variables: Variables) {
        let is_prose = self
            .file
            .extension()
            .is_some_and(|extension| extension == "md");
        let text = text.replace("\\\n", " ");
        let mut prose = String::new();
        let mut in_block = !is_prose;
        for line in text.lines().map(str::trim) {
            if is_prose && line.starts_with("```") {
                in_block = !in_block;
            } else if in_block {
                let line = line.trim_start_matches("$ ");
                if let Some((name, value)) = line
                    .strip_prefix("export ")
                    .and_then(|rest| rest.split_once('='))
                {
                    variables.insert(name.to_owned(), Some(value.trim_matches('\'').to_owned()));
                }
                self.line(line, &variables);
            } else {
                prose += line;
                prose.push(' ');
            }
        }
        let code = prose.split('`').skip(1).step_by(2);
        for code in code.filter(|code| code.starts_with("launchgate ") && code.contains(" -")) {
            self.line(code, &variables);
        }
    }

    fn line(&mut self, line: &str, variables: &Variables) {
        let array = line.find("[\"").and_then(|start| line.get(start..));
        let array = array.and_then(|array| serde_json::from_str(array).ok());
        if let Some(array) = array.as_ref().and_then(words) {
            return self.take(&array, variables);
        }
        if !line.contains("launchgate ") || line.starts_with("launchgate: ") {
            return;
        }
        let words = shlex::split(line).unwrap_or_else(|| panic!("{}: {line}", self.file.display()));
        self.take(&words, variables);
    }

    /// Keeps what begins with `launchgate`, up to where a shell would begin another command.
    fn take(&mut self, words: &[String], variables: &Variables) {
        // An argument that is a whole command line for another program.
        for word in words.iter().filter(|word| word.starts_with("launchgate ")) {
            self.line(word, variables);
        }
        let Some(start) = words.iter().position(|word| is_launchgate(word)) else {
            return;
        };
        // An image, or what is to be built.
        let is_a_name = start > 0 && ["-t", "--bin"].contains(&words[start - 1].as_str());
        let rest = &words[start + 1..];
        let ends = ["|", "||", "&&", ";", ">"];
        let end = rest.iter().position(|word| ends.contains(&word.as_str()));
        let rest = &rest[..end.unwrap_or(rest.len())];
        if !rest.is_empty() && !is_a_name {
            self.keep(rest, variables);
        }
    }
}

fn is_launchgate(word: &str) -> bool {
    word == "launchgate" || word == "target/debug/launchgate"
}

/// An array of nothing but strings.
fn words(value: &Value) -> Option<Vec<String>> {
    let values = value.as_array()?.iter();
    values
        .map(|value| value.as_str().map(str::to_owned))
        .collect()
}

/// A map, or a list of names with values.
fn variables_of(set: &Value) -> Variables {
    match set {
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().map(str::to_owned)))
            .collect(),
        Value::Array(list) => list
            .iter()
            .filter_map(|entry| {
                let name = entry.get("name").or_else(|| entry.get("key"))?.as_str()?;
                let value = entry.get("value").and_then(Value::as_str);
                Some((name.to_owned(), value.map(str::to_owned)))
            })
            .collect(),
        _ => Variables::new(),
    }
}
