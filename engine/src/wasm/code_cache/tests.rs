//! No byte of a file can be another one, no file comes from elsewhere, and the directory keeps its bound.

use super::directory::{Bound, CodeDirectory};
use super::identity::Identity;
use super::sealed::{HEAD_BYTES, load, seal};
use super::secret::Secret;
use crate::digest::Digest;
use crate::fs::faulty::FaultyFileSystem;
use crate::fs::{Access, FileSystem, RealFileSystem};
use crate::prepare::{Prepared, prepare};
use crate::wasm::runtime::Runtime;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use wasmtime::Module;

const CODE_HASH: Digest = [5; 32];

fn prepared(number: u32) -> Prepared {
    let text =
        format!(r#"(module (memory (export "memory") 1) (func (export "m") (result i32) (i32.const {number})))"#);
    prepare(&wat::parse_str(text).expect("the text is WAT")).expect("accepted")
}

fn module(prepared: &Prepared) -> Module {
    Runtime::shared().compile(prepared).expect("compiles")
}

/// A secret on a disk of its own.
fn secret() -> Secret {
    let fs = FaultyFileSystem::new();
    Secret::create(&fs, directory()).expect("no faults")
}

fn directory() -> &'static Path {
    Path::new("/code")
}

struct Sealed {
    secret: Secret,
    identity: Identity,
    bytes: Vec<u8>,
}

impl Sealed {
    fn new() -> Self {
        let (secret, prepared) = (secret(), prepared(1));
        let identity = Identity::new(CODE_HASH, &prepared.wasm, Runtime::shared().engine());
        let (head, code) = seal(&secret, &identity, &module(&prepared)).expect("wasmtime gives machine code away");
        Self { secret, identity, bytes: [&head[..], &code].concat() }
    }

    fn loads(&self, bytes: &[u8]) -> bool {
        self.loads_as(&self.identity, bytes)
    }

    fn loads_as(&self, identity: &Identity, bytes: &[u8]) -> bool {
        load(&self.secret, identity, bytes, Runtime::shared().engine()).is_some()
    }
}

#[test]
fn a_file_with_any_bit_flipped_is_not_loaded() {
    let sealed = Sealed::new();
    assert!(sealed.loads(&sealed.bytes));
    let mut bytes = sealed.bytes.clone();
    for offset in 0..bytes.len() {
        bytes[offset] ^= 1 << (offset % 8);
        assert!(!sealed.loads(&bytes), "offset {offset}");
        bytes[offset] = sealed.bytes[offset];
    }
    assert!(sealed.loads(&bytes));
}

#[test]
fn a_file_of_any_other_length_is_not_loaded() {
    let sealed = Sealed::new();
    let lengths = (0..2 * HEAD_BYTES).chain((0..sealed.bytes.len()).step_by(61)).chain([sealed.bytes.len() - 1]);
    for length in lengths {
        assert!(!sealed.loads(&sealed.bytes[..length]), "{length} bytes");
    }
    assert!(!sealed.loads(&[&sealed.bytes[..], &[0]].concat()));
}

/// A head that says what is asked for, over machine code that was sealed for something else.
#[test]
fn the_tag_covers_the_identity() {
    let sealed = Sealed::new();
    let other = Identity { pass_version: 7, code_hash: [1; 32], instrumented: [2; 32], compiler: [3; 32] };
    let fields: [(std::ops::Range<usize>, Identity); 4] = [
        (12..16, Identity { pass_version: 7, ..sealed.identity.clone() }),
        (16..48, Identity { code_hash: [1; 32], ..sealed.identity.clone() }),
        (48..80, Identity { instrumented: [2; 32], ..sealed.identity.clone() }),
        (80..112, Identity { compiler: [3; 32], ..sealed.identity.clone() }),
    ];
    let (theirs, _) = seal(&sealed.secret, &other, &module(&prepared(1))).expect("wasmtime gives machine code away");
    for (range, identity) in fields {
        assert!(!sealed.loads_as(&identity, &sealed.bytes), "another identity at {range:?}");
        let mut bytes = sealed.bytes.clone();
        bytes[range.clone()].copy_from_slice(&theirs[range.clone()]);
        assert!(!sealed.loads_as(&identity, &bytes), "another identity at {range:?}, and a head that says so");
    }
}

#[test]
fn another_secret_loads_nothing() {
    let sealed = Sealed::new();
    let engine = Runtime::shared().engine();
    assert!(load(&secret(), &sealed.identity, &sealed.bytes, engine).is_none());
    assert!(load(&sealed.secret.clone(), &sealed.identity, &sealed.bytes, engine).is_some());
}

/// The module's own hash is the same; only what the pass made of it differs.
#[test]
fn identities_follow_the_instrumented_module() {
    let engine = Runtime::shared().engine();
    let [one, again, two] = [1, 1, 2].map(|number| Identity::new(CODE_HASH, &prepared(number).wasm, engine));
    assert_eq!(one, again);
    assert_eq!(one, Identity { instrumented: one.instrumented, ..two.clone() });
    assert_ne!(one.instrumented, two.instrumented);
}

