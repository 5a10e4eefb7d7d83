//! Values that flags, environment variables and files write as the same text.

use phalanx_engine::Address;
use std::collections::HashSet;

use super::environment::choice;
use crate::hex::parse_address;
use crate::serve::access::Role;

/// A chain's id.
pub(crate) fn chain_id(text: &str) -> Result<Address, String> {
    parse_address(text).map_err(|_| format!("{text}: a chain id is 0x and 64 hex digits"))
}

/// Roles with commas between them.
pub(crate) fn roles(text: &str) -> Result<HashSet<Role>, String> {
    text.split(',').map(|role| choice(role.trim())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chain_ids_and_roles_are_read() {
        assert_eq!(chain_id(&format!("0x{}", "ab".repeat(32))), Ok([0xab; 32]));
        for wrong in ["", "ab", "0xab", &"ab".repeat(32), &format!("0x{}", "ab".repeat(33))] {
            assert!(chain_id(wrong).is_err_and(|error| error.contains("0x and 64 hex digits")), "{wrong}");
        }
        assert_eq!(roles("read, submit"), Ok(HashSet::from([Role::Read, Role::Submit])));
        assert_eq!(roles("read,write"), Err("write is none of read, submit, deploy".to_owned()));
    }
}
