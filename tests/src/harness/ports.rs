//! Free ports on loopback, as the operating system gives them.

use std::io;
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};

use tokio::net::TcpSocket;

/// Sockets that keep the ports that were given out, until the process ends.
///
/// They do not listen, and they allow the address to be used again, so a server can bind the
/// port beside them. But the system no longer picks it for somebody's outgoing connection,
/// which would keep the server from starting, or even meet itself: a client that connects to a
/// port nobody listens on, from the same port, gets through to itself.
static KEPT: Mutex<Vec<TcpSocket>> = Mutex::new(Vec::new());

/// `count` different ports on 127.0.0.1 that are free and stay it for whoever binds them.
///
/// # Errors
/// What the operating system says when it has no port left.
pub fn free_ports(count: usize) -> io::Result<Vec<u16>> {
    (0..count).map(|_| free_port()).collect()
}

/// One free port on 127.0.0.1.
///
/// # Errors
/// See [`free_ports`].
pub fn free_port() -> io::Result<u16> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let port = socket.local_addr()?.port();
    KEPT.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(socket);
    Ok(port)
}
