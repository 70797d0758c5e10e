//! `source status`: how capturing goes.

use std::process::ExitCode;

use postrider_domain::SourceBackfill;
use postrider_source::backfill::rows_in_words;
use postrider_source::catalogue::Catalogue;
use postrider_source::counted::counted;
use postrider_source::mapping::Mapping;
use postrider_source::status::Status;
use serde_json::json;

use super::{connect, findings, open, refused};
use crate::cli::StatusArgs;
use crate::failure::FAILED;
use crate::output;
use crate::settings::Variables;

/// `source status`
pub(super) async fn run(args: &StatusArgs, variables: &Variables) -> anyhow::Result<ExitCode> {
    let (mapping, address) = open(&args.source, variables)?;
    let connected = connect(&address).await?;
    let catalogue = Catalogue::read(&connected.client, &mapping, None).await.map_err(|error| refused(&error))?;
    let status = Status::of(&mapping, &catalogue);
    output::line(&if args.json {
        as_json(&status, &mapping, &catalogue)
    } else {
        as_text(&status, &mapping, &catalogue)
    })?;
    Ok(if status.is_well() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

fn backfills(catalogue: &Catalogue) -> &[SourceBackfill] {
    catalogue.installed.as_ref().map_or(&[], |installed| &installed.backfills)
}

fn as_json(status: &Status, mapping: &Mapping, catalogue: &Catalogue) -> String {
    let installation = catalogue.installed.as_ref().and_then(|installed| installed.installation.as_ref());
    let under_way: Vec<_> = backfills(catalogue)
        .iter()
        .map(|backfill| json!({"table": backfill.table, "done": backfill.done, "total": backfill.total}))
        .collect();
    json!({
        "installed": status.is_installed, "version": installation.map(|there| there.version),
        "installed_at": installation.map(|there| there.installed_at.clone()), "reading": status.reader.is_some(), "reader": status.reader,
        "waiting": status.outbox.map(|outbox| outbox.waiting), "oldest_ms": status.outbox.and_then(|outbox| outbox.oldest_ms),
        "outbox_rows_max": mapping.outbox_rows_max, "fullness": status.fullness, "missed": status.outbox.map(|outbox| outbox.missed),
        "slot_bytes": status.slot.as_ref().map(|slot| slot.log_bytes), "slot_bytes_max": mapping.slot_bytes_max,
        "backfills": under_way, "findings": findings::json_of(&status.findings), "well": status.is_well(),
    })
    .to_string()
}

/// Which node reads; a session that is called by no node's name is somebody's all the same.
fn reading(node: &str) -> String {
    if node.is_empty() { "yes, by a node".to_owned() } else { format!("yes, by {}", output::plain(node)) }
}

fn as_text(status: &Status, mapping: &Mapping, catalogue: &Catalogue) -> String {
    let mut lines = Vec::new();
    let mut told = |name: &str, value: String| lines.push(format!("{name:<12} {value}"));
    if let Some(there) = catalogue.installed.as_ref().and_then(|installed| installed.installation.as_ref()) {
        let (version, at) = (there.version, &there.installed_at);
        let tables = counted(there.record.tables.len() as u64, "table", "tables");
        told("installed", format!("version {version} in schema {}, {tables}, at {at}", mapping.schema));
        told("reading", status.reader.as_ref().map_or_else(|| "no node reads now".to_owned(), |node| reading(node)));
    }
    if let Some(outbox) = status.outbox {
        let oldest =
            outbox.oldest_ms.map_or_else(String::new, |age| format!(", the oldest for {:.1} s", age as f64 / 1_000.0));
        told("waiting", format!("{}{oldest}", counted(outbox.waiting, "change", "changes")));
        told("fullness", format!("{:.1} % of {}", status.fullness * 100.0, mapping.outbox_rows_max));
        told("missed", outbox.missed.to_string());
    }
    if let Some(slot) = &status.slot {
        told("log kept", format!("{} of {}", slot.log_bytes, counted(mapping.slot_bytes_max, "byte", "bytes")));
    }
    for backfill in backfills(catalogue) {
        told("backfill", format!("{}: {}", backfill.table, rows_in_words(backfill.done, backfill.total)));
    }
    if !status.findings.is_empty() {
        lines.push(String::new());
        lines.push(findings::text(&status.findings));
    }
    lines.push(String::new());
    lines.push(if status.is_well() { "all is well" } else { "something is wrong" }.to_owned());
    lines.join("\n")
}
