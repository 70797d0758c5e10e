//! The several hundred real webhook bodies of the npm package `@octokit/webhooks-examples`, as their text stands there.

use std::collections::HashMap;
use std::path::PathBuf;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::program::test_needs;

/// One example.
#[derive(Clone, Debug)]
pub struct Example {
    /// Where it is: folder, event, number.
    pub name: String,
    /// The event and its action, e.g. `check_run.completed`.
    pub event_type: String,
    /// The body's own text.
    pub body: String,
}

/// Every body of the package, of every folder.
///
/// # Panics
/// When the package is not installed (`./dev test` does that) or has another form.
#[must_use]
pub fn octokit() -> Vec<Example> {
    let package: PathBuf = test_needs().join("node/node_modules/@octokit/webhooks-examples");
    let mut folders: Vec<_> = std::fs::read_dir(&package)
        .unwrap_or_else(|e| panic!("{}: {e}; `./dev test` installs it", package.display()))
        .filter_map(|entry| entry.ok().map(|entry| entry.path().join("index.json")))
        .filter(|index| index.is_file())
        .collect();
    folders.sort();
    folders.iter().flat_map(read_index).collect()
}

fn read_index(index: &PathBuf) -> Vec<Example> {
    let text = std::fs::read_to_string(index).unwrap_or_else(|e| panic!("{}: {e}", index.display()));
    let events: Vec<HashMap<String, Box<RawValue>>> = serde_json::from_str(&text).expect("a list of objects");
    let folder = index.parent().and_then(|p| p.file_name()).unwrap_or_default().to_string_lossy().into_owned();
    let mut all = vec![];
    for event in &events {
        let event_name: String = serde_json::from_str(event["name"].get()).expect("a name");
        let bodies: Vec<Box<RawValue>> = serde_json::from_str(event["examples"].get()).expect("a list of bodies");
        for (number, body) in bodies.into_iter().enumerate() {
            let action =
                serde_json::from_str::<Value>(body.get()).ok().and_then(|b| Some(b["action"].as_str()?.to_owned()));
            let event_type = action.map_or(event_name.clone(), |action| format!("{event_name}.{action}"));
            all.push(Example {
                name: format!("{folder}/{event_name}/{number}"),
                event_type,
                body: body.get().to_owned(),
            });
        }
    }
    all
}
