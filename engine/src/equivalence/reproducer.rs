//! What is handed over with a difference: batches that show it from an empty state, and the calls file that makes them.

use super::difference::{Difference, hex};
use crate::batch::{Address, BatchBuilder, BatchBytes, Call, CallRef, SYSTEM_CONTRACT};
use crate::deploy::{contract_id, deploy_arguments, deploy_gas, upgrade_arguments};
use crate::error::BatchError;
use crate::fs::{Access, File, FileSystem};
use crate::limits::BATCH_CALLS_MAX;
use crate::mode::Mode;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The calls file's name.
const CALLS_FILE: &str = "calls.ndjson";

/// Milliseconds from one batch to the next, as `phalanx run` has them.
const BATCH_INTERVAL_MS: u64 = 1_000;

/// A call that owns its parts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct OwnedCall {
    pub(super) contract: Address,
    pub(super) method: String,
    pub(super) sender: Address,
    pub(super) arguments: Vec<u8>,
    pub(super) gas_limit: u32,
}

impl OwnedCall {
    /// Without an id or signature, which no calls file can say and no result but the input root depends on. A name that is no
    /// text, which a batch may hold and no module export, becomes another that hardly any exports.
    pub(super) fn of(call: &CallRef<'_>, (contract, method): (&Address, &[u8])) -> Self {
        Self {
            contract: *contract,
            method: String::from_utf8(method.to_vec()).unwrap_or_else(|_| char::REPLACEMENT_CHARACTER.to_string()),
            sender: *call.sender(),
            arguments: call.arguments().to_vec(),
            gas_limit: u32::try_from(call.gas_limit()).expect("a batch has 32 bits for it"),
        }
    }

    fn as_call(&self) -> Call<'_> {
        let Self { contract, method, sender, arguments, gas_limit } = self;
        Call { contract: *contract, method, sender: *sender, arguments, gas_limit: *gas_limit }
    }
}

/// A line of a calls file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Step {
    Deploy { module: Arc<Vec<u8>>, sender: Address, salt: [u8; 32] },
    Upgrade { module: Arc<Vec<u8>>, sender: Address, contract: Address },
    Call(OwnedCall),
}

impl Step {
    fn call(&self) -> OwnedCall {
        let (method, sender, arguments, module) = match self {
            Step::Call(call) => return call.clone(),
            Step::Deploy { module, sender, salt } => ("deploy", sender, deploy_arguments(salt, module), module),
            Step::Upgrade { module, sender, contract } => {
                ("upgrade", sender, upgrade_arguments(contract, module), module)
            }
        };
        let gas_limit = u32::try_from(deploy_gas(module.len())).unwrap_or(u32::MAX);
        OwnedCall { contract: SYSTEM_CONTRACT, method: method.to_owned(), sender: *sender, arguments, gas_limit }
    }

    fn module(&self) -> Option<&Arc<Vec<u8>>> {
        match self {
            Step::Deploy { module, .. } | Step::Upgrade { module, .. } => Some(module),
            Step::Call(_) => None,
        }
    }
}

/// Cuts steps into the batches that `phalanx run --batch-size 65536` makes of their lines: behind a deploy or upgrade, and
/// before a limit. Answers each with the number of steps up to its end.
///
/// # Errors
/// A call that no batch can carry.
pub(super) fn cut(steps: &[Step], first_height: u64) -> Result<Vec<(usize, BatchBytes)>, BatchError> {
    let (mut batches, mut at) = (Vec::new(), 0);
    while at < steps.len() {
        let height = first_height + batches.len() as u64;
        let mut builder = BatchBuilder::new(height, height * BATCH_INTERVAL_MS);
        while let Some(step) = steps.get(at) {
            let call = step.call();
            if !builder.is_empty() && !builder.fits(&call.as_call()) {
                break;
            }
            builder.push(&call.as_call())?;
            at += 1;
            if step.module().is_some() {
                break;
            }
        }
        batches.push((at, builder.finish()));
    }
    Ok(batches)
}

/// A batch's calls cut down as far as the difference stays, behind what sets up the contracts and the state that they need.
///
/// Contracts are deployed as they once were, so they keep their ids. A contract whose state is needed is upgraded to a module that
/// sets keys, and then to its code of today. The default is one without batches.
#[derive(Clone, Default, Debug)]
pub struct Reproducer {
    pub(super) steps: Vec<Step>,
    pub(super) mode: Mode,
    pub(super) workers: usize,
    pub(super) hash_seed: u64,
    pub(super) difference: Option<Difference>,
}

