//! How the commands of a list follow each other: what is left out, and what is wrong with it.

use super::{Chain, Kept, shorten};
use crate::convert::Unsure;
use crate::convert::script::{Body, Item, Link, Simple};
use crate::convert::tools;

impl Chain {
    /// `|| true` and `|| exit 1` behind a command; any other `||` is a choice that is not ours.
    pub(super) fn without_fallbacks(&mut self, items: Vec<Item>) -> Result<Vec<Item>, Unsure> {
        let mut kept: Vec<Item> = Vec::new();
        for item in items {
            if item.link != Link::Or {
                kept.push(item);
                continue;
            }
            let before = kept
                .last()
                .map(|item| item.source.clone())
                .unwrap_or_default();
            if gives_up(&item) {
                self.findings.note(format!(
                    "`|| {}` is left out: launchgate stops at a step that fails, with its exit code",
                    item.source
                ));
            } else if swallows(&item) {
                self.findings.wrong(format!(
                    "`|| {}` swallows the failure of `{before}`; it is left out, so a failure keeps the server from starting now. Where one is expected, let the command itself allow for it",
                    item.source
                ));
            } else {
                return Err(Unsure::new(
                    format!("`|| {}` runs only where `{before}` fails", item.source),
                    "decide what a failure is to mean: launchgate stops at it; a script that is a step of its own can do otherwise",
                ));
            }
        }
        Ok(kept)
    }

    /// What is put into the background is either waited for, or more than one program.
    pub(super) fn in_foreground(&mut self, mut items: Vec<Item>) -> Result<Vec<Item>, Unsure> {
        let last_waits = items.last().is_some_and(|item| match &item.body {
            Body::Simple(simple) => tools::name(&simple.words) == "wait",
            _ => false,
        });
        let jobs = items.iter().filter(|item| item.background).count();
        if last_waits && jobs == 1 && items.len() > 1 && items[items.len() - 2].background {
            items.pop();
            self.findings.wrong(
                "the server is put into the background and waited for: the shell stays PID 1, and a signal ends the `wait` and not the server; `&` and `wait` are left out",
            );
            return Ok(items);
        }
        let count = items.len();
        for (number, item) in items.iter().enumerate().filter(|(_, item)| item.background) {
            let source = &item.source;
            let words = match &item.body {
                Body::Simple(simple) => simple.words.as_slice(),
                _ => &[],
            };
            if number + 1 == count && jobs == 1 {
                self.findings.wrong(format!(
                    "`{source} &` is a background job with nothing behind it: the shell ends at once, and the container with it; `&` is left out"
                ));
            } else if tools::is_migration(words) && !last_waits {
                self.findings.wrong(format!(
                    "`{source} &` is a background job: it runs beside what follows, and nobody sees it fail; `&` is left out"
                ));
            } else {
                self.findings.wrong(format!(
                    "`{source} &` is a background job: nobody waits for it, and nobody sees it fail"
                ));
                return Err(Unsure::new(
                    format!("`{source} &` may be a second server"),
                    "launchgate becomes one server: give each its own container or a supervisor, and leave the `&` out where it is a migration",
                ));
            }
        }
        Ok(items)
    }

    /// What goes on after a failure, and what every replica does.
    pub(super) fn say_links(&mut self, steps: &[Kept], server: &Kept) {
        let all = steps.iter().chain([server]);
        let pairs = steps.iter().zip(all.skip(1));
        let mut said = [false; 2];
        for (step, next) in pairs {
            let (what, number) = match next.link {
                Link::Semicolon => ("`;`", 0),
                Link::Newline => ("a new line", 1),
                _ => continue,
            };
            if (step.options.contains(&"errexit") && step.link != Link::And)
                || std::mem::replace(&mut said[number], true)
            {
                continue;
            }
            self.findings.wrong(format!(
                "{what} goes on after a failure: `{}` starts although `{}` failed",
                shorten(&next.source),
                shorten(&step.source)
            ));
        }
        if !steps.is_empty() {
            self.findings.wrong(
                "every replica runs the steps, all at the same time, and again at each restart",
            );
        }
    }
}

/// Groups without a redirection are no more than their commands.
pub(super) fn flatten(items: Vec<Item>, out: &mut Vec<Item>) {
    for item in items {
        let is_fallback = gives_up(&item) || swallows(&item);
        match item.body {
            Body::Group(inner) if !item.background && item.link != Link::Or && !is_fallback => {
                let first = out.len();
                flatten(inner, out);
                if let Some(begin) = out.get_mut(first) {
                    begin.link = item.link;
                }
            }
            body => out.push(Item { body, ..item }),
        }
    }
}

fn simples(item: &Item) -> Option<Vec<&Simple>> {
    match &item.body {
        Body::Simple(simple) => Some(vec![simple]),
        Body::Group(items) => Some(
            items
                .iter()
                .map(simples)
                .collect::<Option<Vec<_>>>()?
                .concat(),
        ),
        _ => None,
    }
}

/// `exit 1`, `{ echo failed; exit 1; }`.
fn gives_up(item: &Item) -> bool {
    let Some(list) = simples(item) else {
        return false;
    };
    let Some((last, before)) = list.split_last() else {
        return false;
    };
    let code = last
        .words
        .get(1)
        .map(|word| word.text().unwrap_or_default());
    tools::name(&last.words) == "exit"
        && code != Some("0")
        && before
            .iter()
            .all(|simple| matches!(tools::name(&simple.words), "echo" | "printf"))
}

/// `true`, `echo failed`.
fn swallows(item: &Item) -> bool {
    simples(item).is_some_and(|list| {
        list.iter()
            .all(|simple| matches!(tools::name(&simple.words), "true" | ":" | "echo" | "printf"))
    })
}
