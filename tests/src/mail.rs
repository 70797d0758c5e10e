//! A real SMTP server (PyPI `aiosmtpd`), which shows what it was given.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::program::{self, Setup};
use crate::tls::Authority;
use crate::wait::within;

/// How connections to it are kept from others' eyes. A login is required in each case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailSecurity {
    /// STARTTLS, which is required.
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// Not at all; STARTTLS is not offered.
    None,
}

/// Where the server is or will be, and what it shows of itself.
#[derive(Debug)]
pub struct MailServer {
    security: MailSecurity,
    port: u16,
    files: [PathBuf; 2],
    authority: String,
    _folder: tempfile::TempDir,
}

impl MailServer {
    /// On a port that nobody listens on so far.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn planned(security: MailSecurity) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Authority::new(folder.path());
        let files = authority.files(folder.path());
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|bound| bound.local_addr());
        MailServer {
            security,
            port: free.expect("a free port").port(),
            files,
            authority: authority.file(),
            _folder: folder,
        }
    }

    /// A program that sends its mail there, with the login.
    #[must_use]
    pub fn used_by(&self, setup: Setup) -> Setup {
        let scheme = if self.security == MailSecurity::Tls { "smtps" } else { "smtp" };
        let url = format!("{scheme}://postrider:pass%3Aword%401@localhost:{}", self.port);
        setup
            .env("POSTRIDER_SMTP_URL", &url)
            .env("POSTRIDER_SMTP_CA_FILE", &self.authority)
            .env("POSTRIDER_MAIL_FROM", "Webhooks <webhooks@crm.example>")
    }

    /// Starts it.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn open(&self) -> Inbox {
        let mode = match self.security {
            MailSecurity::StartTls => "starttls",
            MailSecurity::Tls => "tls",
            MailSecurity::None => "plain",
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("receivers/python/mail_server.py");
        let mut process = Command::new(program::test_needs().join("python/bin/python"))
            .arg(script)
            .args([mode, &self.port.to_string()])
            .args(&self.files)
            .args(["postrider", "pass:word@1"])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("`./dev test` installs Python's packages");
        let mut mails = BufReader::new(process.stdout.take().expect("piped")).lines();
        let first = within("the SMTP server", mails.next_line()).await.expect("readable");
        assert_eq!(first.as_deref(), Some("listening"));
        Inbox { mails, _process: process }
    }
}

/// What the server takes, while it runs.
#[derive(Debug)]
pub struct Inbox {
    mails: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Inbox {
    /// The next mail: `tls`, `to`, `from`, `subject`, `id`, `language`, `text` and `html`.
    ///
    /// # Panics
    /// When none comes.
    pub async fn next(&mut self) -> Value {
        let line = within("a mail", self.mails.next_line()).await.expect("readable").expect("the server runs");
        serde_json::from_str(&line).expect("JSON")
    }
}