impl Reproducer {
    /// What differs when the batches are executed from an empty state, as it was when the reproducer was made: something of the
    /// kind that was found if that could be had, else another thing. `None`: nothing did.
    /// Then the difference depends on what no calls file can say, like timing or an earlier fault, or looking for it took too
    /// long; the calls are those of the batch, not cut down.
    pub fn difference(&self) -> Option<&Difference> {
        self.difference.as_ref()
    }

    /// The batches, from height 1 on. The last one shows the difference.
    ///
    /// # Errors
    /// A call that no batch can carry besides the others' headers, which the batch that it comes from excludes.
    pub fn batches(&self) -> Result<Vec<BatchBytes>, BatchError> {
        Ok(cut(&self.steps, 1)?.into_iter().map(|(_, batch)| batch).collect())
    }

    /// Calls behind the last deploy or upgrade: those that are left of the batch, where setting up shows no difference itself.
    pub fn calls(&self) -> usize {
        self.steps.iter().rev().take_while(|step| step.module().is_none()).count()
    }

    /// The key of the hash tables ([`HashSeed::Fixed`](crate::HashSeed::Fixed)) under which it was made: with another, keys have other
    /// owners, and a fault that depends on that may not show.
    pub fn hash_seed(&self) -> u64 {
        self.hash_seed
    }

    /// The command that shows the difference, in the folder that [`Reproducer::write`] filled.
    pub fn command(&self) -> String {
        let mode = match self.mode {
            Mode::Auto => "auto",
            Mode::Serial => "serial",
            Mode::Pipe => "pipe",
            Mode::Optimistic => "optimistic",
            Mode::Hinted => "hinted",
        };
        let Self { workers, hash_seed, .. } = self;
        format!(
            "phalanx run --data-dir data --calls {CALLS_FILE} --check --mode {mode} --workers {workers} --hash-seed {hash_seed} \
             --batch-size {BATCH_CALLS_MAX}"
        )
    }

