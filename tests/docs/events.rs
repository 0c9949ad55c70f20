//! `docs/events.md`.

use std::fmt::Write as _;

use super::MADE;
use launchgate::output::log::Event;

pub(super) fn page() -> String {
    let mut text = format!(
        "# Log events\n\n{MADE}\n\nThe values of the field `event` with `--log-format json`. They are an interface.\n\n| event | level | meaning |\n| --- | --- | --- |\n",
    );
    for event in Event::ALL {
        let (name, level) = (event.name(), event.level().as_str());
        let meaning = event.meaning().trim();
        writeln!(text, "| `{name}` | {level} | {meaning} |").unwrap();
    }
    text
}
