//! Texts that nobody would write: each is converted or refused, in time.

use proptest::prelude::*;

use super::*;

/// Holds for whatever is proposed.
fn hold_together(proposal: &Proposal) {
    let array: Vec<String> = serde_json::from_str(&proposal.dockerfile_array()).unwrap();
    assert_eq!(array, proposal.words);
    if proposal.folder.is_none() && !proposal.takes_cmd {
        assert_eq!(
            shlex::split(&proposal.command_line()).unwrap(),
            proposal.words
        );
    }
    let kubernetes = expanded_by_kubernetes(&proposal.kubernetes_array());
    assert_eq!(kubernetes, proposal.dockerfile_array());
}

fn convert_each_way(text: &str) {
    let forms = [
        vec![text.to_owned()],
        vec!["bash".into(), "-c".into(), text.to_owned()],
        vec![format!(
            "command:\n- sh\n- -c\n- |\n  {}",
            text.replace('\n', "\n  ")
        )],
    ];
    for words in forms {
        let report = convert(&words, &SURROUNDINGS);
        let _ = report.page();
        if let Ok(proposal) = &report.outcome {
            hold_together(proposal);
        }
    }
}

#[test]
fn what_is_long_or_deep_is_refused_in_time() {
    for text in [
        "(".repeat(16_000),
        "while ! until ".repeat(4) + "b; " + &"do sleep 1; done; ".repeat(8),
        "{ ".repeat(20) + "a" + &"; }".repeat(20),
        "if a; then ".repeat(20) + "b; " + &"fi; ".repeat(20),
        "{ ".to_owned() + &"a; ".repeat(5000) + "}",
        "if a; then ".to_owned() + &"b\n".repeat(5000) + "fi; ./migrate; c",
        "((".repeat(31),
        "$(".repeat(60) + "a",
        "`".repeat(60),
        "\"$(".repeat(60),
        "${a:-".repeat(60),
        "until ".repeat(60) + "b; " + &"do sleep 1; done; ".repeat(60),
        "[[ ".to_owned() + &"( ".repeat(50) + "a" + &" )".repeat(50) + " ]]; b",
        "! ".repeat(5000),
        "a;".repeat(1000) + "b",
        "./migrate &&".repeat(1000) + "b",
        "case a in ".repeat(60),
        "f()".repeat(60),
        "a | ".repeat(3000) + "b",
        ">x ".repeat(3000),
        "'".repeat(10_001),
        "\\".repeat(10_001),
        "sh -c ".repeat(2000),
        "exec ".repeat(2000),
        "tini -- ".repeat(1500) + "a",
        "wait-for-it db:1 -- ".repeat(700) + "a",
        "env ".repeat(3000) + "a",
        "- ".repeat(5000),
        "command: ".repeat(1500),
        "[".repeat(5000),
    ] {
        convert_each_way(&text);
    }
}

/// Found by `scripts/fuzz`: the tokenizer misplaces what follows these substitutions.
#[test]
fn a_command_whose_end_is_uncertain_is_refused() {
    for text in [
        "$(./migrate <<<x\n\\\n)",
        "$(./migrate  <<<x;\n# c\n\\\n); ./serve",
    ] {
        convert_each_way(text);
        refused(text);
    }
}

fn pieces() -> impl Strategy<Value = String> {
    let known = prop::sample::select(
        "./migrate|npx prisma migrate deploy|node b.js|sh -c '|bash -ec \"|\"|'|; | && | || | & | \
         | |\n|$X|${X}|${X:-y}|${X:=y}|$(b)|`c`| > f| 2>&1|(|)|{ |; }|if a; then |; fi|else |\
         until pg_isready; do sleep 1; done|exec |set -e; |cd /x; |export A=1; |A=1 |true|exit 1|\
         tini -- |gosu u |wait-for-it db:5432 -- |[ -f x ] && |env |\\|#|*|~|$@|<<E\n|E\n|[|]|\
         \"$@\"|=|!| |\t|é|$$|$|command: |- |args: |web: |CMD |release: a\n|    |#!/bin/bash -e\n"
            .split('|')
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>(),
    );
    let known = known.prop_map(str::to_owned);
    prop::collection::vec(prop_oneof![9 => known, 1 => any::<String>()], 0..24)
        .prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_is_read_and_what_is_proposed_holds_together(text in pieces()) {
        convert_each_way(&text);
    }

    #[test]
    fn words_without_a_shell_are_taken_as_they_are(words in prop::collection::vec("[^\0]{0,12}", 0..5)) {
        if let Ok(proposal) = convert(&words, &SURROUNDINGS).outcome {
            hold_together(&proposal);
        }
    }
}
