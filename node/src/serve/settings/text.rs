//! Values that flags, environment variables and files write as the same text.

use axum::http::Uri;
use phalanx_engine::Address;
use std::collections::HashSet;

use super::environment::choice;
use crate::hex::parse_address;
use crate::serve::access::Role;

/// Threads that serve connections, at most.
pub(crate) const CONNECTION_THREADS_MAX: usize = 256;

/// A number of threads that serve connections.
pub(crate) fn connection_threads(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=CONNECTION_THREADS_MAX).contains(count));
    count.ok_or_else(|| format!("{text} is not in 1..={CONNECTION_THREADS_MAX}"))
}

/// A chain's id.
pub(crate) fn chain_id(text: &str) -> Result<Address, String> {
    parse_address(text).map_err(|_| format!("{text}: a chain id is 0x and 64 hex digits"))
}

/// Roles with commas between them.
pub(crate) fn roles(text: &str) -> Result<HashSet<Role>, String> {
    text.split(',').map(|role| choice(role.trim())).collect()
}

/// Where a collector of spans listens: `http://HOST:PORT`. It stands beside the node; what leaves the machine, and how, is its affair.
pub(crate) fn otlp_endpoint(text: &str) -> Result<Uri, String> {
    let wrong = || format!("{text}: a collector is http://HOST:PORT, without TLS and without a path");
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    let has_place = uri.host().is_some_and(|host| !host.is_empty()) && uri.port_u16().is_some();
    let is_bare = uri.path() == "/" && uri.query().is_none() && !text.contains('@');
    if uri.scheme_str() == Some("http") && has_place && is_bare { Ok(uri) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_threads_have_bounds() {
        assert_eq!([connection_threads("1"), connection_threads("256")], [Ok(1), Ok(256)]);
        for wrong in ["", "0", "257", "-1", "two"] {
            assert_eq!(connection_threads(wrong), Err(format!("{wrong} is not in 1..=256")));
        }
    }

    #[test]
    fn chain_ids_and_roles_are_read() {
        assert_eq!(chain_id(&format!("0x{}", "ab".repeat(32))), Ok([0xab; 32]));
        for wrong in ["", "ab", "0xab", &"ab".repeat(32), &format!("0x{}", "ab".repeat(33))] {
            assert!(chain_id(wrong).is_err_and(|error| error.contains("0x and 64 hex digits")), "{wrong}");
        }
        assert_eq!(roles("read, submit"), Ok(HashSet::from([Role::Read, Role::Submit])));
        assert_eq!(roles("read,write"), Err("write is none of read, submit, deploy".to_owned()));
    }

    #[test]
    fn collectors_are_read() {
        for right in ["http://127.0.0.1:4317", "http://collector:4317/", "http://[::1]:4317"] {
            assert!(otlp_endpoint(right).is_ok(), "{right}");
        }
        for wrong in [
            "",
            "127.0.0.1:4317",
            "https://collector:4317",
            "http://collector",
            "http://:4317",
            "http://collector:4317/v1/traces",
            "http://collector:4317/?a",
            "http://a:b@collector:4317",
        ] {
            assert!(otlp_endpoint(wrong).is_err_and(|error| error.contains("http://HOST:PORT")), "{wrong}");
        }
    }
}
