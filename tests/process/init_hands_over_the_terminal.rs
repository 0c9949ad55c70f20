//! `--init` at a terminal: the server and a shell above it have it as they would without launchgate.
//!
//! "the terminal's foreground group handed over, stop and continue handled" (contract, section 7)

use super::step_has_the_terminal::{shell, sits, wait_for_states};
use crate::common::{Given, Mode, Place, Run, Stub, processes, signals, stub, wait_until};
use crate::init_modes;
use crate::terminal::Terminal;

init_modes!(
    the_server_is_in_the_foreground,
    ctrl_c_reaches_the_server_once,
    ctrl_c_ends_a_server_that_does_not_care,
    ctrl_z_without_a_shell_goes_on_at_once,
    a_new_window_size_reaches_the_server_once,
    a_terminal_that_hangs_up_reaches_the_server_once,
    the_terminal_comes_back_to_whoever_is_next,
    the_terminal_comes_back_from_a_group_that_died_with_the_server,
    a_server_without_streams_has_the_terminal_too,
    a_shell_as_the_server_has_job_control,
    ctrl_z_and_fg_work_under_a_shell,
    a_stopped_server_goes_on_in_the_background,
    a_stopped_server_can_be_ended_from_the_shell,
    a_server_that_stops_itself_gives_the_shell_its_prompt,
    a_background_server_that_reads_waits_for_fg,
    a_background_server_that_writes_waits_for_fg,
);

fn the_server_is_in_the_foreground(mode: Mode) {
    let (place, terminal) = (Place::new(), Terminal::new());
    let gate = place.gate(mode, &["--migrate=true"]);
    sits(gate.server(stub().report("seen")), &terminal)
        .end()
        .code(0);
    let seen = place.report("seen");
    assert_eq!(seen.number("foreground"), seen.number("pid"));
    assert_eq!(seen.number("group"), seen.number("pid"));
}

/// A server at a terminal that listens for signals, USR1 being the last.
fn listener(place: &Place, mode: Mode, terminal: &Terminal, stops: &[i32]) -> Run {
    let server = stub().record_signals("heard", signals(stops), libc::SIGUSR1);
    let gate = place.gate(mode, &["--migrate=true"]).server(&server);
    let run = sits(gate, terminal);
    place.wait_for_line("heard", "ready");
    run
}

fn ctrl_c_reaches_the_server_once(mode: Mode) {
    let (place, mut terminal) = (Place::new(), Terminal::new());
    let run = listener(
        &place,
        mode,
        &terminal,
        &[libc::SIGINT, libc::SIGQUIT, libc::SIGUSR1],
    );
    terminal.press("\x03");
    place.wait_for_line("heard", "2");
    terminal.press("\x1c");
    place.wait_for_line("heard", "3");
    run.signal(libc::SIGUSR1);
    run.end().code(0);
    assert_eq!(place.lines("heard"), ["ready", "2", "3", "10"]);
}

fn ctrl_c_ends_a_server_that_does_not_care(mode: Mode) {
    let (place, mut terminal) = (Place::new(), Terminal::new());
    let gate = place.gate(mode, &["--migrate=true"]);
    let run = sits(
        gate.server(stub().append_pid("up").wait_forever()),
        &terminal,
    );
    place.wait_for_pid("up");
    terminal.press("\x03");
    run.end().code(130);
}

fn ctrl_z_without_a_shell_goes_on_at_once(mode: Mode) {
    let (place, mut terminal) = (Place::new(), Terminal::new());
    let run = listener(&place, mode, &terminal, &[libc::SIGCONT, libc::SIGUSR1]);
    for times in 1..4 {
        terminal.press("\x1a");
        wait_until("the server to go on", || {
            let heard = place.lines("heard");
            (heard.iter().filter(|line| *line == "18").count() >= times).then_some(())
        });
    }
    run.signal(libc::SIGUSR1);
    run.end().code(0);
}

fn a_new_window_size_reaches_the_server_once(mode: Mode) {
    let (place, terminal) = (Place::new(), Terminal::new());
    let run = listener(&place, mode, &terminal, &[libc::SIGWINCH, libc::SIGUSR1]);
    terminal.resize(50, 120);
    place.wait_for_line("heard", "28");
    run.signal(libc::SIGUSR1);
    run.end().code(0);
    assert_eq!(place.lines("heard"), ["ready", "28", "10"]);
}

