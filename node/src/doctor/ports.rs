//! Addresses that a node would listen on.

use std::io;
use std::net::{SocketAddr, TcpListener};

use super::{Finding, Status};

/// Whether an address can be listened on; `in_use` says that a process has the data directory open, most likely a node.
pub(super) fn free(check: &'static str, address: SocketAddr, in_use: bool) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => Finding::ok(check, format!("{address} is free")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && in_use => {
            Finding::ok(check, format!("{address} is taken, and so is the data directory"))
        }
        Err(error) => Finding::new(
            check,
            Status::Fail,
            format!("{address}: {error}"),
            "listen on another address, or end who holds it",
        ),
    }
}
