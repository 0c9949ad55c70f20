//! Steps at a terminal: the foreground group, Ctrl-C, Ctrl-Z and `fg`.
//!
//! "On a terminal the step is the foreground group, Ctrl-C goes to it, and a step that dies of it
//! counts as a stop; Ctrl-Z and `fg` work." (contract, section 6)

use crate::both_modes;
use crate::common::{
    Gate, Given, Mode, Place, Run, migrate, processes, signals, stub, verify, wait_until,
};
use crate::terminal::Terminal;

both_modes!(
    the_step_is_in_the_foreground_and_reads_the_terminal,
    the_terminal_comes_back_to_the_server,
    the_terminal_comes_back_from_a_group_that_died_with_the_step,
    ctrl_c_stops_the_gate,
    ctrl_backslash_stops_the_gate,
    ctrl_c_before_a_rollback_is_the_steps_to_handle,
    ctrl_z_without_a_shell_goes_on_at_once,
    ctrl_z_and_fg_work_under_a_shell,
    a_stopped_gate_goes_on_in_the_background,
    a_stopped_gate_can_be_ended_from_the_shell,
    a_terminal_that_hangs_up_stops_the_gate,
    a_background_job_leaves_the_terminal_alone,
    a_background_step_that_reads_after_fg_has_the_terminal,
    a_background_step_that_reads_waits_for_fg,
    a_stop_signal_reaches_a_step_at_a_terminal,
);

pub(super) fn sits(gate: Gate<'_>, terminal: &Terminal) -> Run {
    gate.descriptor(0, terminal.slave())
        .given(Given::Terminal)
        .start()
}

fn the_step_is_in_the_foreground_and_reads_the_terminal(mode: Mode) {
    let (place, terminal) = (Place::new(), Terminal::new());
    sits(
        place.gate(mode, &[migrate(stub().report("seen"))]),
        &terminal,
    )
    .end()
    .code(0);
    let seen = place.report("seen");
    assert_eq!(seen.number("foreground"), seen.number("pid"));
    assert_eq!(seen.number("group"), seen.number("pid"));
    assert!(
        seen.descriptor(0).unwrap().starts_with("/dev/pts/"),
        "{seen:?}"
    );
}

fn the_terminal_comes_back_to_the_server(mode: Mode) {
    let (place, terminal) = (Place::new(), Terminal::new());
    let flags = [
        "--migrate=true",
        verify(stub().child(stub().new_session().wait_forever())),
    ];
    let gate = place.gate(mode, &flags).server(stub().report("seen"));
    let run = sits(gate, &terminal);
    let own = run.own_pid();
    run.end().code(0);
    assert_eq!(place.report("seen").number("foreground"), i64::from(own));
}

fn the_terminal_comes_back_from_a_group_that_died_with_the_step(mode: Mode) {
    let (place, terminal) = (Place::new(), Terminal::new());
    // As a shell with job control that is killed while a job of its is in the foreground.
    let flags = [migrate(
        stub()
            .child(stub().take_foreground().append_pid("up").wait_forever())
            .wait_for("up"),
    )];
    let gate = place.gate(mode, &flags).server(stub().report("seen"));
    let run = sits(gate, &terminal);
    let own = run.own_pid();
    run.end().code(0);
    assert_eq!(place.report("seen").number("foreground"), i64::from(own));
}

fn stopped_by(mode: Mode, key: &str, code: i32) {
    let (place, mut terminal) = (Place::new(), Terminal::new());
    let flags = [migrate(stub().append_pid("up").wait_forever())];
    let gate = place
        .gate(mode, &flags)
        .server(stub().append("started", "x"));
    let run = sits(gate, &terminal);
    place.wait_for_pid("up");
    terminal.press(key);
    run.end().code(code).says(&["error", "stopped by"]);
    assert!(!place.has("started"));
}

fn ctrl_c_stops_the_gate(mode: Mode) {
    stopped_by(mode, "\x03", 130);
}

fn ctrl_backslash_stops_the_gate(mode: Mode) {
    stopped_by(mode, "\x1c", 131);
}

fn ctrl_c_before_a_rollback_is_the_steps_to_handle(mode: Mode) {
    let (place, mut terminal) = (Place::new(), Terminal::new());
    let flags = [migrate(
        stub()
            .wait_for_signal("heard", libc::SIGINT)
            .append("heard", "rolled-back")
            .exit(8),
    )];
    let run = sits(place.gate(mode, &flags), &terminal);
    place.wait_for_line("heard", "ready");
    terminal.press("\x03");
    run.end().code(8);
    assert_eq!(place.lines("heard"), ["ready", "2", "rolled-back"]);
}

