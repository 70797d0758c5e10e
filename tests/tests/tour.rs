//! The README's tour, run as its reader would run it.
//!
//! The fenced `sh` blocks between `<!-- tour -->` and `<!-- /tour -->` are one bash script. A `json` block is what the `sh` block before it
//! must have printed: every member it names must be there; what it leaves out may be anything.

use std::process::Stdio;

use postrider_tests::program::{OPERATOR_KEY, program_path, readme};
use postrider_tests::wait::within;
use postrider_tests::world::{Store, World};
use serde_json::Value;
use tokio::process::Command;

postrider_tests::on_each_store!(the_readmes_tour_works_as_written,);

const BLOCK_ENDS: &str = "::the block ends::";

/// One `sh` block and the `json` blocks behind it.
#[derive(Debug, Default)]
struct Step {
    script: String,
    expected: Vec<Value>,
}

fn steps_of(readme: &str) -> Vec<Step> {
    let tour = readme.split_once("<!-- tour -->").and_then(|(_, rest)| rest.split_once("<!-- /tour -->"));
    let (tour, _) = tour.expect("README.md must hold its tour between `<!-- tour -->` and `<!-- /tour -->`");
    let mut steps: Vec<Step> = vec![];
    let mut open: Option<(String, String)> = None;
    for line in tour.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => open = Some((language.trim().to_owned(), String::new())),
            (Some(_), Some(_)) => {
                let (language, block) = open.take().unwrap_or_default();
                match language.as_str() {
                    "sh" => steps.push(Step { script: block, expected: vec![] }),
                    "json" => {
                        let value = serde_json::from_str(&block).unwrap_or_else(|e| panic!("{e}: {block}"));
                        steps
                            .last_mut()
                            .expect("a `json` block follows the `sh` block that prints it")
                            .expected
                            .push(value);
                    }
                    _ => {}
                }
            }
            (Some((_, block)), None) => *block += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block of the tour is not closed");
    assert!(!steps.is_empty(), "the tour has no `sh` block");
    steps
}

/// Every JSON object that begins somewhere in the output.
fn objects_in(output: &str) -> Vec<Value> {
    let starts = output.match_indices(['{', '[']).map(|(at, _)| &output[at..]);
    starts.filter_map(|rest| serde_json::Deserializer::from_str(rest).into_iter().next()?.ok()).collect()
}

/// Whether everything that `expected` names is in `actual`.
fn is_within(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::Object(wanted), Value::Object(there)) => {
            wanted.iter().all(|(name, value)| there.get(name).is_some_and(|found| is_within(value, found)))
        }
        (Value::Array(wanted), Value::Array(there)) => {
            wanted.len() <= there.len() && wanted.iter().zip(there).all(|(value, found)| is_within(value, found))
        }
        _ => expected == actual,
    }
}

async fn the_readmes_tour_works_as_written(store: Store) {
    let readme = std::fs::read_to_string(readme()).expect("README.md");
    let steps = steps_of(&readme);
    let world = World::start_on(store).await;
    let folder = tempfile::tempdir().unwrap();
    let programs = program_path();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", programs.parent().unwrap().display());
    let blocks = steps.iter().map(|step| format!("{}\nprintf '\\n%s\\n' '{BLOCK_ENDS}'\n", step.script));
    let script = format!("set -euo pipefail\n{}", blocks.collect::<String>());

    let mut command = Command::new("bash");
    command.arg("-c").arg(&script).current_dir(folder.path()).stdin(Stdio::null()).kill_on_drop(true);
    command.env_clear().env("PATH", path).env("HOME", folder.path());
    command.env("POSTRIDER_URL", world.api.url()).env("POSTRIDER_OPERATOR_KEY", OPERATOR_KEY);
    let output = within("the tour's end", command.output()).await.expect("bash");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}\n--- stdout\n{stdout}\n--- stderr\n{stderr}", output.status);
    assert!(!stdout.contains("FORGED"), "{stdout}");

    let outputs: Vec<_> = stdout.split(BLOCK_ENDS).collect();
    for (step, output) in steps.iter().zip(&outputs) {
        let printed = objects_in(output);
        for expected in &step.expected {
            let found = printed.iter().any(|actual| is_within(expected, actual));
            assert!(found, "this should print {expected}:\n{}\nbut printed:\n{output}\n{stderr}", step.script);
        }
    }
}
