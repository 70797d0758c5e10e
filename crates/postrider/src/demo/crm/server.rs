//! A Postgres of the demo's own: in a temporary directory, on a free port of this machine, gone when the demo is gone.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use anyhow::{Context as _, anyhow, bail, ensure};
use data_encoding::HEXLOWER;
use postrider_domain::Secret;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::process::{Child, Command};

/// Ports that are tried: another program may take one before Postgres does.
const PORTS_TRIED: u32 = 5;
const PASSWORD_BYTES: usize = 16;
/// Who may run Postgres in place of root, which it refuses: the first that is there.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];
const MISSING: &str = "--crm needs Postgres, version 13 or later, which is not installed here; install it and run this again: `apt-get install postgresql` \
                       (Debian, Ubuntu), `dnf install postgresql-server` (Fedora), `brew install postgresql` (macOS)";

/// Ends the server and removes its directory once its standard input ends: when the demo stops, and also when it is killed.
const KEEPER: &str =
    r#"cat >/dev/null; "$1/pg_ctl" stop --silent --mode=immediate -D "$2/data" >/dev/null 2>&1; rm -rf -- "$2""#;

/// A running Postgres.
pub(super) struct PrivateServer {
    programs: Programs,
    port: u16,
    password: Secret,
    /// Watches over its end.
    keeper: Child,
}

/// Postgres' programs, and how they are run.
struct Programs {
    bin: PathBuf,
    folder: PathBuf,
    /// User and group, where another than this process' own is needed.
    user: Option<(u32, u32)>,
}

impl PrivateServer {
    /// Starts one of those that are installed, in `path` among other places. `postgres` is its superuser.
    pub(super) async fn start(path: &str) -> anyhow::Result<Self> {
        let bin = bin(&folders(path)).context(MISSING)?;
        let folder = tempfile::Builder::new().prefix("postrider-demo-crm-").tempdir();
        let folder = folder.context("no temporary directory can be made")?;
        let user = unprivileged(folder.path())?;
        let password = password()?;
        write_password(folder.path(), &password, user)?;
        let mut programs = Programs { bin, folder: folder.path().to_owned(), user };
        let keeper = programs.keeper()?;
        // From here on the keeper removes it.
        programs.folder = folder.keep();
        programs.initialise().await?;
        let port = programs.listen().await?;
        Ok(PrivateServer { programs, port, password, keeper })
    }

    /// The address of a database for a role, which has the server's one password.
    pub(super) fn url(&self, role: &str, database: &str) -> Secret {
        let password = self.password.reveal();
        Secret::new(format!("postgres://{role}:{password}@127.0.0.1:{}/{database}", self.port))
    }

    pub(super) fn password(&self) -> &Secret {
        &self.password
    }

    /// Ends it, and leaves nothing.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        drop(self.keeper.stdin.take());
        self.keeper.wait().await.context("the CRM's Postgres could not be ended")?;
        // Whoever runs Postgres may remove what is in the directory, and not always the directory itself.
        match std::fs::remove_dir_all(&self.programs.folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("{} could not be removed", self.programs.folder.display()))
            }
            _ => Ok(()),
        }
    }
}

impl Programs {
    fn command(&self, program: &str) -> Command {
        self.any(&self.bin.join(program))
    }

    /// What is typed at the terminal, such as Ctrl-C, is for the demo and not for its programs.
    fn any(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.folder).env("LC_ALL", "C").stdin(Stdio::null()).process_group(0);
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }

    fn keeper(&self) -> anyhow::Result<Child> {
        let mut command = self.any(Path::new("/bin/sh"));
        command.args(["-c", KEEPER, "keeper"]).arg(&self.bin).arg(&self.folder);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        command.current_dir("/").spawn().context("/bin/sh cannot be run")
    }

    async fn initialise(&self) -> anyhow::Result<()> {
        let mut command = self.command("initdb");
        command.args(["--no-sync", "--auth=scram-sha-256", "--username=postgres", "--encoding=UTF8", "--locale=C"]);
        command.args(["--pwfile=password", "-D", "data"]);
        let output = command.output().await.context("initdb cannot be run")?;
        ensure!(output.status.success(), "initdb failed: {}", said(&output));
        Ok(())
    }

    async fn listen(&self) -> anyhow::Result<u16> {
        let mut last = anyhow!("no port of this machine is free");
        for _ in 0..PORTS_TRIED {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
            let options = format!(
                "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c max_connections=30 -c shared_buffers=16MB"
            );
            let mut command = self.command("pg_ctl");
            command.args(["start", "--silent", "--wait", "-D", "data", "-l", "log", "-o", &options]);
            let output = command.stdout(Stdio::null()).stderr(Stdio::null()).status().await;
            if output.context("pg_ctl cannot be run")?.success() {
                return Ok(port);
            }
            let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            last = anyhow!("the CRM's Postgres does not start: {}", log.lines().last().unwrap_or("it says nothing"));
        }
        Err(last)
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ")
}

