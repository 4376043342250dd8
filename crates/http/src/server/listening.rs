//! Sockets to listen on, of both families.

use std::io;
use std::net::{IpAddr, SocketAddr};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with, sockopt};
use tokio::net::TcpListener;

/// Connections that wait to be accepted; the system may allow fewer (`net.core.somaxconn`).
const BACKLOG: i32 = 4096;

/// Listens on `address`, one of `all`. `[::]` is both families, as on all of Linux, unless
/// `0.0.0.0` stands beside it with the same port.
///
/// # Errors
///
/// The address is taken, is not this machine's, or the port is not for this user.
pub fn listener(address: SocketAddr, all: &[SocketAddr]) -> io::Result<TcpListener> {
    let family = match address.ip() {
        IpAddr::V4(_) => AddressFamily::INET,
        IpAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    // A server that starts again finds its port taken by connections that have ended.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, is_v6_only(address, all))?;
    }
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    TcpListener::from_std(std::net::TcpListener::from(socket))
}

fn is_v6_only(address: SocketAddr, all: &[SocketAddr]) -> bool {
    let is_beside = |other: &SocketAddr| other.is_ipv4() && other.port() == address.port();
    all.iter().any(is_beside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_unless_the_other_one_is_named() {
        let parsed = |all: &[&str]| -> Vec<SocketAddr> {
            all.iter().map(|text| text.parse().unwrap()).collect()
        };
        for (all, expected) in [
            (&["[::]:80"][..], false),
            (&["[::]:80", "0.0.0.0:80"], true),
            (&["[::]:80", "127.0.0.1:80"], true),
            (&["[::]:80", "0.0.0.0:81"], false),
            (&["[::]:80", "[::1]:81"], false),
        ] {
            let all = parsed(all);
            assert_eq!(is_v6_only(all[0], &all), expected, "{all:?}");
        }
    }
}