fn a_stop_signal_reaches_a_step_at_a_terminal(mode: Mode) {
    let (place, terminal) = (Place::new(), Terminal::new());
    let run = sits(
        place.gate(
            mode,
            &[migrate(stub().wait_for_signal("heard", libc::SIGTERM))],
        ),
        &terminal,
    );
    place.wait_for_line("heard", "ready");
    run.signal(libc::SIGTERM);
    run.end().code(143);
}

fn ctrl_z_without_a_shell_goes_on_at_once(mode: Mode) {
    let (place, mut terminal) = (Place::new(), Terminal::new());
    let gate = place.gate(
        mode,
        &[migrate(stub().record_signals(
            "heard",
            signals(&[libc::SIGCONT, libc::SIGUSR1]),
            libc::SIGUSR1,
        ))],
    );
    let run = sits(gate, &terminal);
    place.wait_for_line("heard", "ready");
    for times in 1..4 {
        terminal.press("\x1a");
        wait_until("the step to go on", || {
            let heard = place.lines("heard");
            (heard.iter().filter(|line| *line == "18").count() >= times).then_some(())
        });
    }
    run.signal(libc::SIGUSR1);
    run.end().code(0);
}

/// An interactive shell with job control at the terminal.
pub(super) fn shell(place: &Place, mode: Mode, terminal: &mut Terminal) -> Run {
    let run = place
        .run(mode, ["bash", "--norc", "--noprofile", "-i"])
        .env("PS1", "prompt> ")
        .env("HISTFILE", "")
        .env("TERM", "dumb")
        .descriptor(0, terminal.slave())
        .descriptor(1, terminal.slave())
        .descriptor(2, terminal.slave())
        .given(Given::Terminal)
        .start();
    terminal.wait_for("prompt> ", 1);
    run
}

/// A gate under a shell whose step listens for USR1, and the outer ids of both.
fn job(place: &Place, run: &Run, terminal: &mut Terminal) -> (i32, i32) {
    let step = stub()
        .append_pid("step")
        .wait_for_signal("heard", signals(&[libc::SIGUSR1, libc::SIGTERM]))
        .to_string();
    terminal.press(&format!(
        "./launchgate run --no-database --migrate '{step}' -- ./stub report seen\n"
    ));
    place.wait_for_line("heard", "ready");
    let step = run.find(place.wait_for_pid("step")).unwrap();
    (step.parent, step.pid)
}

pub(super) fn wait_for_states(pids: (i32, i32), wanted: char) {
    let is = |pid| processes::see(pid).is_some_and(|seen| seen.state == wanted);
    wait_until(&format!("gate and step to be {wanted}"), || {
        (is(pids.0) && is(pids.1)).then_some(())
    });
}

fn ctrl_z_and_fg_work_under_a_shell(mode: Mode) {
    let (place, mut terminal) = (Place::new(), Terminal::new());
    let run = shell(&place, mode, &mut terminal);
    let (gate, step) = job(&place, &run, &mut terminal);
    for times in 1..3 {
        terminal.press("\x1a");
        wait_for_states((gate, step), 'T');
        terminal.wait_for("Stopped", times);
        terminal.press("fg\n");
        wait_for_states((gate, step), 'S');
        wait_until("the step to be in the foreground again", || {
            (terminal.foreground() == step).then_some(())
        });
    }
    processes::signal(gate, libc::SIGUSR1);
    wait_until("the server", || place.has("seen").then_some(()));
    let seen = place.report("seen");
    assert_eq!(seen.number("foreground"), seen.number("pid"));
    terminal.press("echo code=$?.\n");
    terminal.wait_for("code=0.", 1);
    terminal.press("exit 0\n");
    run.end().code(0);
}

fn a_stopped_gate_goes_on_in_the_background(mode: Mode) {
    let (place, mut terminal) = (Place::new(), Terminal::new());
    let run = shell(&place, mode, &mut terminal);
    let (gate, step) = job(&place, &run, &mut terminal);
    terminal.press("\x1a");
    wait_for_states((gate, step), 'T');
    terminal.wait_for("Stopped", 1);
    terminal.press("bg\n");
    wait_for_states((gate, step), 'S');
    processes::signal(gate, libc::SIGUSR1);
    wait_until("the server", || place.has("seen").then_some(()));
    let seen = place.report("seen");
    assert_eq!(seen.number("foreground"), i64::from(run.own_pid()));
    terminal.press("exit 0\n");
    run.end();
}

