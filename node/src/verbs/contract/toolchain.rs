//! Finding a compiler that builds modules.

use std::env;
use std::ffi::OsString;
use std::path::{self, Path, PathBuf};
use std::process::{Command, Stdio};

use crate::exit::Failure;

/// What modules are built for.
pub(super) const TARGET: &str = "wasm32-unknown-unknown";

/// Where Debian's package puts its compiler, which no `rustup` knows.
const PACKAGED: &str = "/usr/bin/rustc";

const INSTALL: &str = "`rustup target add wasm32-unknown-unknown`, or on Debian `apt-get install rustc-web rust-web-src lld`; \
                       --rustc or RUSTC names another compiler";

/// A compiler that builds modules.
#[derive(Debug)]
pub(super) struct Toolchain {
    pub(super) rustc: OsString,
    /// What it says of itself, on a line.
    pub(super) version: String,
    pub(super) library: Library,
    /// Cargo's name for the linker, where the compiler has none of its own.
    pub(super) linker: Option<&'static str>,
    /// Where the standard library's sources would stand.
    pub(super) library_source: PathBuf,
}

/// How the standard library gets into a module.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Library {
    /// As the toolchain brings it.
    Prebuilt,
    /// Compiled with the module.
    FromSource,
}

impl Toolchain {
    /// The compiler that is `asked` for, or that `RUSTC` names; else the one that Cargo uses in this folder, or a packaged one,
    /// the first that brings the target's library before one that has its sources only.
    ///
    /// # Errors
    /// Exit code 1: none builds modules; each is named with what it lacks.
    pub(super) fn find(asked: Option<&Path>, folder: &Path) -> Result<Toolchain, Failure> {
        let asked = asked.map(|path| path.as_os_str().to_owned()).or_else(|| env::var_os("RUSTC")).map(from_here);
        let candidates = asked.map_or_else(|| vec!["rustc".into(), PACKAGED.into()], |asked| vec![asked]);
        let mut lacks = Vec::new();
        let mut found: Vec<Toolchain> = Vec::new();
        for rustc in candidates {
            match Toolchain::examine(&rustc, folder) {
                Ok(toolchain) => found.push(toolchain),
                Err(lack) => lacks.push(format!("{}: {lack}", rustc.display())),
            }
        }
        found.into_iter().min_by_key(|toolchain| toolchain.library).ok_or_else(|| {
            Failure::failed(format_args!("there is no compiler for {TARGET}: {}", lacks.join("; ")), INSTALL)
        })
    }

    fn examine(rustc: &OsString, folder: &Path) -> Result<Toolchain, String> {
        let ask = |arguments: &[&str]| {
            let output = Command::new(rustc).args(arguments).current_dir(folder).stderr(Stdio::null()).output();
            let output = output.map_err(|error| error.to_string())?;
            match output.status.success() {
                true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
                false => Err(format!("`{}` fails: {}", arguments.join(" "), output.status)),
            }
        };
        let sysroot = PathBuf::from(ask(&["--print", "sysroot"])?).join("lib/rustlib");
        let library_source = sysroot.join("src/rust");
        let library = match (sysroot.join(TARGET).is_dir(), library_source.join("library/core").is_dir()) {
            (true, _) => Library::Prebuilt,
            (false, true) => Library::FromSource,
            (false, false) => return Err(format!("it has no library for {TARGET}, and no sources of it")),
        };
        let about = ask(&["-vV"])?;
        let host = about.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
        let linker = match (sysroot.join(host).join("bin/rust-lld").is_file(), on_path("wasm-ld")) {
            (true, _) => None,
            (false, true) => Some("wasm-ld"),
            (false, false) => return Err("it has no linker for modules, and wasm-ld is not on the PATH".to_owned()),
        };
        let version = about.lines().next().unwrap_or_default().to_owned();
        Ok(Toolchain { rustc: rustc.clone(), version, library, linker, library_source })
    }
}

/// A path that means the same in another folder; a bare name is looked up on the PATH.
fn from_here(program: OsString) -> OsString {
    match Path::new(&program).components().count() {
        1 => program,
        _ => path::absolute(&program).map_or(program, PathBuf::into_os_string),
    }
}

fn on_path(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}
