//! What the figures were measured on.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Serialize;

/// The machine, as far as figures depend on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Cores that this process may use.
    pub cores: usize,
    /// The processor's name for itself.
    pub cpu: String,
    /// The kernel's release.
    pub kernel: String,
    /// The file system that the server's data was on.
    pub filesystem: String,
}

impl Machine {
    /// This machine, with data in that directory.
    pub(crate) fn of(data: &Path) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Machine {
            cores: cores(),
            cpu: cpu_name(&read("/proc/cpuinfo")).unwrap_or("unknown").to_owned(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            filesystem: filesystem(&read("/proc/self/mountinfo"), data).unwrap_or("unknown").to_owned(),
        }
    }

    /// Whether what is synced to that file system outlives a power cut.
    pub(crate) fn is_durable(&self) -> bool {
        !matches!(self.filesystem.as_str(), "tmpfs" | "ramfs")
    }
}

pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Where servers keep their data when nothing else is said.
pub(crate) fn data_parent() -> PathBuf {
    let on_disk = PathBuf::from("/var/tmp");
    if on_disk.is_dir() { on_disk } else { std::env::temp_dir() }
}

/// Synced appends of 4 KiB a second, one after another: what every commit waits for.
pub(crate) fn syncs_per_s(directory: &Path, duration: Duration) -> anyhow::Result<f64> {
    let path = directory.join("syncs");
    let mut file = File::create(&path).context("could not create a file to sync")?;
    let page = [0x5a; 4_096];
    let began = Instant::now();
    let mut syncs = 0_u32;
    while syncs == 0 || began.elapsed() < duration {
        file.write_all(&page)?;
        file.sync_data().context("could not sync a file")?;
        syncs += 1;
    }
    let rate = f64::from(syncs) / began.elapsed().as_secs_f64();
    fs::remove_file(path)?;
    Ok(rate)
}

fn cpu_name(cpuinfo: &str) -> Option<&str> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim())
}

/// The type of the file system that holds the path: the mount with the longest path above it (proc_pid_mountinfo(5)).
fn filesystem<'a>(mountinfo: &'a str, path: &Path) -> Option<&'a str> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        Some((Path::new(mount.split(' ').nth(4)?), kind.split(' ').next()?))
    });
    // Of equals the last counts: it was mounted over the others.
    mounts.filter(|(at, _)| path.starts_with(at)).max_by_key(|(at, _)| at.as_os_str().len()).map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_decides_the_file_system() {
        let mountinfo = "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
                         30 22 0:26 / /tmp rw shared:5 - tmpfs tmpfs rw\n";
        assert_eq!(filesystem(mountinfo, Path::new("/tmp/x")), Some("tmpfs"));
        assert_eq!(filesystem(mountinfo, Path::new("/tmpx")), Some("ext4"));
        assert_eq!(filesystem("", Path::new("/")), None);
    }

    #[test]
    fn memory_is_not_durable() {
        let on = |filesystem: &str| Machine { filesystem: filesystem.to_owned(), ..Machine::default() };
        assert!(on("ext4").is_durable() && !on("tmpfs").is_durable());
    }

    #[test]
    fn the_processor_names_itself() {
        assert_eq!(cpu_name("processor\t: 0\nmodel name\t: Some CPU @ 2GHz\n"), Some("Some CPU @ 2GHz"));
        assert_eq!(cpu_name(""), None);
    }

    #[test]
    fn syncing_leaves_no_file() {
        let directory = tempfile::tempdir().unwrap();
        assert!(syncs_per_s(directory.path(), Duration::ZERO).unwrap() > 0.0);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
