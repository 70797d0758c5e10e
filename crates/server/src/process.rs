//! What the kernel says about this process, under the names that Prometheus' own clients use, so that common dashboards and alarms know
//! them. Where there is no `/proc`, these numbers are left out.

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};
use postrider_domain::Millis;

const STARTED: &str = "process_start_time_seconds";
const RESIDENT: &str = "process_resident_memory_bytes";
const CPU: &str = "process_cpu_seconds_total";
const OPEN_FILES: &str = "process_open_fds";
const OPEN_FILES_MAX: &str = "process_max_fds";

/// Ticks in a second of `utime` and `stime`: `USER_HZ`, 100 on every architecture that a release is built for (proc_pid_stat(5)).
const TICKS_PER_S: u64 = 100;

/// Says once what the numbers mean, and when the process started: from the clock, since hardened hosts hide the kernel's own answer.
pub(crate) fn begin(now: Millis) {
    gauge!(STARTED).set(now.0 as f64 / 1_000.0);
    describe_gauge!(STARTED, Unit::Seconds, "When the server started, in seconds since 1970");
    describe_gauge!(RESIDENT, Unit::Bytes, "Memory of the process that is in RAM");
    describe_counter!(CPU, Unit::Seconds, "CPU time that the process has used, in whole seconds");
    describe_gauge!(OPEN_FILES, "Open files and connections of the process");
    describe_gauge!(OPEN_FILES_MAX, "How many files and connections the process may have open");
}

/// Sets the numbers to what they are now. Reads files that the kernel makes up, so it blocks for a moment.
pub(crate) fn measure() {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{name}")).unwrap_or_default();
    if let Some(seconds) = cpu_seconds(&read("self/stat")) {
        counter!(CPU).absolute(seconds);
    }
    if let Some(bytes) = resident_bytes(&read("self/status")) {
        gauge!(RESIDENT).set(bytes as f64);
    }
    if let Some(count) = open_files_max(&read("self/limits")) {
        gauge!(OPEN_FILES_MAX).set(count as f64);
    }
    if let Ok(entries) = std::fs::read_dir("/proc/self/fd") {
        // One of them is this look itself.
        gauge!(OPEN_FILES).set(entries.count().saturating_sub(1) as f64);
    }
}

/// A numbered field of `/proc/self/stat`. The second is the program's name in parentheses, which may hold blanks and parentheses itself.
fn field(stat: &str, number: usize) -> Option<u64> {
    let after_name = stat.get(stat.rfind(')')? + 1..)?;
    after_name.split_ascii_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

fn cpu_seconds(stat: &str) -> Option<u64> {
    Some((field(stat, 14)? + field(stat, 15)?) / TICKS_PER_S)
}

fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1_024)
}

/// None when there is no limit.
fn open_files_max(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "42 (post) rider (1)) S 1 42 42 0 -1 4194560 900 0 3 0 123 45 7 8 20 0 5 0 25000 1 2 3";

    #[test]
    fn a_program_name_with_blanks_and_parentheses_shifts_nothing() {
        assert_eq!(cpu_seconds(STAT), Some(1));
        assert_eq!(cpu_seconds("42 (x) S 1"), None);
        assert_eq!(cpu_seconds(""), None);
    }

    #[test]
    fn memory_is_read_in_bytes_and_no_limit_is_no_number() {
        assert_eq!(resident_bytes("VmHWM:\t 2048 kB\nVmRSS:\t   1024 kB\n"), Some(1_048_576));
        assert_eq!(open_files_max("Max open files            1024      524288      files\n"), Some(1_024));
        assert_eq!(open_files_max("Max open files            unlimited unlimited   files\n"), None);
    }
}