#[test]
fn compilers_of_other_settings_have_other_fingerprints() {
    let mut config = wasmtime::Config::new();
    let identity = |config: &wasmtime::Config| {
        Identity::new(CODE_HASH, &prepared(1).wasm, &wasmtime::Engine::new(config).expect("valid")).compiler
    };
    let speed = identity(&config);
    let none = identity(config.cranelift_opt_level(wasmtime::OptLevel::None));
    let ours = Identity::new(CODE_HASH, &prepared(1).wasm, Runtime::shared().engine()).compiler;
    assert!(speed != none && speed != ours && none != ours);
    assert_eq!(none, identity(&config));
}

#[test]
fn a_secret_that_is_not_whole_is_none() {
    let fs = FaultyFileSystem::new();
    let path = directory().join("key");
    assert!(Secret::read(&fs, directory()).is_none());
    Secret::create(&fs, directory()).expect("no faults");
    let whole = fs.contents(&path).expect("it was made");
    let is_taken = |bytes: &[u8]| {
        fs.place(&path, bytes);
        Secret::read(&fs, directory()).is_some()
    };
    assert!(is_taken(&whole));
    assert!(!is_taken(&vec![0; whole.len()]));
    assert!(!is_taken(&[&whole[..], &[0]].concat()));
    for index in 0..whole.len() {
        assert!(!is_taken(&whole[..index]), "{index} bytes");
        let mut bytes = whole.clone();
        bytes[index] ^= 1 << (index % 8);
        assert!(!is_taken(&bytes), "byte {index}");
    }
    fs.place(&path, &whole);
    fs.make_public(&path);
    assert!(Secret::read(&fs, directory()).is_none());
}

#[test]
fn secrets_differ() {
    let [one, two] = [secret(), secret()];
    assert_ne!(one.lot(&CODE_HASH), two.lot(&CODE_HASH));
}

fn hash(number: u8) -> Digest {
    *blake3::hash(&[number]).as_bytes()
}

fn bound(files: usize, bytes: u64) -> Bound {
    Bound { files, bytes, file_bytes: 100 }
}

fn code_files(fs: &FaultyFileSystem) -> Vec<String> {
    fs.list(directory()).expect("it was made").into_iter().filter(|name| name != "key").collect()
}

/// Which of forty files stay, for modules that come in this order.
fn kept(fs: &FaultyFileSystem, bound: Bound, order: impl Iterator<Item = u8>) -> Vec<String> {
    let cache = CodeDirectory::open(Arc::new(fs.clone()), directory(), bound).expect("opens");
    order.for_each(|number| cache.keep(hash(number), &[&[number; 10], &[number]]).expect("no faults"));
    code_files(fs)
}

#[test]
fn the_bound_holds_and_what_stays_does_not_depend_on_order() {
    for (bound, expected) in [(bound(7, 1_000), 7), (bound(100, 88), 8), (bound(100, 87), 7), (bound(0, 1_000), 0)] {
        let fs = FaultyFileSystem::new();
        let forward = kept(&fs, bound, 0..40);
        assert_eq!(forward.len(), expected, "{bound:?}");
        // Again, on the same disk: replayed, and in another order after a restart.
        assert_eq!(kept(&fs, bound, 0..40), forward);
        assert_eq!(kept(&fs, bound, (0..40).rev()), forward);
        // A disk that was emptied in between, with the same secret.
        for name in &forward {
            fs.remove(&directory().join(name)).expect("it is listed");
        }
        assert_eq!(kept(&fs, bound, (0..40).rev()), forward);
    }
}

#[test]
fn a_smaller_bound_removes_what_is_beyond_it() {
    let fs = FaultyFileSystem::new();
    assert_eq!(kept(&fs, bound(30, 1_000), 0..40).len(), 30);
    assert_eq!(kept(&fs, bound(4, 1_000), 0..1).len(), 4);
}

#[test]
fn a_file_above_the_limit_is_neither_kept_nor_read() {
    let fs = FaultyFileSystem::new();
    let cache = CodeDirectory::open(Arc::new(fs.clone()), directory(), bound(9, 1_000)).expect("opens");
    cache.keep(hash(1), &[&[1; 101]]).expect("no faults");
    assert!(code_files(&fs).is_empty());
    cache.keep(hash(1), &[&[1; 50], &[2; 50]]).expect("no faults");
    assert_eq!(cache.load(&hash(1)), Some([[1; 50], [2; 50]].concat()));
    fs.place(&directory().join(&code_files(&fs)[0]), &[1; 101]);
    assert_eq!(cache.load(&hash(1)), None);
}

