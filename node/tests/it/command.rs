//! Running the binary.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The binary, ready for arguments.
pub(crate) fn phalanx() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_phalanx"));
    command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    // No settings but a test's own.
    command.env("XDG_CONFIG_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/no-configuration"));
    command
}

/// What a run of the binary left.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn of(output: Output) -> Ended {
        let text = |bytes| String::from_utf8(bytes).expect("the command prints UTF-8");
        let code = output.status.code().expect("the command ends by itself");
        Ended { code, stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Fails the test unless the command ended with this code.
    #[track_caller]
    pub(crate) fn with_code(self, code: i32) -> Ended {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// The JSON object on standard output, which is all there is, and its schema.
    #[track_caller]
    pub(crate) fn json(&self, schema: &str) -> Value {
        let value: Value = serde_json::from_str(&self.stdout).expect("one JSON object on standard output");
        assert_eq!(value["schema"], schema);
        assert!(self.stdout.ends_with("}\n"));
        value
    }
}

/// Runs the binary with arguments.
pub(crate) fn run<A: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = A>) -> Ended {
    Ended::of(phalanx().args(arguments).output().expect("the binary starts"))
}

/// Runs a verb on a data directory.
pub(crate) fn on_directory(verb: &[&str], directory: &Path, rest: &[&str]) -> Ended {
    let directory = directory.to_str().expect("a temporary path is UTF-8");
    run([verb, &["--data-dir", directory], rest].concat())
}

/// `phalanx run` of a file.
pub(crate) fn run_file(directory: &Path, calls: &Path, rest: &[&str]) -> Ended {
    let calls = calls.to_str().expect("a temporary path is UTF-8");
    on_directory(&["run"], directory, &[&["--calls", calls], rest].concat())
}

/// A built contract of this repository.
pub(crate) fn module(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../contracts/wasm").join(name)
}
