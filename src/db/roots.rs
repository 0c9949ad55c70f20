//! The authorities that a server's certificate is verified against.
//!
//! Invariant: those that the URL names, and no others. The driver adds what it is given to the machine's
//! authorities, of which [`crate::sys::inherited::replace_environment`] has it find none: with them, the
//! certificate of any web site would do where `verify-ca` names a private authority.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

/// Mozilla's list, as PEM.
pub(super) fn bundled() -> Vec<u8> {
    let mut pem = String::new();
    for root in TLS_SERVER_ROOT_CERTS {
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        STANDARD.encode_string(root, &mut pem);
        pem.push_str("\n-----END CERTIFICATE-----\n");
    }
    pem.into_bytes()
}
