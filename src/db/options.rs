//! Connection options from a database URL: what the builders of all drivers have in common.

/// The options with a value set, where the URL names one. Without a value the driver keeps its own.
pub(super) fn with<O, V>(options: O, value: Option<V>, set: impl FnOnce(O, V) -> O) -> O {
    match value {
        Some(value) => set(options, value),
        None => options,
    }
}
