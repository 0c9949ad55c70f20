//! The documents that `generate` prints.

enum_with_all! {
    /// A document made from the definitions of the flags.
    pub enum Document {
        /// The man page.
        Man,
        /// Completions for bash.
        Bash,
        /// Completions for zsh.
        Zsh,
        /// Completions for fish.
        Fish,
        /// The JSON schema of the settings file.
        Schema,
    }
}

impl Document {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Man => "man",
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
            Self::Schema => "schema",
        }
    }
}
