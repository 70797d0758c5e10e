//! The driver's process, and what is said to it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::Person;
use crate::api::{Api, Call};
use crate::wait::within;

/// How long a dropped browser is waited for.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Where nobody's clock is UTC, so that a time that was not put into the viewer's zone is told apart.
const ZONE: &str = "America/Sao_Paulo";

/// Why a command was not carried out (W3C WebDriver, section 6.6).
#[derive(Clone, Debug)]
pub struct Refused {
    /// E.g. `no such element`.
    pub error: String,
    /// More of it, for people.
    pub message: String,
}

/// A driver with a port of its own.
#[derive(Debug)]
pub(super) struct Driver {
    address: SocketAddr,
    api: Api,
    _process: Child,
}

impl Driver {
    /// On a free port; whatever it and its browser keep is below this folder.
    pub(super) async fn start(folder: &Path) -> Self {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").env("HOME", folder).env("TMPDIR", folder).env("TZ", ZONE);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut process = command.spawn().unwrap_or_else(|e| panic!("chromedriver: {e}; `./dev test` installs it"));
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let port = within("the line that says the driver's port", async {
            while let Some(line) = lines.next_line().await.expect("text") {
                let port = line.strip_prefix("ChromeDriver was started successfully on port ");
                if let Some(port) = port.and_then(|rest| rest.trim_end_matches('.').parse::<u16>().ok()) {
                    return port;
                }
            }
            panic!("chromedriver ended before it listened");
        })
        .await;
        // What it says later is read, so that it never waits for a full pipe.
        tokio::spawn(async move { while lines.next_line().await.is_ok_and(|line| line.is_some()) {} });
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        Driver { address, api: Api::new(address, None), _process: process }
    }

    /// The value of a command's answer.
    pub(super) async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Refused> {
        let call = Call::new(method, path);
        let call = match body {
            Some(body) => call.json(body),
            None => call,
        };
        let answer = self.api.call(call).await;
        let value = answer.json()["value"].clone();
        if answer.status == 200 {
            return Ok(value);
        }
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        Err(Refused { error: text("error"), message: text("message") })
    }

    /// A command while the test ends, where nothing asynchronous runs any more; none when there is no answer.
    pub(super) fn ask_last(&self, method: &str, path: &str) -> Option<Value> {
        let mut stream = TcpStream::connect_timeout(&self.address, CLOSE_TIMEOUT).ok()?;
        stream.set_read_timeout(Some(CLOSE_TIMEOUT)).ok()?;
        let head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address);
        stream.write_all(head.as_bytes()).ok()?;
        let mut answer = vec![];
        stream.read_to_end(&mut answer).ok()?;
        let body = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
        let told: Value = serde_json::from_slice(answer.get(body + 4..)?).ok()?;
        Some(told["value"].clone())
    }

    /// Closes the browser and waits until it has gone, so that its folder can go as well.
    pub(super) fn close(&self, session: &str) {
        let _ = self.ask_last("DELETE", &format!("/session/{session}"));
    }
}

/// What the browser is asked to be like.
pub(super) fn capabilities(folder: &Path, person: Person) -> Value {
    let mut arguments = vec![
        "--headless=new".to_owned(),
        // It ends with its driver, whatever becomes of that.
        "--remote-debugging-pipe".to_owned(),
        format!("--user-data-dir={}", folder.join("profile").display()),
        format!("--accept-lang={}", person.language),
        // Another site's frame shares its page's process, as on small devices: the driver hears its console and sees its requests.
        "--disable-site-isolation-trials".to_owned(),
        "--disable-features=IsolateOrigins,site-per-process,OriginKeyedProcessesByDefault".to_owned(),
        // Nothing leaves this machine.
        "--host-resolver-rules=MAP *.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"
            .to_owned(),
    ];
    let quiet = ["no-first-run", "disable-background-networking", "disable-component-update", "disable-sync"];
    // Containers give shared memory of 64 MiB.
    let small = ["disable-dev-shm-usage", "disable-gpu", "hide-scrollbars"];
    arguments.extend(quiet.into_iter().chain(small).map(|name| format!("--{name}")));
    if rustix::process::geteuid().is_root() {
        // Chromium's sandbox refuses root.
        arguments.push("--no-sandbox".to_owned());
    }
    let logs =
        if person.is_traced { json!({"browser": "ALL", "performance": "ALL"}) } else { json!({"browser": "ALL"}) };
    json!({"capabilities": {"alwaysMatch": {
        "browserName": "chrome",
        "goog:loggingPrefs": logs,
        "goog:chromeOptions": {
            "args": arguments,
            "prefs": {
                "intl.accept_languages": person.language,
                // 1: block the cookies of third parties.
                "profile.cookie_controls_mode": 1,
                "profile.block_third_party_cookies": true,
            },
        },
    }}})
}
