//! The order of records: what may follow what. The writer and every reader keep one [`Chain`] and ask it.

use super::error::LogError;
use super::record::{Genesis, Hash, Record, Seal, input_hash};

/// The state that the next record must fit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Chain {
    pub(crate) genesis: Genesis,
    /// Height of the last Input; 0 before the first.
    pub(crate) last_input: u64,
    /// Its hash; the genesis' before the first.
    pub(crate) last_input_hash: Hash,
    /// Height of the last Seal, at most `last_input`; 0 before the first.
    pub(crate) last_seal: u64,
    /// Its digest; zero before the first.
    pub(crate) last_digest: Hash,
    /// The newest protocol version announced.
    pub(crate) protocol_version: u32,
}

impl Chain {
    /// The chain before its first record.
    pub(crate) fn new(genesis: Genesis) -> Chain {
        Chain {
            genesis,
            last_input: 0,
            last_input_hash: genesis.hash(),
            last_seal: 0,
            last_digest: [0; 32],
            protocol_version: genesis.protocol_version,
        }
    }

    /// Takes an Input that is being appended; answers the previous input hash, which the record carries.
    pub(crate) fn append_input(&mut self, epoch: u64, height: u64, batch: &[u8]) -> Hash {
        let previous = self.last_input_hash;
        self.last_input_hash = input_hash(&previous, epoch, height, batch);
        self.last_input = height;
        previous
    }

    pub(crate) fn append_seal(&mut self, seal: &Seal) {
        self.last_seal = seal.height;
        self.last_digest = seal.digest;
    }

    /// Takes a record that was read; the error says why it doesn't continue the chain.
    pub(crate) fn accept(&mut self, record: &Record) -> Result<(), String> {
        match record {
            Record::Genesis(genesis) if *genesis != self.genesis => return Err("another genesis".to_owned()),
            Record::Genesis(_) if self.last_input > 0 => return Err("a genesis after the first input".to_owned()),
            Record::Genesis(_) | Record::Close => {}
            Record::Input(input) => {
                self.follows_input(input.height).map_err(|error| error.to_string())?;
                if input.previous != self.last_input_hash {
                    return Err("the previous input hash is not that of the input before".to_owned());
                }
                self.append_input(input.epoch, input.height, &input.batch);
            }
            Record::Seal(seal) => {
                self.follows_seal(seal.height).map_err(|error| error.to_string())?;
                self.append_seal(seal);
            }
            Record::Protocol { height, version } => {
                self.follows_protocol(*height, *version).map_err(|error| error.to_string())?;
                self.protocol_version = *version;
            }
        }
        Ok(())
    }

    pub(crate) fn follows_input(&self, height: u64) -> Result<(), LogError> {
        in_order("height of the input", self.last_input + 1, height)
    }

    pub(crate) fn follows_seal(&self, height: u64) -> Result<(), LogError> {
        in_order("height of the seal", self.last_seal + 1, height)?;
        match height <= self.last_input {
            true => Ok(()),
            false => {
                Err(LogError::OutOfOrder { what: "last input below a seal", expected: height, actual: self.last_input })
            }
        }
    }

    /// Rules change ahead of the heights they hold for, and only to newer ones.
    pub(crate) fn follows_protocol(&self, height: u64, version: u32) -> Result<(), LogError> {
        if height <= self.last_input {
            let expected = self.last_input + 1;
            return Err(LogError::OutOfOrder { what: "first height of a protocol", expected, actual: height });
        }
        if version <= self.protocol_version {
            let expected = u64::from(self.protocol_version) + 1;
            return Err(LogError::OutOfOrder { what: "protocol version", expected, actual: version.into() });
        }
        Ok(())
    }
}

fn in_order(what: &'static str, expected: u64, actual: u64) -> Result<(), LogError> {
    match expected == actual {
        true => Ok(()),
        false => Err(LogError::OutOfOrder { what, expected, actual }),
    }
}
