//! Man page, completions and the settings file's schema, from the definitions of the flags.

mod schema;

pub use schema::schema;

use std::io::Write as _;

use anyhow::Context as _;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli::{self, Document};
use crate::exit::Failure;
use crate::sys::host::Host;

/// Prints the requested file on standard output.
pub fn print(host: &Host, document: Document) -> Result<(), Failure> {
    let text = match document {
        Document::Man => man()?,
        Document::Bash => completions(Shell::Bash),
        Document::Zsh => completions(Shell::Zsh),
        Document::Fish => completions(Shell::Fish),
        Document::Schema => schema().into_bytes(),
    };
    crate::output::print::print(host, &text)
}

fn completions(shell: Shell) -> Vec<u8> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), "launchgate", &mut out);
    out
}

/// One page for everything: the general part, then a section per command.
fn man() -> Result<Vec<u8>, Failure> {
    render_man().map_err(|error| Failure::bug(format!("{error:#}")))
}

fn render_man() -> anyhow::Result<Vec<u8>> {
    let mut command = cli::command();
    command.build();
    let mut out = Vec::new();
    Man::new(command.clone())
        .render(&mut out)
        .context("failed to render the man page")?;
    for sub in command.get_subcommands() {
        writeln!(out, ".SH \"LAUNCHGATE {}\"", sub.get_name().to_uppercase())?;
        let page = Man::new(sub.clone());
        page.render_description_section(&mut out)?;
        page.render_synopsis_section(&mut out)?;
        page.render_options_section(&mut out)
            .with_context(|| format!("failed to render the options of {}", sub.get_name()))?;
    }
    Ok(out)
}
