//! The variables that tell a step about its run.

enum_with_all! {
    /// A variable that launchgate sets when a step starts. A launchgate that runs inside a step
    /// finds these in its environment.
    pub enum RunVariable {
        /// The app.
        App = "LAUNCHGATE_APP",
        /// The release id, or nothing.
        Release = "LAUNCHGATE_RELEASE",
        /// What the ledger is keyed by, or nothing.
        Revision = "LAUNCHGATE_REVISION",
        /// The run. No process of another run has this value, so it also marks a step's processes.
        RunId = "LAUNCHGATE_RUN_ID",
        /// The step's name.
        Step = "LAUNCHGATE_STEP",
        /// 1 for the first.
        Attempt = "LAUNCHGATE_ATTEMPT",
    }
}