    /// The files by name: a calls file for `phalanx run`, and the modules that it names.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        for module in self.steps.iter().filter_map(Step::module) {
            files.entry(module_name(module)).or_insert_with(|| module.to_vec());
        }
        files.insert(CALLS_FILE.to_owned(), self.lines().into_bytes());
        files
    }

    fn lines(&self) -> String {
        let mut lines = String::new();
        for step in &self.steps {
            // Writing into a string cannot fail.
            _ = writeln!(lines, "{}", line(step));
        }
        lines
    }

    /// Writes the files into a folder, which is made if it is not there.
    ///
    /// # Errors
    /// Those of the file system; `AlreadyExists` if one of the files does.
    pub fn write(&self, fs: &dyn FileSystem, directory: &Path) -> io::Result<()> {
        fs.create_directory(directory)?;
        for (name, bytes) in self.files() {
            fs.open(&directory.join(name), Access::CreateNew)?.write_at(0, &[&bytes])?;
        }
        Ok(())
    }

    /// Writes the files into a new folder in `parent`: `height-H`, or with a number behind it if there is such a one, which another
    /// difference or a write that failed has left. One that holds the very files is answered as it is.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn write_new(&self, fs: &dyn FileSystem, parent: &Path, height: u64) -> io::Result<PathBuf> {
        let names = (1u32..).map(|number| match number {
            1 => format!("height-{height}"),
            number => format!("height-{height}-{number}"),
        });
        for name in names {
            let folder = parent.join(name);
            let there = match fs.list(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
                there => there?,
            };
            if there.is_empty() {
                self.write(fs, &folder)?;
            }
            if there.is_empty() || self.is_in(fs, &folder, there)? {
                return Ok(folder);
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Whether a folder in which these files are there holds the reproducer's, and no others.
    fn is_in(&self, fs: &dyn FileSystem, folder: &Path, there: Vec<String>) -> io::Result<bool> {
        let files = self.files();
        if there.into_iter().collect::<BTreeSet<_>>() != files.keys().cloned().collect() {
            return Ok(false);
        }
        for (name, expected) in &files {
            let file = fs.open(&folder.join(name), Access::Read)?;
            let mut found = vec![0; expected.len()];
            let whole = file.length()? == expected.len() as u64 && read_all(&*file, &mut found)?;
            if !whole || found != *expected {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Fills the buffer from the file's start; whether there was so much.
fn read_all(file: &dyn File, buffer: &mut [u8]) -> io::Result<bool> {
    let mut read = 0;
    while read < buffer.len() {
        match file.read_at(&mut buffer[read..], read as u64)? {
            0 => return Ok(false),
            more => read += more,
        }
    }
    Ok(true)
}

fn module_name(module: &[u8]) -> String {
    format!("{}.wasm", &hex(&blake3::hash(module).as_bytes()[..8])[2..])
}

fn line(step: &Step) -> String {
    match step {
        Step::Deploy { module, sender, salt } => {
            let id = contract_id(sender, salt, module);
            format!(
                r#"{{"deploy": {{"wasm": "{}", "name": "contract-{}", "sender": "{}", "salt": "{}"}}}}"#,
                module_name(module),
                &hex(&id[..8])[2..],
                hex(sender),
                hex(salt)
            )
        }
        Step::Upgrade { module, sender, contract } => format!(
            r#"{{"upgrade": {{"wasm": "{}", "contract": "{}", "sender": "{}"}}}}"#,
            module_name(module),
            hex(contract),
            hex(sender)
        ),
        Step::Call(OwnedCall { contract, method, sender, arguments, gas_limit }) => format!(
            r#"{{"call": {{"contract": "{}", "method": {}, "sender": "{}", "input": "{}", "gas": {gas_limit}}}}}"#,
            hex(contract),
            json_string(method),
            hex(sender),
            hex(arguments)
        ),
    }
}

/// A method's name may be any text.
fn json_string(text: &str) -> String {
    let mut json = "\"".to_owned();
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            // Writing into a string cannot fail.
            '\0'..' ' => _ = write!(json, "\\u{:04x}", u32::from(character)),
            _ => json.push(character),
        }
    }
    json.push('"');
    json
}

#[cfg(test)]
mod tests {
    use super::{OwnedCall, Reproducer, Step, cut, json_string};
    use crate::Batch;
    use crate::mode::Mode;
    use std::sync::Arc;

    fn call(method: &str) -> Step {
        let method = method.to_owned();
        Step::Call(OwnedCall { contract: [1; 32], method, sender: [2; 32], arguments: vec![0xab], gas_limit: 7 })
    }

    fn steps() -> Vec<Step> {
        let module = Arc::new(vec![1, 2, 3]);
        let deploy = Step::Deploy { module: Arc::clone(&module), sender: [3; 32], salt: [4; 32] };
        let upgrade = Step::Upgrade { module, sender: [3; 32], contract: [5; 32] };
        vec![deploy, call("a"), upgrade, call("b"), call("c")]
    }

    #[test]
    fn batches_end_behind_what_changes_code() {
        let batches = cut(&steps(), 4).expect("fit");
        let heights: Vec<_> = batches
            .into_iter()
            .map(|(end, bytes)| {
                let batch = Batch::decode(bytes).expect("decodes");
                (end, batch.height(), batch.time_ms(), batch.len())
            })
            .collect();
        assert_eq!(heights, [(1, 4, 4_000, 1), (3, 5, 5_000, 2), (5, 6, 6_000, 2)]);
    }

    #[test]
    fn files_are_the_lines_and_each_module_once() {
        let reproducer = Reproducer { steps: steps(), mode: Mode::Pipe, workers: 3, ..Reproducer::default() };
        let files = reproducer.files();
        assert_eq!(files.len(), 2);
        let lines = String::from_utf8(files["calls.ndjson"].clone()).expect("UTF-8");
        let last = lines.lines().last().expect("five lines");
        assert!(last.starts_with(r#"{"call": {"contract": "0x0101"#), "{last}");
        assert!(last.ends_with(r#""method": "c", "sender": "0x0202020202020202020202020202020202020202020202020202020202020202", "input": "0xab", "gas": 7}}"#), "{last}");
        assert!(files.keys().any(|name| lines.contains(&format!("\"wasm\": \"{name}\""))));
        assert_eq!(reproducer.calls(), 2);
        assert!(reproducer.command().ends_with("--check --mode pipe --workers 3 --hash-seed 0 --batch-size 65536"));
    }

    #[test]
    fn any_name_is_a_json_string() {
        assert_eq!(json_string("a\"\\\n\u{7f}ü"), "\"a\\\"\\\\\\u000a\u{7f}ü\"");
    }
}
