use crate::cli::{self, Operand, Parsed, SettingId};
use crate::convert::{KnownDatabase, convert};
use crate::shell_words::{Expansion, split};
use proptest::prelude::*;

/// Whatever is proposed is a command line that launchgate takes.
fn launchgate_takes(text: &str) {
    let surroundings = KnownDatabase {
        url_variables: &[],
        has_url: true,
    };
    let Ok(proposal) = convert(&[text.to_owned()], &surroundings).outcome else {
        return;
    };
    let own = proposal.words.iter().position(|word| word == "launchgate");
    let words = &proposal.words[own.unwrap()..];
    let args: Vec<_> = words.iter().map(std::ffi::OsString::from).collect();
    let Ok(Parsed::Command(raw)) = cli::parse(&args) else {
        panic!("launchgate does not take {words:?}");
    };
    let get = |_: &[u8]| Some(Vec::new());
    let commands = [SettingId::Prepare, SettingId::Migrate, SettingId::WarmUp];
    for step in commands.iter().filter_map(|id| raw.values(*id)).flatten() {
        let words = split(step.as_encoded_bytes(), Expansion::On(&get));
        assert!(
            raw.values(SettingId::Shell).is_some() || words.is_ok(),
            "{step:?}"
        );
    }
    assert!(proposal.takes_cmd || !raw.words(Operand::Server).is_empty());
}

proptest! {
    #[test]
    fn what_is_proposed_is_a_command_line_of_launchgates(
        flags in prop::sample::select(vec!["", "tini -g -e 143 -- ", "dumb-init -r 15:3 ", "gosu a:b ", "wait-for-it db:1 -t 9 -- "]),
        assignment in prop::sample::select(vec!["", "A=1 ", "A='{x}' ", "A=$B "]),
        words in prop::collection::vec("[a-z$'\" -]{0,6}", 0..4),
    ) {
        let words = words.join(" ");
        launchgate_takes(&format!("{flags}sh -c '{assignment}./migrate x && exec ./serve y'"));
        launchgate_takes(&format!("{assignment}./migrate {words} && {flags}./serve {words}"));
        launchgate_takes(&format!("./fetch {words}; ./migrate; ./cache {words} || true; {flags}./serve"));
    }
}
