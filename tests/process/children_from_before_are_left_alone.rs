//! Nothing but the step is touched: children from before launchgate are left alone, and are the server's.
//!
//! "The server: exactly what it would have seen without launchgate. […] no child or zombie of
//! launchgate's making" (contract, section 4)

use super::nothing_of_a_step_outlives_it::NO_OWN_PROC;
use crate::both_modes;
use crate::common::{Mode, Place, migrate, stub, wait_until};

both_modes!(
    children_from_before_are_left_alone,
    what_a_child_from_before_started_is_left_alone_when_that_dies,
    a_child_from_before_that_died_is_the_servers_to_reap,
    with_sigchld_ignored_no_zombie_waits_for_the_server,
    what_a_child_from_before_starts_meanwhile_is_left_alone,
);

fn children_from_before_are_left_alone(mode: Mode) {
    let place = Place::new();
    let parent = stub()
        .append_pid("before2")
        .child(stub().wait_forever())
        .wait_forever();
    let backup = stub().child(stub().new_session().wait_forever());
    let words = format!(
        "./stub append-pid before wait-forever & {parent} & \
        exec ./launchgate run --no-database --backup '{backup}' \
        --migrate './stub wait-for before wait-for before2 report step' -- ./stub report seen wait-for go"
    );
    let run = place.run(mode, ["sh", "-c", &words]).start();
    wait_until("the server", || place.has("seen").then_some(()));
    let children = place.report("seen");
    let mut pids: Vec<_> = children
        .list("children")
        .iter()
        .map(|child| child["pid"].clone())
        .collect();
    let mut before = [place.wait_for_pid("before"), place.wait_for_pid("before2")];
    before.sort_unstable();
    pids.sort_by_key(serde_json::Value::as_i64);
    assert_eq!(pids, before.map(serde_json::Value::from));
    for pid in before {
        assert_eq!(run.find(pid).expect("the child from before").state, 'S');
    }
    place.write("go", "");
    run.end().code(0);
}

fn what_a_child_from_before_started_is_left_alone_when_that_dies(mode: Mode) {
    let place = Place::new();
    // launchgate is started when all of the tree is there, and the middle ends during the step.
    let middle = stub()
        .child(stub().append_pid("below").wait_forever())
        .wait_for("below")
        .append("there", "x")
        .wait_for("go");
    let words = format!(
        "{middle} & ./stub wait-for there; \
        exec ./launchgate run --no-database --migrate './stub append go x wait-for gone' \
        -- ./stub append served x wait-forever"
    );
    let run = place.run(mode, ["sh", "-c", &words]).start();
    let below = place.wait_for_pid("below");
    wait_until("the end of the one between", || {
        (run.find(below)?.parent == run.pid()).then_some(())
    });
    place.write("gone", "");
    wait_until("the server", || place.has("served").then_some(()));
    assert_eq!(run.find(below).expect("what was there before").state, 'S');
}

fn a_child_from_before_that_died_is_the_servers_to_reap(mode: Mode) {
    let place = Place::new();
    let step = stub().child(stub().wait_forever()).wait_for("before");
    let words = format!(
        "./stub append-pid before exit 7 & \
        exec ./launchgate run --no-database --migrate '{step}' -- ./stub report seen"
    );
    let run = place.run(mode, ["sh", "-c", &words]).start();
    run.end().code(0);
    let seen = place.report("seen");
    let children = seen.list("children");
    assert_eq!(children.len(), 1, "{children:#?}");
    assert_eq!(children[0]["pid"], place.wait_for_pid("before"));
    assert_eq!(children[0]["state"], "Z");
}

fn with_sigchld_ignored_no_zombie_waits_for_the_server(mode: Mode) {
    let place = Place::new();
    let launchgate = [
        "./launchgate",
        "run",
        "--no-database",
        migrate(stub().append("go", "x").wait_for("gone")),
        "--",
        "./stub",
        "report",
        "seen",
    ];
    let words = stub()
        .ignore_signals(libc::SIGCHLD)
        .child(stub().wait_for("go").append_pid("before"))
        .exec(&launchgate);
    let run = place.run(mode, words).start();
    let child = place.wait_for_pid("before");
    wait_until("the child's end", || {
        run.find(child)
            .is_none_or(|seen| seen.state == 'Z')
            .then_some(())
    });
    place.write("gone", "");
    run.end().code(0);
    let seen = place.report("seen");
    assert!(
        seen.list("children").is_empty(),
        "{:#?}",
        seen.list("children")
    );
}

fn what_a_child_from_before_starts_meanwhile_is_left_alone(mode: Mode) {
    let place = Place::new();
    // Two orphans of it, of which one ends, and one of the step's.
    let before = stub()
        .append_pid("before")
        .wait_for("go")
        .child(stub().detach().append_pid("ended"))
        .child(stub().detach().append_pid("late").wait_for("end"))
        .wait_forever();
    let leftover = stub()
        .new_session()
        .detach()
        .append_pid("left")
        .wait_forever();
    let step = stub()
        .wait_for("before")
        .append("go", "x")
        .wait_for("adopted")
        .child(leftover)
        .wait_for("left");
    let words = format!(
        "{before} & exec ./launchgate run --no-database --stop-grace=1h --migrate '{step}' \
        -- ./stub report seen wait-for end"
    );
    let run = place.run(mode, ["sh", "-c", &words]).start();
    place.wait_for_pid("ended");
    let late = place.wait_for_pid("late");
    wait_until("the adoption of what is no step's", || {
        (run.find(late)?.parent == run.pid()).then_some(())
    });
    place.write("adopted", "");
    wait_until("the server", || place.has("seen").then_some(()));
    let mut pids: Vec<i64> = place
        .report("seen")
        .list("children")
        .iter()
        .map(|child| child["pid"].as_i64().unwrap())
        .collect();
    pids.sort_unstable();
    let mut before = [place.wait_for_pid("before"), late].map(i64::from);
    before.sort_unstable();
    assert_eq!(pids, before, "neither the step's nor a zombie");
    place.write("end", "");
    run.end().code(0).says(&["migrate", "left", "processes=1"]);
}

#[test]
fn without_a_proc_of_its_own_a_child_from_before_is_left_alone_too() {
    for given in NO_OWN_PROC {
        let place = Place::new();
        let words = "sleep 1000 & echo $! >before; \
            exec ./launchgate run --no-database --migrate='sleep 0.01' \
            -- sh -c 'kill -0 $(cat before) && echo served >served'";
        let run = place.run(Mode::PidOne, ["sh", "-c", words]);
        run.given(given).end().code(0);
        assert!(place.has("served"), "{given:?}");
    }
}
