//! Instructions of single phases, counted by callgrind and compared with `benches/instructions.json`:
//!
//! ```sh
//! cargo bench -p phalanx-benches --bench instructions                # fails if a phase changed by more than 0.5 %
//! cargo bench -p phalanx-benches --bench instructions -- --write     # makes the file again
//! ```
//!
//! Each phase runs in a process of its own, once with some repeats and once with twice as many, and the difference is counted:
//! what sets it up cancels out. Needs valgrind. Counts are those of one compiler and of a processor with AVX2. With `-- --test`
//! each phase runs once, uncounted.
//!
//! Not gungraun: its runner is one more binary of a matching version to install, and the phases need subtraction, not its entry
//! points, as they run on threads of the engine's own.

mod phases;

use phalanx_benches::instructions::{Counts, callgrind_total};
use phases::{PHASES, Phase};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = |name: &str| arguments.iter().any(|argument| argument == name);
    if let [name, repeats] = &arguments[..]
        && let (Some(phase), Ok(repeats)) = (PHASES.iter().find(|phase| phase.name == name), repeats.parse())
    {
        (phase.run)(phase.repeats * 2, repeats);
        return ExitCode::SUCCESS;
    }
    if given("--test") {
        PHASES.iter().for_each(|phase| (phase.run)(1, 1));
        return ExitCode::SUCCESS;
    }
    if let Some(other) = arguments.iter().find(|argument| !["--write", "--bench"].contains(&&***argument)) {
        eprintln!("{other} means nothing here: there is --write, and --test");
        return ExitCode::FAILURE;
    }
    match count_all().and_then(|counts| if given("--write") { write(&counts) } else { compare(&counts) }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("{what}");
            ExitCode::FAILURE
        }
    }
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.json")
}

fn write(counts: &Counts) -> Result<(), String> {
    std::fs::write(file(), counts.to_text()).map_err(|error| format!("{}: {error}", file().display()))
}

fn compare(counts: &Counts) -> Result<(), String> {
    let text = std::fs::read_to_string(file())
        .map_err(|error| format!("{}: {error}; `-- --write` makes it", file().display()))?;
    let before = Counts::parse(&text).map_err(|what| format!("{}: {what}", file().display()))?;
    let changes = counts.changes(&before);
    if changes.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = changes.iter().map(ToString::to_string).collect();
    Err(format!("{}\nif that is meant, `-- --write` makes {} again", lines.join("\n"), file().display()))
}

fn count_all() -> Result<Counts, String> {
    if cfg!(debug_assertions) {
        return Err("counts are those of an optimised build: use `cargo bench`".to_owned());
    }
    let mut phases = BTreeMap::new();
    for phase in PHASES {
        let (once, twice) = (count(phase, phase.repeats)?, count(phase, 2 * phase.repeats)?);
        let more = twice.checked_sub(once).ok_or_else(|| format!("{}: twice the work took less", phase.name))?;
        let count = more / u64::from(phase.repeats);
        println!("{:<10} {count:>12} instructions: {}", phase.name, phase.what);
        phases.insert(phase.name.to_owned(), count);
    }
    Ok(Counts::new(phases))
}

/// Instructions of a process that runs a phase.
fn count(phase: &Phase, repeats: u32) -> Result<u64, String> {
    let folder = tempfile::tempdir().map_err(|error| format!("a temporary folder: {error}"))?;
    let out = folder.path().join("callgrind.out");
    let this = std::env::current_exe().map_err(|error| format!("the path of this binary: {error}"))?;
    let mut option = std::ffi::OsString::from("--callgrind-out-file=");
    option.push(&out);
    // Machine code of contracts is made while the process runs, and its memory used again.
    let valgrind = Command::new("valgrind")
        .args(["--tool=callgrind", "--smc-check=all-non-file", "--quiet"])
        .arg(option)
        .arg(this)
        .args([phase.name, &repeats.to_string()])
        .stdout(Stdio::null())
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    if !valgrind.status.success() {
        return Err(format!("{}: {}", phase.name, String::from_utf8_lossy(&valgrind.stderr)));
    }
    let file = std::fs::read_to_string(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    callgrind_total(&file).ok_or_else(|| format!("{}: callgrind left no total", phase.name))
}