fn a_terminal_that_hangs_up_reaches_the_server_once(mode: Mode) {
    let (place, terminal) = (Place::new(), Terminal::new());
    let run = listener(&place, mode, &terminal, &[libc::SIGHUP, libc::SIGUSR1]);
    drop(terminal);
    place.wait_for_line("heard", "1");
    run.signal(libc::SIGUSR1);
    run.end().code(0);
    assert_eq!(place.lines("heard"), ["ready", "1", "10"]);
}

/// A script in launchgate's own group, which is not PID 1 then.
fn next_after(mode: Mode, server: &Stub) {
    let (place, terminal) = (Place::new(), Terminal::new());
    let script = format!(
        "./launchgate run -q --no-database --init --stop-grace=50ms -- {server}; ./stub report seen; exit 0"
    );
    let gate = place.run(mode, ["sh", "-c", &script]);
    let run = sits(gate, &terminal);
    let own = run.own_pid();
    run.end().code(0);
    assert_eq!(place.report("seen").number("foreground"), i64::from(own));
}

fn the_terminal_comes_back_to_whoever_is_next(mode: Mode) {
    next_after(mode, &stub().exit(0));
    next_after(mode, &stub().die_of(libc::SIGKILL));
}

fn the_terminal_comes_back_from_a_group_that_died_with_the_server(mode: Mode) {
    let foreground = stub().take_foreground().append_pid("up").wait_forever();
    next_after(mode, &stub().child(foreground).wait_for("up"));
}

fn a_server_without_streams_has_the_terminal_too(mode: Mode) {
    let (place, terminal) = (Place::new(), Terminal::new());
    let script = "exec ./launchgate run --no-database --init -- ./stub report seen </dev/null";
    let run = sits(place.run(mode, ["sh", "-c", script]), &terminal);
    run.end().code(0);
    let seen = place.report("seen");
    assert_eq!(seen.number("foreground"), seen.number("pid"));
}

fn a_shell_as_the_server_has_job_control(mode: Mode) {
    let (place, mut terminal) = (Place::new(), Terminal::new());
    let run = place
        .gate(mode, &["-q"])
        .server(["bash", "--norc", "--noprofile", "-i"])
        .env("PS1", "prompt> ")
        .env("HISTFILE", "")
        .env("TERM", "dumb")
        .descriptor(0, terminal.slave())
        .descriptor(1, terminal.slave())
        .descriptor(2, terminal.slave())
        .given(Given::Terminal)
        .start();
    terminal.wait_for("prompt> ", 1);
    assert!(!terminal.shown().contains("no job control"));
    terminal.press("./stub append-pid up wait-forever\n");
    let job = run.find(place.wait_for_pid("up")).unwrap().pid;
    terminal.press("\x1a");
    terminal.wait_for("Stopped", 1);
    terminal.press("fg\n");
    wait_until("the job in the foreground", || {
        (terminal.foreground() == job).then_some(())
    });
    terminal.press("\x03");
    terminal.wait_for("prompt> ", 3);
    terminal.press("exit 3\n");
    run.end().code(3);
}

/// launchgate with its server as a shell's job, and the outer ids of both.
fn job(place: &Place, run: &Run, terminal: &mut Terminal) -> (i32, i32) {
    terminal.press(
        "./launchgate run -q --no-database --init -- ./stub append-pid server record-signals heard 10,15 10,15 exit 0\n",
    );
    place.wait_for_line("heard", "ready");
    let server = run.find(place.wait_for_pid("server")).unwrap();
    (server.parent, server.pid)
}

