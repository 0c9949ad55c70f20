//! The name of a lock outside the database.

use sha2::{Digest, Sha256};

use super::hex::hex;

/// 16 hexadecimal digits that stand for app and database.
pub(super) fn lock_id(app: &str, database: &str) -> String {
    let hash = Sha256::digest(format!("launchgate\0{app}\0{database}"));
    hex(&hash[..8])
}
