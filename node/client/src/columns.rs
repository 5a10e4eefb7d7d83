//! Many calls in columns.

use phalanx_proto::v1;
use std::collections::HashMap;

/// Calls that are put together for one submission, as columns. They take effect in the order in which they were put.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    targets: Vec<v1::Target>,
    numbers: HashMap<[u8; 32], HashMap<String, u16>>,
    target_numbers: Vec<u8>,
    senders: Vec<u8>,
    gas_limits: Vec<u8>,
    argument_ends: Vec<u8>,
    arguments: Vec<u8>,
    calls: u32,
}

impl Columns {
    /// Puts a call behind the others. `arguments` are as the method's ABI encodes them.
    ///
    /// # Panics
    /// Above 65,536 targets or 4 GiB of arguments, which no submission may have: see [`Columns::len`].
    pub fn push(&mut self, contract: &[u8; 32], method: &str, sender: &[u8; 32], gas_limit: u32, arguments: &[u8]) {
        let methods = self.numbers.entry(*contract).or_default();
        let number = methods.get(method).copied().unwrap_or_else(|| {
            let number = u16::try_from(self.targets.len()).expect("at most 65,536 targets");
            self.targets.push(v1::Target { contract: contract.to_vec().into(), method: method.to_owned() });
            methods.insert(method.to_owned(), number);
            number
        });
        self.target_numbers.extend_from_slice(&number.to_le_bytes());
        self.senders.extend_from_slice(sender);
        self.gas_limits.extend_from_slice(&gas_limit.to_le_bytes());
        self.arguments.extend_from_slice(arguments);
        let end = u32::try_from(self.arguments.len()).expect("at most 4 GiB of arguments");
        self.argument_ends.extend_from_slice(&end.to_le_bytes());
        self.calls += 1;
    }

    /// How many calls there are. A submission holds at most 65,536, and 16 MiB.
    pub fn len(&self) -> usize {
        self.calls as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.calls == 0
    }
}

impl From<Columns> for v1::CallColumns {
    fn from(columns: Columns) -> v1::CallColumns {
        v1::CallColumns {
            targets: columns.targets,
            calls: columns.calls,
            target_numbers: columns.target_numbers.into(),
            senders: columns.senders.into(),
            gas_limits: columns.gas_limits.into(),
            argument_ends: columns.argument_ends.into(),
            arguments: columns.arguments.into(),
        }
    }
}
