//! Resident memory of this process, as the kernel counts it.

/// Bytes of resident memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resident {
    /// Now; 0 where the kernel does not tell.
    pub(crate) now: u64,
    /// The most there ever was.
    pub(crate) peak: u64,
}

/// Reads both figures.
pub(crate) fn resident() -> Resident {
    std::fs::read_to_string("/proc/self/status").map_or_else(|_| Resident::default(), |status| parse(&status))
}

fn parse(status: &str) -> Resident {
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib << 10)
    };
    Resident { now: bytes("VmRSS:").unwrap_or(0), peak: bytes("VmHWM:").unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use super::{Resident, parse};

    #[test]
    fn reads_what_the_kernel_writes() {
        let status = "Name:\tphalanx\nVmPeak:\t  999 kB\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(parse(status), Resident { now: 1 << 20, peak: 2 << 20 });
        assert_eq!(parse("nothing"), Resident::default());
    }
}
