//! Where whoever may open the data directory asks the process that has it for a backup: a socket in the directory.
//!
//! A request is one line, `backup TOKEN PATH`: the path in hexadecimal, of a file that holds the token. So both see the same file by that name, and
//! whoever asks may write it. Answers are lines, too: `copied PAGES ALL` again and again, then `done PAGES ALL` or `failed REASON`.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use data_encoding::HEXLOWER;

use super::{Copied, copy_running};
use crate::error::StoreError;
use crate::sqlite::writer::WriterShared;

/// In the data directory.
const SOCKET_FILE: &str = "postrider.sock";
/// The longest line, in bytes.
pub(super) const LINE_BYTES_MAX: u64 = 16 * 1024;
/// How long somebody who connected may take for the request, and for taking an answer.
const REQUEST_LASTS: Duration = Duration::from_secs(5);
/// The longest path of a socket that every system takes, in bytes.
const SOCKET_PATH_BYTES_MAX: usize = 100;

/// A path to the socket that is short enough for the system, with what keeps it valid.
struct Place {
    path: PathBuf,
    _dir: Option<File>,
}

impl Place {
    fn of(dir: &Path) -> io::Result<Self> {
        let path = dir.join(SOCKET_FILE);
        if path.as_os_str().len() <= SOCKET_PATH_BYTES_MAX {
            return Ok(Place { path, _dir: None });
        }
        let dir = File::open(dir)?;
        let path = Path::new("/proc/self/fd").join(dir.as_raw_fd().to_string()).join(SOCKET_FILE);
        Ok(Place { path, _dir: Some(dir) })
    }
}

/// Connects to the process that has the directory.
pub(super) fn connect(dir: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(Place::of(dir)?.path)
}

/// What is asked for.
pub(super) struct Request<'a> {
    pub(super) token: &'a str,
    pub(super) path: &'a Path,
}

impl Request<'_> {
    pub(super) fn line(&self) -> String {
        format!("backup {} {}", self.token, HEXLOWER.encode(self.path.as_os_str().as_bytes()))
    }
}

/// What is answered.
pub(super) enum Answer {
    Copied(Copied),
    Done(Copied),
    Failed(String),
}

impl Answer {
    fn line(&self) -> String {
        match self {
            Answer::Copied((pages, all)) => format!("copied {pages} {all}"),
            Answer::Done((pages, all)) => format!("done {pages} {all}"),
            Answer::Failed(reason) => format!("failed {}", reason.replace('\n', " ")),
        }
    }

    pub(super) fn read(line: &str) -> Option<Self> {
        let (word, rest) = line.split_once(' ')?;
        let pages = || rest.split_once(' ').and_then(|(pages, all)| Some((pages.parse().ok()?, all.parse().ok()?)));
        match word {
            "copied" => pages().map(Answer::Copied),
            "done" => pages().map(Answer::Done),
            "failed" => Some(Answer::Failed(rest.to_owned())),
            _ => None,
        }
    }
}

/// Hears requests until it is dropped.
pub(in crate::sqlite) struct Listener {
    dir: PathBuf,
    is_closed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Begins to listen in a directory that this process has. A file system that holds no sockets is no reason not to start.
    pub(in crate::sqlite) fn start(dir: &Path, shared: Arc<WriterShared>) -> Option<Self> {
        let started = Self::listen(dir, shared);
        if let Err(error) = &started {
            tracing::warn!(%error, dir = %dir.display(), "no backup can be asked for while this process runs");
        }
        started.ok()
    }

    fn listen(dir: &Path, shared: Arc<WriterShared>) -> io::Result<Self> {
        let place = Place::of(dir)?;
        remove(dir)?;
        let listener = UnixListener::bind(&place.path)?;
        std::fs::set_permissions(&place.path, Permissions::from_mode(0o600))?;
        let is_closed = Arc::new(AtomicBool::new(false));
        let closed = Arc::clone(&is_closed);
        let thread = std::thread::Builder::new().name("store-backup".to_owned());
        let thread = thread.spawn(move || hear(&listener, &shared, &closed))?;
        Ok(Listener { dir: dir.to_owned(), is_closed, thread: Some(thread) })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.is_closed.store(true, Ordering::Release);
        // It waits for somebody to connect. If nobody can, it ends with the process.
        let is_woken = connect(&self.dir).is_ok();
        if let Some(thread) = self.thread.take()
            && is_woken
            && thread.join().is_err()
        {
            tracing::error!("the thread that hears of backups panicked");
        }
        let _ = remove(&self.dir);
    }
}

/// Removes the socket, which an earlier process may have left behind.
fn remove(dir: &Path) -> io::Result<()> {
    match std::fs::remove_file(dir.join(SOCKET_FILE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn hear(listener: &UnixListener, shared: &WriterShared, is_closed: &AtomicBool) {
    for stream in listener.incoming() {
        if is_closed.load(Ordering::Acquire) {
            return;
        }
        let answered = stream.and_then(|stream| answer(&stream, shared));
        if let Err(error) = answered {
            tracing::debug!(%error, "whoever asked for a backup has gone");
        }
    }
}

fn answer(stream: &UnixStream, shared: &WriterShared) -> io::Result<()> {
    stream.set_read_timeout(Some(REQUEST_LASTS))?;
    stream.set_write_timeout(Some(REQUEST_LASTS))?;
    let mut line = String::new();
    BufReader::new(stream.take(LINE_BYTES_MAX)).read_line(&mut line)?;
    let tell = |answer: &Answer| writeln!(&*stream, "{}", answer.line());
    let made = asked_for(line.trim_end()).and_then(|path| {
        tracing::info!(path = %path.display(), "a backup is made");
        let told = |copied| tell(&Answer::Copied(copied)).is_ok();
        copy_running(shared, &path, told).map_err(|error: StoreError| error.to_string())
    });
    tell(&match made {
        Ok(copied) => Answer::Done(copied),
        Err(reason) => {
            tracing::warn!(reason, "a backup failed");
            Answer::Failed(reason)
        }
    })
}

/// The file that is asked for, emptied, when it is the one that the caller made.
fn asked_for(line: &str) -> Result<PathBuf, String> {
    let parts: Vec<_> = line.split(' ').collect();
    let ["backup", token, path] = parts.as_slice() else { return Err("this process knows no such request".to_owned()) };
    let path = HEXLOWER.decode(path.as_bytes()).map_err(|_| "the path is malformed".to_owned())?;
    let path = PathBuf::from(OsString::from_vec(path));
    let cannot = |error: io::Error| {
        format!(
            "the server cannot write it ({error}); run this as the user that the server runs as, and name a file that the server \
             may write under the same name, e.g. beside the data directory"
        )
    };
    let mut file = OpenOptions::new().read(true).write(true).open(&path).map_err(cannot)?;
    let mut held = String::new();
    Read::by_ref(&mut file).take(token.len() as u64 + 1).read_to_string(&mut held).map_err(cannot)?;
    if held != *token || token.is_empty() {
        return Err(
            "the server sees another file under this name (a container, or a private /tmp?); name one that both see"
                .to_owned(),
        );
    }
    file.set_len(0).map_err(cannot)?;
    Ok(path)
}
