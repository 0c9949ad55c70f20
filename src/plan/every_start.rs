//! What runs at every start of every replica: the start commands (`--prepare`, `--warm-up`) and the
//! server.

use super::planner::{Planner, Steps};
use super::server::{self, ServerPlan};
use super::step::Stage;
use crate::exit::{Failure, Problem};
use crate::settings::ServerSettings;
use crate::sys::environment::Environment;
use crate::sys::identity::Identity;

/// What runs at every start.
#[derive(Debug, Clone)]
pub struct EveryStart {
    /// Before anything connects.
    pub prepare: Steps,
    /// Once the gate is open.
    pub warm_up: Steps,
    /// At last; `job` has none.
    pub server: Option<ServerPlan>,
}

impl EveryStart {
    /// Plans it. Warnings go to `warn`.
    ///
    /// # Errors
    /// A setting that can't be meant.
    pub fn new(
        inherited: &Environment,
        settings: &ServerSettings,
        warn: &mut dyn FnMut(Problem),
    ) -> Result<Self, Failure> {
        let user = settings.user.as_ref().map(|user| &user.value.1);
        let server = server::server(inherited, settings, warn)?;
        Ok(Self {
            prepare: commands(Stage::BeforeGate, None, inherited, settings, warn)?,
            warm_up: commands(Stage::AfterGate, user, inherited, settings, warn)?,
            server,
        })
    }
}

/// The start commands of a stage. They see the server's environment.
fn commands(
    stage: Stage,
    user: Option<&Identity>,
    inherited: &Environment,
    settings: &ServerSettings,
    warn: &mut dyn FnMut(Problem),
) -> Result<Steps, Failure> {
    let Some(commands) = &settings.start_commands else {
        return Ok(Steps::default());
    };
    Planner {
        stage,
        style: &commands.style,
        environment_as: &|_| server::environment(inherited, settings),
        identity: user,
        timeout: None,
        server: Some(settings),
        warn,
    }
    .plan(&commands.values)
}
