//! The variables that tell a step about its run.

enum_with_all! {
    /// A variable that launchgate sets when a step starts. A launchgate that runs inside a step
    /// finds these in its environment.
    pub enum RunVariable {
        /// The app.
        App,
        /// The release id, or nothing.
        Release,
        /// What the ledger is keyed by, or nothing.
        Revision,
        /// The run. No process of another run has this value, so it also marks a step's processes.
        RunId,
        /// The step's name.
        Step,
        /// 1 for the first.
        Attempt,
    }
}

impl RunVariable {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::App => "LAUNCHGATE_APP",
            Self::Release => "LAUNCHGATE_RELEASE",
            Self::Revision => "LAUNCHGATE_REVISION",
            Self::RunId => "LAUNCHGATE_RUN_ID",
            Self::Step => "LAUNCHGATE_STEP",
            Self::Attempt => "LAUNCHGATE_ATTEMPT",
        }
    }
}
