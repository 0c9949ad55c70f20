//! The documents that `generate` prints.

enum_with_all! {
    /// A document made from the definitions of the flags.
    pub enum Document {
        /// The man page.
        Man = "man",
        /// Completions for bash.
        Bash = "bash",
        /// Completions for zsh.
        Zsh = "zsh",
        /// Completions for fish.
        Fish = "fish",
        /// The JSON schema of the settings file.
        Schema = "schema",
    }
}
