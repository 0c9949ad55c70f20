//! The phase after the gate under `--init`: one thread that waits for signals, forwards them to
//! the server, and reaps children until the server has ended.
//!
//! It sleeps in one poll(2) without a timeout, so it never wakes up for nothing. launchgate first
//! executes itself ([`reenter`]), which frees the runtime, the drivers, the arguments and the heap
//! of the gate. The server is started before that and stays a child across the exec (execve(2)).
//! Signals stay pending, since all of them are blocked before and after it.

use std::ffi::CString;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use libc::c_int;
use nix::fcntl::{OFlag, open};
use nix::sys::prctl;
use nix::sys::stat::Mode;
use nix::unistd::{chdir, dup2_stdin, dup2_stdout};

use super::child::{self, Input, Program, Streams};
use super::clock::Moment;
use super::family::{AGAIN, Family, Foreign};
use super::host::Host;
use super::inherited;
use super::own;
use super::poll::{self, readable};
use super::signals::{self, Signal, SignalInfo, SignalQueue};
use super::terminal::{self, Terminal};
use super::wait::{Ended, Reaped};
use crate::sys::environment::{EnvEntry, until_nul};
use crate::sys::forwarding::{Aim, Init};
use crate::sys::identity::Identity;

/// How long to wait for killed processes to disappear. They may be another user's, or be stuck
/// in the kernel on a file system that is gone.
const KILL_LIMIT: Duration = Duration::from_secs(30);

/// What happens after the gate that is worth a log line.
#[derive(Debug, Clone, Copy)]
pub enum InitEvent {
    /// The server ended and left this many processes; a PID 1 can't count them.
    Leftovers(Option<usize>),
    /// They did not stop in time.
    Killing,
    /// They can't even be killed.
    LeftBehind,
}

/// Stays in front of the server.
#[derive(Debug)]
pub struct InitLoop<'a> {
    server: i32,
    init: &'a Init,
    signals: SignalQueue,
    terminal: Option<Terminal>,
    /// We stopped together with the server, and have to continue it when we continue.
    stopped_with_it: bool,
    ended: Option<Ended>,
    is_childless: bool,
    /// When processes that outlive the server are killed, the next time.
    kill_at: Option<Moment>,
    /// When to stop waiting for those that can't be killed.
    give_up_at: Option<Moment>,
}

impl<'a> InitLoop<'a> {
    /// For a server that was just started as the leader of its own process group.
    ///
    /// # Errors
    /// The process is out of descriptors.
    pub fn new(server: i32, init: &'a Init, had_terminal: bool) -> io::Result<Self> {
        let mut terminal = Terminal::controlling();
        if let Some(terminal) = &mut terminal {
            terminal.is_lent = had_terminal;
        }
        Ok(Self {
            server,
            init,
            signals: SignalQueue::open()?,
            terminal,
            stopped_with_it: false,
            ended: None,
            is_childless: false,
            kill_at: None,
            give_up_at: None,
        })
    }

    /// Stays until the server and everything that it left are gone. Returns how it ended; `None` if
    /// there is no such child: started by hand, with the number of an unrelated process.
    pub fn stay(mut self, news: &mut dyn FnMut(InitEvent)) -> Option<Ended> {
        loop {
            while let Some(arrived) = self.signals.next() {
                self.forward(&arrived);
            }
            self.reap();
            let mut until = None;
            if let Some(ended) = self.ended {
                until = self.end_leftovers(news);
                if until.is_none() {
                    if let Some(terminal) = &self.terminal {
                        terminal.take_back_from_dead();
                    }
                    return Some(ended);
                }
            } else if self.is_childless {
                return None;
            }
            poll::wait(&mut [readable(self.signals.as_fd())], until);
        }
    }

