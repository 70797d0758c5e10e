//! A real browser: Debian's Chromium, driven through its WebDriver (W3C WebDriver, level 2) over HTTP on the loopback.
//!
//! Words: a *browser* is one Chromium with a profile of its own and nothing in it; a *screen* is what it shows. Elements are named by CSS selectors, which
//! are looked up anew for every step, since screens replace themselves. Every step waits until it can be taken.
//!
//! The client is ours, a dozen JSON calls over the API client that is there already. `fantoccini` brings `webdriver`, whose licence (MPL-2.0) `deny.toml`
//! does not let in; `thirtyfour` brings `reqwest`, or wants an HTTP client written for it, which is all that there is here.

mod axe;
mod driver;
mod keys;
mod looks;

use std::collections::VecDeque;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::wait::{ASK_EVERY, BOUND, until};
use driver::Driver;

pub use axe::Violation;
pub use driver::Refused;
pub use keys::Key;
pub use looks::{Looks, Scheme};

/// The name of an element's reference in JSON (W3C WebDriver, section 12.2).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// What a step meets while a screen is being replaced; it is taken again.
const PASSING: [&str; 5] =
    ["no such element", STALE, "element not interactable", "element click intercepted", "detached shadow root"];

const STALE: &str = "stale element reference";

/// Notes in the window that an element's click is awaited, and that it came.
const LISTEN_FOR_CLICK: &str = "window.isClickAwaited = true;
    arguments[0].addEventListener('click', () => { window.isClickAwaited = false; }, {capture: true, once: true});";

/// Who sits in front of it.
#[derive(Clone, Copy, Debug)]
pub struct Person {
    /// The browser's language, as a BCP 47 tag.
    pub language: &'static str,
    /// Whether its pages run scripts.
    pub runs_scripts: bool,
    /// Whether every request is noted, for [`Browser::requests`].
    pub is_traced: bool,
}

impl Person {
    /// With this language.
    #[must_use]
    pub fn speaking(language: &'static str) -> Self {
        Person { language, runs_scripts: true, is_traced: false }
    }

    /// With scripts off.
    #[must_use]
    pub fn without_scripts(self) -> Self {
        Person { runs_scripts: false, ..self }
    }

    /// With every request noted.
    #[must_use]
    pub fn traced(self) -> Self {
        Person { is_traced: true, ..self }
    }
}

/// A running browser. It ends when this is dropped; after a panic what it showed last is kept among the screenshots.
#[derive(Debug)]
pub struct Browser {
    driver: Driver,
    session: String,
    _folder: TempDir,
}

