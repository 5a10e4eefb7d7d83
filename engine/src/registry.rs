//! Contracts and their code, as the last committed height has them.

use crate::batch::{Address, SYSTEM_CONTRACT};
use crate::digest::Digest;
use crate::prepare::OrderedSlots;
use crate::wasm::Code;
use phalanx_scheduler::ContractIndex;
use std::collections::HashMap;
use std::sync::Arc;

/// The system contract's own number: the first, as 0 means "none".
pub(crate) const SYSTEM_INDEX: ContractIndex = ContractIndex(1);

/// What a deploy made, and an upgrade changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct DeployRecord {
    pub(crate) deployer: Address,
    pub(crate) code_hash: Digest,
    /// Profile of interface and limits; 0 is the native one.
    pub(crate) profile: u8,
    pub(crate) ordered: OrderedSlots,
}

const RECORD_VERSION: u8 = 1;

impl DeployRecord {
    /// `version u8 = 1 | profile u8 | deployer [32] | code hash [32] | ordered slots, a bit each [32]`
    pub(crate) fn encode(&self) -> [u8; 98] {
        let mut bytes = [0; 98];
        bytes[0] = RECORD_VERSION;
        bytes[1] = self.profile;
        bytes[2..34].copy_from_slice(&self.deployer);
        bytes[34..66].copy_from_slice(&self.code_hash);
        bytes[66..].copy_from_slice(&self.ordered.to_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 98] = bytes.try_into().ok()?;
        (bytes[0] == RECORD_VERSION).then(|| Self {
            profile: bytes[1],
            deployer: bytes[2..34].try_into().expect("32 bytes"),
            code_hash: bytes[34..66].try_into().expect("32 bytes"),
            ordered: OrderedSlots::from_bytes(bytes[66..].try_into().expect("32 bytes")),
        })
    }
}

/// A contract with its code.
pub(crate) struct Contract {
    pub(crate) index: ContractIndex,
    pub(crate) deployer: Address,
    pub(crate) ordered: OrderedSlots,
    /// Number of the code in [`Registry::code`].
    pub(crate) code: usize,
}

/// All contracts.
pub(crate) struct Registry {
    contracts: HashMap<Address, Contract, foldhash::fast::RandomState>,
    /// Ids by contract number.
    ids: Arc<Vec<Address>>,
    codes: Vec<Arc<Code>>,
    code_numbers: HashMap<Digest, usize, foldhash::fast::RandomState>,
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self {
            contracts: HashMap::default(),
            ids: Arc::new(vec![SYSTEM_CONTRACT; SYSTEM_INDEX.0 as usize + 1]),
            codes: Vec::new(),
            code_numbers: HashMap::default(),
        }
    }

    pub(crate) fn contract(&self, id: &Address) -> Option<&Contract> {
        self.contracts.get(id)
    }

    /// Number of a contract, the system contract included.
    pub(crate) fn index(&self, id: &Address) -> Option<ContractIndex> {
        if *id == SYSTEM_CONTRACT { Some(SYSTEM_INDEX) } else { self.contracts.get(id).map(|contract| contract.index) }
    }

    /// Id of a contract that has state.
    #[inline]
    pub(crate) fn id(&self, index: ContractIndex) -> &Address {
        &self.ids[index.0 as usize]
    }

    /// The ids of all contracts, by number.
    pub(crate) fn ids(&self) -> Arc<Vec<Address>> {
        Arc::clone(&self.ids)
    }

    pub(crate) fn code(&self, number: usize) -> &Arc<Code> {
        &self.codes[number]
    }

    pub(crate) fn has_code(&self, hash: &Digest) -> bool {
        self.code_numbers.contains_key(hash)
    }

    /// Adds compiled code that is not there yet, and answers its number. Harmless if the batch that brought it is discarded: code is found by
    /// its hash alone.
    pub(crate) fn add_code(&mut self, hash: Digest, code: Arc<Code>) -> usize {
        let number = self.codes.len();
        self.code_numbers.insert(hash, number);
        self.codes.push(code);
        number
    }

    /// Makes a committed deploy or upgrade take effect.
    pub(crate) fn put(&mut self, id: Address, record: &DeployRecord) {
        let code = self.code_numbers[&record.code_hash];
        // Copied if a batch that is being finished still reads them; deploys are rare.
        let ids = &mut self.ids;
        let contract = self.contracts.entry(id).or_insert_with(|| {
            let ids = Arc::make_mut(ids);
            ids.push(id);
            let index = ContractIndex(u32::try_from(ids.len() - 1).expect("fewer than 2^32 contracts"));
            Contract { index, deployer: record.deployer, ordered: record.ordered, code }
        });
        contract.code = code;
    }
}