#[test]
fn unfinished_files_go_and_foreign_ones_stay() {
    let fs = FaultyFileSystem::new();
    let name = kept(&fs, bound(9, 1_000), 0..1).remove(0);
    let foreign = ["README".to_owned(), "notes.code".to_owned(), name.to_uppercase(), format!("x{name}")];
    for name in foreign.iter().chain([&format!("{name}.new")]) {
        fs.place(&directory().join(name), b"whatever");
    }
    let mut expected = vec![name];
    expected.extend(kept(&FaultyFileSystem::new(), bound(9, 1_000), 1..2));
    expected.extend(foreign);
    expected.sort_unstable();
    assert_eq!(kept(&fs, bound(9, 1_000), 1..2), expected);
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("it is there").mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("it is ours");
}

fn open_real(path: &Path) -> CodeDirectory {
    CodeDirectory::open(Arc::new(RealFileSystem), path, bound(9, 1_000)).expect("opens")
}

#[test]
fn the_directory_and_its_files_are_private() {
    let temporary = tempfile::tempdir().expect("a place for files");
    let path = temporary.path().join("data/code");
    let cache = open_real(&path);
    cache.keep(hash(1), &[&[1; 50]]).expect("writes");
    let name = RealFileSystem.list(&path).expect("it is there").into_iter().find(|name| name != "key").expect("kept");
    assert_eq!([mode(&path), mode(&path.join("key")), mode(&path.join(&name))], [0o700, 0o600, 0o600]);
    assert!(cache.load(&hash(1)).is_some());
    for shared in [0o640, 0o604, 0o620, 0o602, 0o601] {
        set_mode(&path.join(&name), shared);
        assert!(cache.load(&hash(1)).is_none(), "mode {shared:o}");
    }
    cache.keep(hash(1), &[&[2; 50]]).expect("replaces");
    assert_eq!((mode(&path.join(&name)), cache.load(&hash(1))), (0o600, Some(vec![2; 50])));
}

#[test]
fn what_others_may_have_read_is_no_secret_any_more() {
    let temporary = tempfile::tempdir().expect("a place for files");
    let path = temporary.path().join("code");
    let lot = |cache: &CodeDirectory| cache.secret().lot(&CODE_HASH);
    let first = lot(&open_real(&path));
    assert_eq!(lot(&open_real(&path)), first);
    set_mode(&path.join("key"), 0o644);
    assert!(CodeDirectory::read(Arc::new(RealFileSystem), &path).is_none());
    let second = lot(&open_real(&path));
    set_mode(&path, 0o750);
    assert!(CodeDirectory::read(Arc::new(RealFileSystem), &path).is_none());
    let third = lot(&open_real(&path));
    assert_eq!((mode(&path), mode(&path.join("key"))), (0o700, 0o600));
    assert!(first != second && second != third && first != third);
}

/// Only root can give a file away.
#[test]
fn files_of_another_user_are_not_ours() {
    let temporary = tempfile::tempdir().expect("a place for files");
    let path = temporary.path().join("code");
    open_real(&path);
    for owned in [path.join("key"), path.clone()] {
        if std::os::unix::fs::chown(&owned, Some(65_534), None).is_err() {
            return;
        }
        assert!(!RealFileSystem.is_private(&owned).expect("it is there"));
        assert!(CodeDirectory::read(Arc::new(RealFileSystem), &path).is_none());
    }
    // Another user's directory does not become ours.
    assert!(CodeDirectory::open(Arc::new(RealFileSystem), &path, bound(9, 1_000)).is_none());
}

/// Also a file system whose owners nobody knows takes part in no cache.
#[test]
fn a_file_system_without_owners_keeps_nothing() {
    struct NoOwners(FaultyFileSystem);
    impl FileSystem for NoOwners {
        fn open(&self, path: &Path, access: Access) -> std::io::Result<Box<dyn crate::fs::File>> {
            self.0.open(path, access)
        }
        fn create_directory(&self, path: &Path) -> std::io::Result<()> {
            self.0.create_directory(path)
        }
        fn list(&self, directory: &Path) -> std::io::Result<Vec<String>> {
            self.0.list(directory)
        }
        fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
            self.0.rename(from, to)
        }
        fn remove(&self, path: &Path) -> std::io::Result<()> {
            self.0.remove(path)
        }
        fn sync_directory(&self, directory: &Path) -> std::io::Result<()> {
            self.0.sync_directory(directory)
        }
        fn lock(&self, path: &Path) -> std::io::Result<Box<dyn std::any::Any + Send + Sync>> {
            self.0.lock(path)
        }
    }
    let fs = FaultyFileSystem::new();
    assert!(CodeDirectory::open(Arc::new(NoOwners(fs.clone())), directory(), bound(9, 1_000)).is_none());
    assert!(CodeDirectory::read(Arc::new(NoOwners(fs.clone())), directory()).is_none());
    assert_eq!(fs.operation_count(), 0);
}
