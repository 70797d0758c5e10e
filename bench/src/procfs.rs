//! What the kernel says about a process.

use std::time::Duration;

use anyhow::Context as _;

/// Ticks of `utime` and `stime` in a second: `USER_HZ`, which the kernel keeps at 100 for programs on x86-64 and AArch64,
/// whatever its own tick (proc_pid_stat(5) and `asm-generic/param.h`).
const TICKS_PER_S: u64 = 100;

/// Resident memory of a process, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resident {
    pub(crate) now: u64,
    pub(crate) peak: u64,
}

/// CPU time that the process's threads have used, in user and kernel mode together.
pub(crate) fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let text = std::fs::read_to_string(&path).with_context(|| format!("could not read {path}"))?;
    parse_cpu(&text).with_context(|| format!("could not understand {path}"))
}

pub(crate) fn resident(pid: u32) -> anyhow::Result<Resident> {
    let path = format!("/proc/{pid}/status");
    let text = std::fs::read_to_string(&path).with_context(|| format!("could not read {path}"))?;
    parse_resident(&text).with_context(|| format!("could not understand {path}"))
}

fn parse_cpu(stat: &str) -> Option<Duration> {
    // The second field is the program's name in parentheses, and may itself hold blanks and parentheses.
    let fields = &stat[stat.rfind(')')? + 1..];
    let mut times = fields.split_ascii_whitespace().skip(11);
    let user: u64 = times.next()?.parse().ok()?;
    let kernel: u64 = times.next()?.parse().ok()?;
    Some(Duration::from_millis((user + kernel) * (1_000 / TICKS_PER_S)))
}

fn parse_resident(status: &str) -> Option<Resident> {
    let bytes = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1_024)
    };
    Some(Resident { now: bytes("VmRSS:")?, peak: bytes("VmHWM:")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_with_blanks_and_parentheses_shifts_nothing() {
        let stat = "4242 (post) rider (1)) S 1 4242 4242 0 -1 4194560 900 0 3 0 123 45 7 8 20 0 5 0 100 1 2 3";
        assert_eq!(parse_cpu(stat), Some(Duration::from_millis(1_680)));
        assert_eq!(parse_cpu("4242 (x) S 1"), None);
    }

    #[test]
    fn resident_memory_is_read_in_bytes() {
        let status = "Name:\tpostrider\nVmPeak:\t  999 kB\nVmHWM:\t   2048 kB\nVmRSS:\t   1024 kB\n";
        assert_eq!(parse_resident(status), Some(Resident { now: 1_048_576, peak: 2_097_152 }));
        assert_eq!(parse_resident("Name:\tkthreadd\n"), None);
    }

    #[test]
    fn this_process_can_be_read() {
        let pid = std::process::id();
        cpu(pid).unwrap();
        let resident = resident(pid).unwrap();
        assert!(resident.now > 0 && resident.peak >= resident.now);
        assert!(cpu(u32::MAX).is_err());
    }
}
