//! Connecting by address, where the system's resolver fails a name although it has an address.
//!
//! musl's resolver fails a name when its query for IPv6 addresses fails, and waits for its answer where
//! there is none, although the query for IPv4 addresses was answered; and the reverse. So each family is
//! looked up on its own then. The driver knows one name for connecting and for the certificate, so this is only done
//! where the certificate's name is not verified.

use std::{net::IpAddr, time::Duration};

use tokio::{
    net::lookup_host,
    select,
    task::spawn_blocking,
    time::{sleep, timeout},
};

use super::Target;
use crate::sys::resolve::{AddressFamily, first_address};

/// A look-up that takes longer is done for each family too.
const SLOW: Duration = Duration::from_millis(500);

impl Target {
    /// The target by an address, once the system's resolver has failed its name or does not answer.
    pub(super) async fn at_address_if_slow(&self) -> Option<Self> {
        let host = self.name_to_resolve()?;
        sleep(SLOW).await;
        match timeout(SLOW, lookup_host((host, 0))).await {
            Ok(Ok(_)) => None,
            Ok(Err(_)) | Err(_) => self.at_address().await,
        }
    }

    /// The target by an address that one of the families has.
    pub(super) async fn at_address(&self) -> Option<Self> {
        let host = self.name_to_resolve()?;
        let look_up = async |family| {
            let host = host.to_owned();
            spawn_blocking(move || first_address(&host, family)).await
        };
        let address = select! {
            Ok(Ok(address)) = look_up(AddressFamily::V4) => address,
            Ok(Ok(address)) = look_up(AddressFamily::V6) => address,
            else => return None,
        };
        Some(Self {
            url: self.url.at(address),
            ..self.clone()
        })
    }

    fn name_to_resolve(&self) -> Option<&str> {
        let tls = self.url.tls();
        let is_verified = tls.mode.verifies() || tls.root_cert.is_some();
        let host = self.url.host().filter(|_| !is_verified)?;
        host.parse::<IpAddr>().is_err().then_some(host)
    }
}