/// Where Postgres' programs may be: where packages put the newest versions beside each other, then where the shell finds programs.
fn folders(path: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["/usr/lib/postgresql", "/usr", "/usr/local/opt", "/opt/homebrew/opt"] {
        let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        let is_postgres = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            folder.ends_with("postgresql") || name.starts_with("pgsql-") || name.starts_with("postgresql")
        };
        found.extend(entries.filter(is_postgres).map(|path| path.join("bin")));
    }
    found.sort_by_key(|bin| std::cmp::Reverse(version(bin)));
    found.extend(std::env::split_paths(path));
    found
}

/// The version in a folder's name, e.g. 15 of `/usr/lib/postgresql/15/bin`.
fn version(bin: &Path) -> u32 {
    let name = bin.parent().and_then(|folder| folder.file_name()?.to_str()).unwrap_or_default();
    let digits: String = name.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_default()
}

/// The first folder that has what is needed.
fn bin(folders: &[PathBuf]) -> Option<PathBuf> {
    let has_all = |folder: &&PathBuf| ["initdb", "pg_ctl", "postgres"].iter().all(|name| folder.join(name).is_file());
    folders.iter().find(has_all).cloned()
}

/// Who is to run it instead of root, to whom the directory is then given; nobody else where this process is not root's.
fn unprivileged(folder: &Path) -> anyhow::Result<Option<(u32, u32)>> {
    const ROOT: u32 = 0;
    if std::fs::metadata(folder)?.uid() != ROOT {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd").context("/etc/passwd cannot be read")?;
    let Some((user, group)) = UNPRIVILEGED.iter().find_map(|name| ids(&users, name)) else {
        bail!(
            "Postgres does not run as root, and there is neither a user postgres nor nobody; run the demo as another user"
        );
    };
    chown(folder, Some(user), Some(group))?;
    Ok(Some((user, group)))
}

/// User and group of a name, as passwd(5) writes them.
fn ids(users: &str, name: &str) -> Option<(u32, u32)> {
    let mut fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let fields = fields.find(|fields| fields.first() == Some(&name))?;
    Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
}

fn password() -> anyhow::Result<Secret> {
    let mut random = [0; PASSWORD_BYTES];
    SystemRandom::new().fill(&mut random).map_err(|_| anyhow!("the system gives no random bytes"))?;
    Ok(Secret::new(HEXLOWER.encode(&random)))
}

/// Where initdb reads it; the directory is its user's alone.
fn write_password(folder: &Path, password: &Secret, user: Option<(u32, u32)>) -> anyhow::Result<()> {
    let file = folder.join("password");
    std::fs::write(&file, password.reveal())?;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600))?;
    if let Some((user, group)) = user {
        chown(&file, Some(user), Some(group))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_read_as_the_system_writes_them() {
        let users = "root:x:0:0:root:/root:/bin/bash\npostgres:x:105:112:PostgreSQL:/var/lib/postgresql:/bin/bash\n";
        assert_eq!((ids(users, "postgres"), ids(users, "post")), (Some((105, 112)), None));
    }

    #[test]
    fn the_newest_version_is_taken_and_a_folder_without_its_programs_is_none() {
        assert_eq!(version(Path::new("/usr/lib/postgresql/15/bin")), 15);
        assert_eq!(version(Path::new("/opt/homebrew/opt/postgresql@17/bin")), 17);
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(bin(&[empty.path().to_owned()]), None);
    }
}