    fn family(&self) -> Family<'static> {
        Family {
            leader: self.server,
            mark: None,
            foreign: &Foreign::Nobody,
        }
    }

    fn forward(&mut self, arrived: &SignalInfo) {
        let number = arrived.ssi_signo.cast_signed();
        if number == libc::SIGCHLD || self.ended.is_some() {
            return;
        }
        let Some(to) = self.init.rewritten(number) else {
            return;
        };
        if let Some(terminal) = self.terminal.as_mut().filter(|_| to == libc::SIGCONT) {
            terminal.hand_over(self.server);
        }
        // Ctrl-Z stopped the whole group, so continue the whole group.
        let was_stopped = to == libc::SIGCONT && std::mem::take(&mut self.stopped_with_it);
        if self.init.aim == Aim::Group || was_stopped {
            signals::send_to_group(self.server, to);
        } else {
            signals::pass_on(self.server, to, arrived);
        }
    }

    fn reap(&mut self) {
        loop {
            match self.family().reap() {
                Reaped::Ended(pid, ended) if pid == self.server && self.ended.is_none() => {
                    self.ended = Some(ended);
                    if let Some(terminal) = &self.terminal {
                        terminal.take_back(self.server);
                    }
                }
                Reaped::Stopped(pid, by) if pid == self.server => self.on_stopped(by),
                Reaped::Ended(..) | Reaped::Stopped(..) => {}
                Reaped::Quiet => return,
                Reaped::None => {
                    self.is_childless = true;
                    return;
                }
            }
        }
    }

    /// The server was stopped. Under a shell with job control, launchgate stops too, and continues
    /// when the shell continues it. Without such a shell, a server that the terminal stopped is
    /// continued at once; one that a process stopped is left for that process to continue.
    fn on_stopped(&mut self, by: Signal) {
        let Some(terminal) = self.terminal.as_mut().filter(|_| self.ended.is_none()) else {
            return;
        };
        let by_terminal = matches!(by, libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU);
        if matches!(by, libc::SIGTTIN | libc::SIGTTOU) && terminal.is_ours() {
            // It wants the terminal, and launchgate has it.
            terminal.hand_over(self.server);
            signals::send_to_group(self.server, libc::SIGCONT);
        } else if terminal.has_job_control() {
            terminal.take_back(self.server);
            self.stopped_with_it = true;
            // The SIGCONT that ends this is then read from the descriptor and forwarded.
            terminal::stop_ourselves();
        } else if by_terminal {
            signals::send_to_group(self.server, libc::SIGCONT);
        }
    }

    /// Asks processes that outlive the server to end, then kills them. Returns how long to wait at
    /// most, or `None` if there is nothing to wait for.
    fn end_leftovers(&mut self, news: &mut dyn FnMut(InitEvent)) -> Option<Moment> {
        if self.is_childless {
            return None;
        }
        let (now, grace) = (Moment::now(), self.init.grace);
        if self.kill_at.is_none() && !grace.is_zero() {
            let left = self.family().signal(&[libc::SIGTERM, libc::SIGCONT]);
            news(InitEvent::Leftovers(left.count));
        }
        let kill_at = *self.kill_at.get_or_insert(now + grace);
        if now < kill_at {
            return Some(kill_at);
        }
        match self.give_up_at {
            Some(at) if now >= at => {
                news(InitEvent::LeftBehind);
                return None;
            }
            Some(_) => {}
            None => {
                self.give_up_at = Some(now + KILL_LIMIT);
                if !grace.is_zero() {
                    news(InitEvent::Killing);
                }
            }
        }
        self.family().signal(&[libc::SIGKILL]);
        self.kill_at = Some(now + AGAIN);
        self.kill_at
    }
}

/// Prepares this process for the phase after the gate. Everything it inherited except standard
/// error is the server's: an open descriptor would keep a pipe or socket alive, and the working
/// directory would keep a file system mounted.
pub fn settle() {
    inherited::occupy_standard_streams();
    let _ = prctl::set_name(c"launchgate");
    // SAFETY: close_range(2) takes numbers, and nothing here has a descriptor yet.
    unsafe { libc::syscall(libc::SYS_close_range, 3, c_int::MAX, 0) };
    let _ = chdir("/");
    if let Ok(null) = open("/dev/null", OFlag::O_RDWR, Mode::empty()) {
        let _ = dup2_stdin(&null).and_then(|()| dup2_stdout(&null));
    }
}

/// Executes this program again with these arguments and no environment. Returns only if that
/// fails, and then nothing has changed.
pub fn reenter(arguments: &[CString]) {
    let program = until_nul(own::program().into_os_string().into_vec());
    let argv = child::pointers(arguments);
    let envp = child::pointers::<EnvEntry>(&[]);
    // SAFETY: every pointer is to a C string or to an array of them that ends with a null pointer.
    unsafe { libc::execve(program.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
}

/// Ends this process.
pub fn exit(code: u8) -> ! {
    // SAFETY: _exit(2) takes a number and does not return.
    unsafe { libc::_exit(code.into()) }
}

impl Host {
    /// Starts the server as a child that leads its own process group, which gets the terminal's
    /// foreground if launchgate has it. Returns its process id, and whether it got the terminal.
    ///
    /// # Errors
    /// It could not be started.
    pub fn start_server(
        &self,
        program: &Program,
        identity: Option<&Identity>,
    ) -> io::Result<(i32, bool)> {
        if std::process::id() != 1 {
            self.inherited.adopt_orphans();
        }
        let streams = Streams {
            input: Input::Inherit,
            output: libc::STDOUT_FILENO,
            error: libc::STDERR_FILENO,
        };
        let terminal = Terminal::controlling().filter(Terminal::is_ours);
        let fd = terminal.as_ref().map(AsFd::as_fd);
        let pid = child::start(program, streams, &[], fd, identity, &self.inherited)?;
        Ok((pid, terminal.is_some()))
    }
}
