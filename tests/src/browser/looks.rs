//! What a screen looks like.

use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::Browser;

/// The colours that the person's system asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Scheme {
    /// Its word in CSS.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        }
    }
}

/// How large the window is, and in which colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Looks {
    /// In CSS pixels.
    pub width: u32,
    /// The colours.
    pub scheme: Scheme,
}

/// The height of the window, in CSS pixels.
const HEIGHT: u32 = 900;
/// The largest height of a screenshot, in CSS pixels.
const SHOT_HEIGHT_MAX: u64 = 6_000;

impl Browser {
    /// Looks at the page like this from now on.
    pub async fn look(&self, looks: Looks) {
        let size = json!({"width": looks.width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", &size).await;
        let features = json!([{"name": "prefers-color-scheme", "value": looks.scheme.name()}]);
        self.devtools("Emulation.setEmulatedMedia", &json!({"features": features})).await;
    }

    /// What makes the page wider than its window; nothing, when it is not.
    pub async fn sticking_out(&self) -> Vec<String> {
        let script = "const root = document.scrollingElement, width = root.clientWidth;
            if (root.scrollWidth <= width) return [];
            const wide = [...document.body.querySelectorAll('*')].filter((one) => one.getBoundingClientRect().right > width);
            return ['the page', ...wide.map((one) => one.outerHTML.slice(0, 100))];";
        let found = self.run(script, &[]).await;
        found.as_array().into_iter().flatten().map(|one| one.as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Keeps a picture of the whole page as `target/screenshots/NAME.png`.
    ///
    /// # Panics
    /// When it cannot be taken or kept.
    pub async fn keep_picture(&self, name: &str) {
        let sizes = self.devtools("Page.getLayoutMetrics", &json!({})).await;
        let content = &sizes["cssContentSize"];
        let height = content["height"].as_f64().unwrap_or(f64::from(HEIGHT)).min(SHOT_HEIGHT_MAX as f64);
        let clip = json!({"x": 0, "y": 0, "width": content["width"], "height": height, "scale": 1});
        let wanted = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let shot = self.devtools("Page.captureScreenshot", &wanted).await;
        keep(name, &shot["data"]);
    }

    /// The same of the window after a failure, with the page's text.
    pub(super) fn keep_what_failed(&self) {
        let name = std::thread::current().name().unwrap_or("test").replace("::", "-");
        let path = format!("/session/{}", self.session);
        if let Some(shot) = self.driver.ask_last("GET", &format!("{path}/screenshot")) {
            keep(&format!("failed-{name}"), &shot);
        }
        if let Some(Value::String(source)) = self.driver.ask_last("GET", &format!("{path}/source")) {
            // The picture tells most of it.
            let _ = std::fs::write(folder().join(format!("failed-{name}.html")), source);
        }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/screenshots")
}

fn keep(name: &str, shot: &Value) {
    let bytes = BASE64.decode(shot.as_str().unwrap_or_default().as_bytes()).unwrap_or_default();
    let folder = folder();
    std::fs::create_dir_all(&folder).expect("a folder for screenshots");
    std::fs::write(folder.join(format!("{name}.png")), bytes).expect("a screenshot");
}
