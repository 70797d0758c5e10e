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
    parse_cpu(&read_stat(pid)?).with_context(|| format!("could not understand /proc/{pid}/stat"))
}

/// How often a family's time is read before it is taken as it is.
const FAMILY_READINGS_MAX: u32 = 20;

/// CPU time of a process, of its children that run, and of those that have ended and were waited for.
pub(crate) fn family_cpu(pid: u32) -> anyhow::Result<Duration> {
    let mut total = Duration::ZERO;
    for _ in 0..FAMILY_READINGS_MAX {
        let before = own_and_ended(pid)?;
        // A child that ends while it is read is in neither sum, or in both; then the parent's has grown.
        total = before + children(pid)?.into_iter().filter_map(|child| cpu(child).ok()).sum::<Duration>();
        if own_and_ended(pid)? == before {
            break;
        }
    }
    Ok(total)
}

fn own_and_ended(pid: u32) -> anyhow::Result<Duration> {
    let stat = read_stat(pid)?;
    // utime, stime, cutime and cstime.
    ticks(&stat, 4).with_context(|| format!("could not understand /proc/{pid}/stat"))
}

/// The processes whose parent that one is.
fn children(parent: u32) -> anyhow::Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").context("could not read /proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // One that has ended meanwhile is nobody's child any more.
        if read_stat(pid).ok().and_then(|stat| parse_parent(&stat)) == Some(parent) {
            found.push(pid);
        }
    }
    Ok(found)
}

/// The parent of the process, when the process calls itself by a title that holds this text.
pub(crate) fn parent_of_titled(pid: u32, title: &str) -> Option<u32> {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    String::from_utf8_lossy(&line).contains(title).then(|| parse_parent(&read_stat(pid).ok()?)).flatten()
}

fn read_stat(pid: u32) -> anyhow::Result<String> {
    let path = format!("/proc/{pid}/stat");
    std::fs::read_to_string(&path).with_context(|| format!("could not read {path}"))
}

pub(crate) fn resident(pid: u32) -> anyhow::Result<Resident> {
    let path = format!("/proc/{pid}/status");
    let text = std::fs::read_to_string(&path).with_context(|| format!("could not read {path}"))?;
    parse_resident(&text).with_context(|| format!("could not understand {path}"))
}

fn parse_cpu(stat: &str) -> Option<Duration> {
    ticks(stat, 2)
}

fn parse_parent(stat: &str) -> Option<u32> {
    fields(stat)?.nth(1)?.parse().ok()
}

/// The sum of that many fields from `utime` on.
fn ticks(stat: &str, count: usize) -> Option<Duration> {
    let mut times = fields(stat)?.skip(11);
    let sum = (0..count).try_fold(0_u64, |sum, _| Some(sum + times.next()?.parse::<u64>().ok()?))?;
    Some(Duration::from_millis(sum * (1_000 / TICKS_PER_S)))
}

/// The fields behind the program's name, which stands in parentheses and may itself hold blanks and parentheses.
fn fields(stat: &str) -> Option<std::str::SplitAsciiWhitespace<'_>> {
    Some(stat[stat.rfind(')')? + 1..].split_ascii_whitespace())
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
        assert_eq!(parse_parent(stat), Some(1));
        assert_eq!(ticks(stat, 4), Some(Duration::from_millis(1_830)));
        assert_eq!(parse_cpu("4242 (x) S 1"), None);
    }

    #[test]
    fn resident_memory_is_read_in_bytes() {
        let status = "Name:\tpostrider\nVmPeak:\t  999 kB\nVmHWM:\t   2048 kB\nVmRSS:\t   1024 kB\n";
        assert_eq!(parse_resident(status), Some(Resident { now: 1_048_576, peak: 2_097_152 }));
        assert_eq!(parse_resident("Name:\tkthreadd\n"), None);
    }

    #[test]
    fn a_family_is_a_process_with_its_children() {
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let pid = std::process::id();
        assert!(children(pid).unwrap().contains(&child.id()));
        assert_eq!(parent_of_titled(child.id(), "cat"), Some(pid));
        assert_eq!(parent_of_titled(child.id(), "no such title"), None);
        assert!(family_cpu(pid).unwrap() >= cpu(pid).unwrap());
        drop(child.stdin.take());
        child.wait().unwrap();
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