fn ctrl_z_and_fg_work_under_a_shell(mode: Mode) {
    let (place, mut terminal) = (Place::new(), Terminal::new());
    let run = shell(&place, mode, &mut terminal);
    let (launchgate, server) = job(&place, &run, &mut terminal);
    for times in 1..3 {
        terminal.press("\x1a");
        wait_for_states((launchgate, server), 'T');
        terminal.wait_for("Stopped", times);
        terminal.press("fg\n");
        wait_for_states((launchgate, server), 'S');
        wait_until("the server to be in the foreground again", || {
            (terminal.foreground() == server).then_some(())
        });
    }
    processes::signal(launchgate, libc::SIGUSR1);
    place.wait_for_line("heard", "10");
    terminal.press("echo code=$?.\n");
    terminal.wait_for("code=0.", 1);
    terminal.press("exit 0\n");
    run.end().code(0);
}

fn a_stopped_server_goes_on_in_the_background(mode: Mode) {
    let (place, mut terminal) = (Place::new(), Terminal::new());
    let run = shell(&place, mode, &mut terminal);
    let pids = job(&place, &run, &mut terminal);
    terminal.press("\x1a");
    wait_for_states(pids, 'T');
    terminal.wait_for("Stopped", 1);
    terminal.press("bg\n");
    wait_for_states(pids, 'S');
    assert_eq!(terminal.foreground(), run.pid());
    processes::signal(pids.0, libc::SIGUSR1);
    place.wait_for_line("heard", "10");
    terminal.press("exit 0\n");
    run.end();
}

fn a_stopped_server_can_be_ended_from_the_shell(mode: Mode) {
    let (place, mut terminal) = (Place::new(), Terminal::new());
    let run = shell(&place, mode, &mut terminal);
    let pids = job(&place, &run, &mut terminal);
    terminal.press("\x1a");
    wait_for_states(pids, 'T');
    terminal.wait_for("Stopped", 1);
    terminal.press("kill %1\n");
    place.wait_for_line("heard", "15");
    // The shell refuses to go as long as it knows of a stopped job, and looks only before a prompt.
    wait_until("the shell to notice the job's end", || {
        terminal.press("\n");
        processes::see(pids.0).is_none().then_some(())
    });
    terminal.press("exit 0\n");
    run.end();
}

fn a_server_that_stops_itself_gives_the_shell_its_prompt(mode: Mode) {
    let (place, mut terminal) = (Place::new(), Terminal::new());
    let run = shell(&place, mode, &mut terminal);
    terminal.press(
        "./launchgate run -q --no-database --init -- ./stub append-pid server stop-itself append heard on exit 6\n",
    );
    let server = run.find(place.wait_for_pid("server")).unwrap();
    wait_for_states((server.parent, server.pid), 'T');
    terminal.wait_for("Stopped", 1);
    terminal.press("fg\n");
    place.wait_for_line("heard", "on");
    terminal.press("echo code=$?.\n");
    terminal.wait_for("code=6.", 1);
    terminal.press("exit 0\n");
    run.end();
}

fn a_background_server_that_reads_waits_for_fg(mode: Mode) {
    let (place, mut terminal) = (Place::new(), Terminal::new());
    let run = shell(&place, mode, &mut terminal);
    terminal.press("./launchgate run -q --no-database --init -- sh -c 'echo $$ >server; read x; echo got=$x.' &\n");
    let server = run.find(place.wait_for_pid("server")).unwrap();
    wait_for_states((server.parent, server.pid), 'T');
    terminal.press("fg\n");
    wait_until("the server in the foreground", || {
        (terminal.foreground() == server.pid).then_some(())
    });
    terminal.press("hello\n");
    terminal.wait_for("got=hello.", 1);
    terminal.press("exit 0\n");
    run.end();
}

fn a_background_server_that_writes_waits_for_fg(mode: Mode) {
    let (place, mut terminal) = (Place::new(), Terminal::new());
    let run = shell(&place, mode, &mut terminal);
    terminal.press("stty tostop\n");
    terminal.wait_for("prompt> ", 2);
    terminal.press(
        "./launchgate run -q --no-database --init -- sh -c 'echo $$ >server; echo w$((40+2))n' &\n",
    );
    let server = run.find(place.wait_for_pid("server")).unwrap();
    wait_for_states((server.parent, server.pid), 'T');
    assert!(!terminal.shown().contains("w42n"));
    terminal.press("fg\n");
    terminal.wait_for("w42n", 1);
    terminal.press("exit 0\n");
    run.end();
}
