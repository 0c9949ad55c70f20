//! The blocks of a README that say something about a run.

#[derive(Debug, PartialEq)]
pub enum Block {
    /// Run to its end; with its expected output, where the README shows it.
    Run(String, Option<String>),
    /// Run again until it prints this.
    Until(String, String),
    /// Goes on in the background, and listens.
    Server(String),
    /// Goes on in the background.
    Worker(String),
    /// Counts in every terminal that follows.
    Export(String),
}

/// The README's blocks that say something about a run, in order.
pub fn blocks(readme: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else {
            continue;
        };
        let body: String = lines
            .by_ref()
            .take_while(|line| *line != "```")
            .flat_map(|line| [line, "\n"])
            .collect();
        let exports = body.lines().all(|line| line.starts_with("export "));
        match (info, blocks.last_mut()) {
            ("sh", _) if exports => blocks.push(Block::Export(body)),
            ("sh", _) => blocks.push(Block::Run(body, None)),
            ("sh server", _) => blocks.push(Block::Server(body)),
            ("sh worker", _) => blocks.push(Block::Worker(body)),
            ("sh until", _) => blocks.push(Block::Until(body, String::new())),
            ("text" | "json", Some(Block::Run(_, expected @ None))) => *expected = Some(body),
            ("text" | "json", Some(Block::Until(_, expected))) if expected.is_empty() => {
                *expected = body;
            }
            ("console", _) => {}
            _ => panic!("a block that no test knows what to do with: {line}\n{body}"),
        }
    }
    blocks
}
