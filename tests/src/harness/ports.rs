//! Free ports on loopback, as the operating system gives them.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// `count` different ports on 127.0.0.1 that were free a moment ago.
///
/// They are all held at once and then let go, so that no two are the same.
///
/// # Errors
/// What the operating system says when it has no port left.
pub fn free_ports(count: usize) -> io::Result<Vec<u16>> {
    let held = (0..count)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<io::Result<Vec<_>>>()?;
    held.iter()
        .map(|listener| Ok(listener.local_addr()?.port()))
        .collect()
}

/// One free port on 127.0.0.1.
///
/// # Errors
/// See [`free_ports`].
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}
