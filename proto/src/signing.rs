//! What the sender of a signed call signs. `Call.signature` in `types.proto` draws the bytes.

/// What these bytes are: no other message that a key may have signed begins so.
pub const DOMAIN: &[u8; 14] = b"phalanx/call/1";

/// A call as it is signed. Nothing of it can be another's: the lengths of all fields but the last are fixed or written.
#[derive(Clone, Copy, Debug)]
pub struct SignedCall<'a> {
    /// The chain on which the call is valid.
    pub chain_id: &'a [u8; 32],
    /// Id of the contract.
    pub contract: &'a [u8; 32],
    /// Name of the method: at most 64 bytes.
    pub method: &'a str,
    /// Who calls: an ed25519 public key.
    pub sender: &'a [u8; 32],
    /// The sender's id of the call; it begins with the last height at which the call may be ordered.
    pub id: &'a [u8; 16],
    /// Most gas that the call may use.
    pub gas_limit: u32,
    /// The arguments.
    pub arguments: &'a [u8],
}

impl SignedCall<'_> {
    /// Appends the bytes that are signed.
    pub fn write_to(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(DOMAIN);
        bytes.extend_from_slice(self.chain_id);
        bytes.extend_from_slice(self.contract);
        bytes.extend_from_slice(self.sender);
        bytes.extend_from_slice(self.id);
        bytes.extend_from_slice(&self.gas_limit.to_le_bytes());
        // Whoever takes calls in has refused longer names; a longer one would be signed as one that nobody can have.
        bytes.push(u8::try_from(self.method.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(self.method.as_bytes());
        bytes.extend_from_slice(self.arguments);
    }

    /// The bytes that are signed.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write_to(&mut bytes);
        bytes
    }
}

/// An id of a signed call that may be ordered up to a height; `rest` is the sender's choice.
pub fn signed_call_id(last_height: u64, rest: [u8; 8]) -> [u8; 16] {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&last_height.to_le_bytes());
    id[8..].copy_from_slice(&rest);
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_those_that_are_drawn() {
        let id = signed_call_id(0x0102, [7; 8]);
        let call = SignedCall {
            chain_id: &[1; 32],
            contract: &[2; 32],
            method: "mint",
            sender: &[3; 32],
            id: &id,
            gas_limit: 0x0403_0201,
            arguments: b"args",
        };
        let expected = [
            &b"phalanx/call/1"[..],
            &[1; 32],
            &[2; 32],
            &[3; 32],
            &[2, 1, 0, 0, 0, 0, 0, 0, 7, 7, 7, 7, 7, 7, 7, 7],
            &[1, 2, 3, 4],
            &[4],
            b"mintargs",
        ];
        assert_eq!(call.to_bytes(), expected.concat());
        // Where the method ends is part of what is signed.
        let other = SignedCall { method: "min", arguments: b"targs", ..call };
        assert_ne!(other.to_bytes(), call.to_bytes());
    }
}
