//! What goes over the pipes of a process that compiles.
//!
//! ```text
//! job     step u8: 0 quick, 1 optimised | secret [32] | code hash [32] | bytes u32 | instrumented module
//! answer  kind u8: 0 machine code, 1 a text that says why there is none | bytes u32 | what it is
//! ```
//!
//! Numbers are little-endian. Machine code comes as a file of it would be: sealed, with the job's secret, which is used once.

use super::CompileStep;
use crate::digest::Digest;
use crate::limits::INSTRUMENTED_BYTES_MAX;
use std::io::{self, Read, Write};

/// Bytes of an answer: what a process that went mad may cost us. Machine code of the largest module takes 64 MiB at most.
const ANSWER_BYTES_MAX: u32 = 256 << 20;
const HEAD_BYTES: usize = 1 + 32 + 32 + 4;

/// A module to be compiled.
pub(super) struct Job {
    pub(super) step: CompileStep,
    pub(super) secret: [u8; 32],
    pub(super) code_hash: Digest,
    pub(super) wasm: Vec<u8>,
}

/// What became of it: a sealed file of machine code, or the compiler's text.
pub(super) type Answer = Result<Vec<u8>, String>;

/// Writes a job.
pub(super) fn write_job(
    to: &mut impl Write,
    step: CompileStep,
    secret: &[u8; 32],
    code_hash: &Digest,
    wasm: &[u8],
) -> io::Result<()> {
    let bytes = u32::try_from(wasm.len()).map_err(|_| too_long(wasm.len() as u64))?;
    let mut head = [0; HEAD_BYTES];
    head[0] = u8::from(step == CompileStep::Optimised);
    head[1..33].copy_from_slice(secret);
    head[33..65].copy_from_slice(code_hash);
    head[65..].copy_from_slice(&bytes.to_le_bytes());
    to.write_all(&head)?;
    to.write_all(wasm)?;
    to.flush()
}

/// Reads a job; `None` at the end of them.
pub(super) fn read_job(from: &mut impl Read) -> io::Result<Option<Job>> {
    let mut head = [0; HEAD_BYTES];
    if from.read(&mut head[..1])? == 0 {
        return Ok(None);
    }
    from.read_exact(&mut head[1..])?;
    let step = match head[0] {
        0 => CompileStep::Quick,
        1 => CompileStep::Optimised,
        other => return Err(io::Error::other(format!("a job of step {other}, the last is 1"))),
    };
    let bytes = u32::from_le_bytes(head[65..].try_into().expect("4 bytes"));
    let wasm = read_bytes(from, bytes, INSTRUMENTED_BYTES_MAX as u32)?;
    let secret = head[1..33].try_into().expect("32 bytes");
    let code_hash = head[33..65].try_into().expect("32 bytes");
    Ok(Some(Job { step, secret, code_hash, wasm }))
}

/// Writes what became of a job: head and machine code, or a text.
pub(super) fn write_answer(to: &mut impl Write, answer: &Result<[&[u8]; 2], &str>) -> io::Result<()> {
    let (kind, parts) = match answer {
        Ok(parts) => (0, *parts),
        Err(text) => (1, [text.as_bytes(), &[]]),
    };
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    let bytes = u32::try_from(length).map_err(|_| too_long(length as u64))?;
    to.write_all(&[kind])?;
    to.write_all(&bytes.to_le_bytes())?;
    parts.iter().try_for_each(|part| to.write_all(part))?;
    to.flush()
}

/// Reads what became of a job.
pub(super) fn read_answer(from: &mut impl Read) -> io::Result<Answer> {
    let mut head = [0; 5];
    from.read_exact(&mut head)?;
    let bytes = read_bytes(from, u32::from_le_bytes(head[1..].try_into().expect("4 bytes")), ANSWER_BYTES_MAX)?;
    match head[0] {
        0 => Ok(Ok(bytes)),
        1 => Ok(Err(String::from_utf8_lossy(&bytes).into_owned())),
        other => Err(io::Error::other(format!("an answer of kind {other}, the last is 1"))),
    }
}

/// Grows with what comes, not with what is announced.
fn read_bytes(from: &mut impl Read, bytes: u32, most: u32) -> io::Result<Vec<u8>> {
    if bytes > most {
        return Err(io::Error::other(format!("a message of {bytes} bytes, the limit is {most}")));
    }
    let mut read = Vec::new();
    from.take(u64::from(bytes)).read_to_end(&mut read)?;
    if read.len() < bytes as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(read)
}

fn too_long(bytes: u64) -> io::Error {
    io::Error::other(format!("a message of {bytes} bytes, the limit is {}", u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Vec<u8> {
        let mut bytes = Vec::new();
        write_job(&mut bytes, CompileStep::Optimised, &[1; 32], &[2; 32], b"module").expect("memory takes all");
        bytes
    }

    #[test]
    fn jobs_come_as_they_went_and_end() {
        let mut bytes = &job()[..];
        let job = read_job(&mut bytes).expect("whole").expect("a job");
        assert_eq!((job.step, job.secret, job.code_hash), (CompileStep::Optimised, [1; 32], [2; 32]));
        assert_eq!(job.wasm, b"module");
        assert!(read_job(&mut bytes).expect("the end is no error").is_none());
    }

    #[test]
    fn what_is_cut_or_too_long_or_of_no_kind_is_an_error() {
        let whole = job();
        for length in 1..whole.len() {
            assert!(read_job(&mut &whole[..length]).is_err(), "cut to {length} bytes");
        }
        let mut long = whole.clone();
        long[65..69].copy_from_slice(&(INSTRUMENTED_BYTES_MAX as u32 + 1).to_le_bytes());
        let text = read_job(&mut &long[..]).err().expect("too long").to_string();
        assert_eq!(text, "a message of 4194305 bytes, the limit is 4194304");
        let mut other = whole;
        other[0] = 2;
        assert!(read_job(&mut &other[..]).is_err());
        assert!(read_answer(&mut &[2, 0, 0, 0, 0][..]).is_err());
        assert!(read_answer(&mut &[0, 0, 0, 0, 0xff][..]).is_err());
    }

    #[test]
    fn answers_come_as_they_went() {
        let mut bytes = Vec::new();
        write_answer(&mut bytes, &Ok([b"head", b"code"])).expect("memory takes all");
        write_answer(&mut bytes, &Err("why")).expect("memory takes all");
        let mut bytes = &bytes[..];
        assert_eq!(read_answer(&mut bytes).expect("whole"), Ok(b"headcode".to_vec()));
        assert_eq!(read_answer(&mut bytes).expect("whole"), Err("why".to_owned()));
    }
}
