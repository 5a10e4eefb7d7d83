//! Who a verb calls as: a sender that is named, or one that signs.

use clap::Args;
use phalanx_client::{Client, Signer, VALID_HEIGHTS};
use phalanx_engine::Address;
use phalanx_proto::v1;
use std::path::PathBuf;

use super::{address, failure};
use crate::exit::Failure;
use crate::hex::parse_address;
use crate::verbs::key;

#[derive(Debug, Args)]
pub(crate) struct CallAs {
    /// Who calls: 0x and 64 hex digits
    #[arg(long, value_name = "ADDRESS", value_parser = address, required_unless_present = "signing_key")]
    sender: Option<Address>,
    /// File of a key that signs the call, and whose address is the sender: see `phalanx key`
    #[arg(long, value_name = "FILE", conflicts_with = "sender")]
    signing_key: Option<PathBuf>,
    /// The chain that the call is signed for; what is signed for a chain is valid there [default: what the node says]
    #[arg(long, value_name = "HEX", requires = "signing_key", value_parser = parse_address)]
    signed_for: Option<[u8; 32]>,
}

/// A sender, with what signs for it if anything does.
pub(super) struct Caller {
    address: Address,
    signs: Option<Signs>,
}

struct Signs {
    signer: Signer,
    /// The last height at which what is signed may be ordered.
    last_height: u64,
}

impl CallAs {
    /// The sender; asks the node for chain and height if it is to sign.
    pub(super) async fn caller(&self, client: &Client) -> Result<Caller, Failure> {
        let Some(file) = &self.signing_key else {
            let address = self.sender.ok_or_else(|| Failure::usage("there is no sender", "say --sender"))?;
            return Ok(Caller { address, signs: None });
        };
        let secret = key::read(file)?;
        let info = client.server_info().await.map_err(|error| failure(&error))?;
        let of_node = || {
            let unknown = |_| Failure::failed("the node answered a chain id of another length", "use its version");
            <[u8; 32]>::try_from(&info.chain_id[..]).map_err(unknown)
        };
        let chain_id = self.signed_for.map_or_else(of_node, Ok)?;
        let signer = Signer::new(&secret, chain_id);
        let address = signer.address();
        Ok(Caller { address, signs: Some(Signs { signer, last_height: info.height + VALID_HEIGHTS }) })
    }
}

impl Caller {
    /// Its address.
    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Whether it signs.
    pub(super) fn signs(&self) -> bool {
        self.signs.is_some()
    }

    /// Signs a call, if it does that.
    pub(super) fn sign(&self, call: &mut v1::Call) -> Result<(), Failure> {
        match &self.signs {
            None => Ok(()),
            Some(Signs { signer, last_height }) => signer.sign(call, *last_height).map_err(|error| failure(&error)),
        }
    }
}