fn a_stopped_gate_can_be_ended_from_the_shell(mode: Mode) {
    let (place, mut terminal) = (Place::new(), Terminal::new());
    let run = shell(&place, mode, &mut terminal);
    let pids = job(&place, &run, &mut terminal);
    terminal.press("\x1a");
    wait_for_states(pids, 'T');
    terminal.wait_for("Stopped", 1);
    terminal.press("kill %1\n");
    place.wait_for_line("heard", "15");
    terminal.wait_for("code=143 ", 1);
    assert!(!place.has("seen"));
    terminal.press("exit 0\n");
    run.end();
}

fn a_terminal_that_hangs_up_stops_the_gate(mode: Mode) {
    let (place, terminal) = (Place::new(), Terminal::new());
    let gate = place.gate(
        mode,
        &[migrate(stub().wait_for_signal("heard", libc::SIGHUP))],
    );
    let run = gate
        .server(stub().append("started", "x"))
        .descriptor(0, terminal.slave())
        .descriptor(1, terminal.slave())
        .descriptor(2, terminal.slave())
        .given(Given::Terminal)
        .start();
    place.wait_for_line("heard", "ready");
    drop(terminal);
    run.end().code(129).leaves_nothing();
    assert!(!place.has("started"));
}

fn a_background_job_leaves_the_terminal_alone(mode: Mode) {
    let (place, mut terminal) = (Place::new(), Terminal::new());
    let run = shell(&place, mode, &mut terminal);
    let own = run.own_pid();
    terminal.press(
        "./launchgate run --no-database --migrate './stub report step' -- ./stub report seen &\n",
    );
    wait_until("the server", || place.has("seen").then_some(()));
    for name in ["step", "seen"] {
        assert_eq!(
            place.report(name).number("foreground"),
            i64::from(own),
            "{name}"
        );
    }
    terminal.press("exit 0\n");
    run.end();
}

fn a_background_step_that_reads_after_fg_has_the_terminal(mode: Mode) {
    let (place, mut terminal) = (Place::new(), Terminal::new());
    let run = shell(&place, mode, &mut terminal);
    place.write_program(
        "ask",
        "#!/bin/sh\necho $$ >step\n./stub wait-for go\nread x\necho got=$x.\n",
    );
    terminal.press("./launchgate run -q --no-database --migrate ./ask -- ./stub report seen &\n");
    let step = run.find(place.wait_for_pid("step")).unwrap();
    terminal.press("fg\n");
    wait_until("the job in the foreground", || {
        (terminal.foreground() == step.parent).then_some(())
    });
    place.write("go", "");
    wait_until("the step in the foreground, or a job that stopped", || {
        let stopped = terminal.shown().contains("Stopped");
        (stopped || terminal.foreground() == step.pid).then_some(())
    });
    terminal.press("hello\n");
    terminal.wait_for("got=hello.", 1);
    wait_until("the server", || place.has("seen").then_some(()));
    assert!(!terminal.shown().contains("Stopped"));
    terminal.press("exit 0\n");
    run.end();
}

fn a_background_step_that_reads_waits_for_fg(mode: Mode) {
    let (place, mut terminal) = (Place::new(), Terminal::new());
    let run = shell(&place, mode, &mut terminal);
    place.write_program("ask", "#!/bin/sh\necho $$ >step\nread x\necho got=$x.\n");
    terminal.press("./launchgate job -q --no-database --migrate ./ask &\n");
    let step = run.find(place.wait_for_pid("step")).unwrap();
    wait_for_states((step.parent, step.pid), 'T');
    terminal.press("fg\n");
    wait_until("the step in the foreground", || {
        (terminal.foreground() == step.pid).then_some(())
    });
    terminal.press("hello\n");
    terminal.wait_for("got=hello.", 1);
    terminal.press("exit 0\n");
    run.end();
}

/// In a PID namespace whose terminal belongs to a session outside of it, as with `unshare` or
/// bubblewrap: the group outside has no number that the terminal could be given back to.
#[test]
fn the_terminal_comes_back_where_the_session_is_outside() {
    for flags in ["", "--init"] {
        let (place, terminal) = (Place::new(), Terminal::new());
        let script = format!(
            "unshare -fp --mount-proc ./launchgate run -q --no-database --migrate true {flags} -- ./stub report seen; exit 0"
        );
        let gate = place.run(Mode::Ordinary, ["sh", "-c", &script]);
        sits(gate, &terminal).end().code(0);
        let seen = place.report("seen");
        assert_eq!(seen.number("foreground"), seen.number("group"), "{flags}");
        assert_eq!(seen.number("group"), seen.number("pid"), "{flags}");
    }
}
