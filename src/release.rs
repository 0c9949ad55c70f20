//! Which release is this? The revision that the ledger is keyed by.
