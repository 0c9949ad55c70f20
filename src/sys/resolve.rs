//! Looking up the addresses of one family of a host.

use std::{ffi::CString, io, mem, net::IpAddr, ptr};

/// A family of addresses: what an A record and what an AAAA record has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressFamily {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// The first address of this family that the system's resolver has for a host. Blocks as long as the
/// resolver does.
pub fn first_address(host: &str, family: AddressFamily) -> io::Result<IpAddr> {
    let host = CString::new(host)?;
    // SAFETY: all-zero is a valid `addrinfo`: no pointer in it is read.
    let mut hints: libc::addrinfo = unsafe { mem::zeroed() };
    hints.ai_socktype = libc::SOCK_STREAM;
    hints.ai_family = match family {
        AddressFamily::V4 => libc::AF_INET,
        AddressFamily::V6 => libc::AF_INET6,
    };
    let mut list = ptr::null_mut();
    // SAFETY: `host` is a C string, `hints` is initialised, and `list` is a place to write to.
    let code =
        unsafe { libc::getaddrinfo(host.as_ptr(), ptr::null(), &raw const hints, &raw mut list) };
    if code != 0 || list.is_null() {
        return Err(io::Error::other(format!("no address (code {code})")));
    }
    // SAFETY: on success the list has an entry, whose address is of the family that was asked for.
    let found = unsafe { address((*list).ai_addr, family) };
    // SAFETY: the list comes from `getaddrinfo`, and nothing points into it any more.
    unsafe { libc::freeaddrinfo(list) };
    Ok(found)
}

/// # Safety
/// `address` must point to a socket address of this family.
unsafe fn address(address: *const libc::sockaddr, family: AddressFamily) -> IpAddr {
    match family {
        AddressFamily::V4 => {
            // SAFETY: by this function's own condition; read as a copy, so alignment does not matter.
            let found = unsafe { address.cast::<libc::sockaddr_in>().read_unaligned() };
            IpAddr::from(found.sin_addr.s_addr.to_ne_bytes())
        }
        AddressFamily::V6 => {
            // SAFETY: as above.
            let found = unsafe { address.cast::<libc::sockaddr_in6>().read_unaligned() };
            IpAddr::from(found.sin6_addr.s6_addr)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_family_that_they_are_written_in() {
        let look = |host, family| first_address(host, family).ok().map(|ip| ip.to_string());
        assert_eq!(
            look("192.0.2.1", AddressFamily::V4),
            Some("192.0.2.1".into())
        );
        assert_eq!(
            look("2001:db8::1", AddressFamily::V6),
            Some("2001:db8::1".into())
        );
        assert_eq!(look("192.0.2.1", AddressFamily::V6), None);
        assert_eq!(look("no such\0name", AddressFamily::V4), None);
    }
}