impl Browser {
    /// With a new profile, in which cookies of other sites' frames are blocked.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(person: Person) -> Self {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let driver = Driver::start(folder.path()).await;
        let wanted = driver::capabilities(folder.path(), person);
        let begun = driver.ask("POST", "/session", Some(&wanted)).await.expect("a browser");
        let session = begun["sessionId"].as_str().expect("a session's id").to_owned();
        let browser = Browser { driver, session, _folder: folder };
        if !person.runs_scripts {
            browser.devtools("Emulation.setScriptExecutionDisabled", &json!({"value": true})).await;
        }
        browser
    }

    async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Refused> {
        self.driver.ask(method, &format!("/session/{}{path}", self.session), body).await
    }

    #[track_caller]
    fn told(what: &str, answer: Result<Value, Refused>) -> Value {
        answer.unwrap_or_else(|refused| panic!("{what}: {refused:?}"))
    }

    /// Sends a command of the Chrome DevTools Protocol to the page.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn devtools(&self, command: &str, parameters: &Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        Self::told(command, self.ask("POST", "/goog/cdp/execute", Some(&body)).await)
    }

    // --- Pages and frames ----------------------------------------------------------------------------------------------------

    /// Opens a page and waits until it has loaded.
    ///
    /// # Panics
    /// When there is nothing.
    pub async fn open(&self, url: &str) {
        Self::told(url, self.ask("POST", "/url", Some(&json!({"url": url}))).await);
    }

    /// Loads the page again.
    ///
    /// # Panics
    /// When that fails.
    pub async fn reload(&self) {
        Self::told("reload", self.ask("POST", "/refresh", Some(&json!({}))).await);
    }

    /// What the address bar shows.
    ///
    /// # Panics
    /// When there is no page.
    pub async fn address(&self) -> String {
        let told = Self::told("address", self.ask("GET", "/url", None).await);
        told.as_str().unwrap_or_default().to_owned()
    }

    /// Goes on within a frame of the page.
    pub async fn enter_frame(&self, css: &str) {
        let enter = async || {
            let element = self.find(css).await.ok()?;
            self.ask("POST", "/frame", Some(&json!({"id": {ELEMENT: element}}))).await.ok()
        };
        until(&format!("the frame {css}"), enter).await;
    }

    /// Goes on in the page that the frames are in.
    ///
    /// # Panics
    /// When there is no page.
    pub async fn leave_frames(&self) {
        Self::told("leaving frames", self.ask("POST", "/frame", Some(&json!({"id": null}))).await);
    }

    /// The addresses that going back and forth would lead to.
    pub async fn history(&self) -> Vec<String> {
        let history = self.devtools("Page.getNavigationHistory", &json!({})).await;
        let entries = history["entries"].as_array().cloned().unwrap_or_default();
        entries.iter().map(|entry| entry["url"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Runs a function's body in the page or frame; an exception is a failure.
    ///
    /// # Panics
    /// When it throws.
    pub async fn run(&self, script: &str, arguments: &[Value]) -> Value {
        let body = json!({"script": script, "args": arguments});
        Self::told(script, self.ask("POST", "/execute/sync", Some(&body)).await)
    }

    /// The same for one that calls its last argument when it is done.
    async fn run_until_called(&self, script: &str, arguments: &[Value]) -> Value {
        let body = json!({"script": script, "args": arguments});
        Self::told("script", self.ask("POST", "/execute/async", Some(&body)).await)
    }

    // --- Elements ----------------------------------------------------------------------------------------------------------

    async fn find(&self, css: &str) -> Result<String, Refused> {
        let found = self.ask("POST", "/element", Some(&json!({"using": "css selector", "value": css}))).await?;
        Ok(found[ELEMENT].as_str().unwrap_or_default().to_owned())
    }

    /// Does something with an element as soon as it is there and lets it be done.
    async fn with(&self, css: &str, method: &str, rest: &str, body: Option<&Value>) -> Value {
        self.as_soon_as(&format!("{css}{rest}"), async || {
            let element = self.find(css).await?;
            self.ask(method, &format!("/element/{element}{rest}"), body).await
        })
        .await
    }

    /// Does something again until nothing is passing by that is in its way.
    async fn as_soon_as<T>(&self, what: &str, act: impl AsyncFn() -> Result<T, Refused>) -> T {
        let mut in_the_way = None;
        let acting = async {
            let mut pace = tokio::time::interval(ASK_EVERY);
            loop {
                pace.tick().await;
                match act().await {
                    Ok(value) => return value,
                    Err(refused) if PASSING.contains(&refused.error.as_str()) => in_the_way = Some(refused),
                    Err(refused) => panic!("{what}: {refused:?}"),
                }
            }
        };
        let done = tokio::time::timeout(BOUND, acting).await;
        done.unwrap_or_else(|_| panic!("{what}: did not happen within {BOUND:?}; last in the way: {in_the_way:?}"))
    }

    /// How many elements there are now.
    ///
    /// # Panics
    /// When the selector is none.
    pub async fn count(&self, css: &str) -> usize {
        let body = json!({"using": "css selector", "value": css});
        let found = Self::told(css, self.ask("POST", "/elements", Some(&body)).await);
        found.as_array().map_or(0, Vec::len)
    }

    /// Whether an element is there now and can be seen.
    pub async fn shows(&self, css: &str) -> bool {
        let Ok(element) = self.find(css).await else { return false };
        self.ask("GET", &format!("/element/{element}/displayed"), None).await.is_ok_and(|shown| shown == true)
    }

    /// Waits until an element can be seen.
    pub async fn see(&self, css: &str) {
        until(&format!("{css} can be seen"), async || self.shows(css).await.then_some(())).await;
    }

    /// Waits until an element cannot be seen any more.
    pub async fn unsee(&self, css: &str) {
        until(&format!("{css} has gone"), async || (!self.shows(css).await).then_some(())).await;
    }

    /// Clicks in the middle of an element.
    ///
    /// What is clicked may be gone before the driver has looked at it once more, and is then refused as stale though it was clicked; so the page is asked.
    pub async fn click(&self, css: &str) {
        self.as_soon_as(&format!("{css}/click"), async || {
            let element = self.find(css).await?;
            let listen = json!({"script": LISTEN_FOR_CLICK, "args": [{ELEMENT: element}]});
            self.ask("POST", "/execute/sync", Some(&listen)).await?;
            match self.ask("POST", &format!("/element/{element}/click"), Some(&json!({}))).await {
                Err(refused) if refused.error == STALE && self.is_clicked().await => Ok(()),
                answer => answer.map(|_| ()),
            }
        })
        .await;
    }

    /// Whether a click arrived, or has led to another document.
    async fn is_clicked(&self) -> bool {
        self.run("return window.isClickAwaited !== true", &[]).await == true
    }

    /// Writes into a field, in place of what is there.
    pub async fn fill(&self, css: &str, text: &str) {
        self.with(css, "POST", "/clear", Some(&json!({}))).await;
        self.with(css, "POST", "/value", Some(&json!({"text": text}))).await;
    }

    /// Chooses an entry of a list by its value.
    pub async fn choose(&self, css: &str, value: &str) {
        self.click(&format!("{css} option[value=\"{value}\"]")).await;
    }

    /// An element's text as it is shown.
    pub async fn text(&self, css: &str) -> String {
        self.with(css, "GET", "/text", None).await.as_str().unwrap_or_default().to_owned()
    }

    /// An element's property, such as a field's `value`.
    pub async fn property(&self, css: &str, name: &str) -> Value {
        self.with(css, "GET", &format!("/property/{name}"), None).await
    }

    /// An element's attribute.
    pub async fn attribute(&self, css: &str, name: &str) -> Option<String> {
        self.with(css, "GET", &format!("/attribute/{name}"), None).await.as_str().map(str::to_owned)
    }

    /// Presses keys one after another, wherever the focus is.
    ///
    /// # Panics
    /// When the browser refuses them.
    pub async fn press(&self, keys: &[Key]) {
        let strokes: Vec<Value> = keys.iter().flat_map(|key| key.strokes()).collect();
        let body = json!({"actions": [{"type": "key", "id": "keyboard", "actions": strokes}]});
        Self::told("keys", self.ask("POST", "/actions", Some(&body)).await);
    }

    // --- What the browser noted ------------------------------------------------------------------------------------------------

    async fn noted(&self, log: &str) -> Vec<Value> {
        let told = Self::told(log, self.ask("POST", "/se/log", Some(&json!({"type": log}))).await);
        told.as_array().cloned().unwrap_or_default()
    }

    /// What has been written to the consoles of all pages and frames since this was last asked, such as what a policy refused.
    pub async fn console(&self) -> Vec<String> {
        let entries = self.noted("browser").await;
        entries.iter().map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Every request of all pages and frames since this was last asked, with the headers that left (`Network.requestWillBeSent` and `…ExtraInfo` of the DevTools
    /// Protocol). For a [`Person::traced`].
    pub async fn requests(&self) -> Vec<Value> {
        let mut found = vec![];
        let mut left: VecDeque<Value> = self.noted("performance").await.into();
        while let Some(entry) = left.pop_front() {
            let message = entry["message"].as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
            let Some(message) = message.map(|message| message["message"].clone()) else { continue };
            if message["method"].as_str().is_some_and(|method| method.starts_with("Network.requestWillBeSent")) {
                found.push(message["params"].clone());
            }
        }
        found
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.keep_what_failed();
        }
        self.driver.close(&self.session);
    }
}
