//! `source status`: how capturing goes.

use std::process::ExitCode;

use postrider_source::catalogue::{Backfill, Catalogue};
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

fn backfills(catalogue: &Catalogue) -> &[Backfill] {
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
        "installed_at": installation.map(|there| there.installed_at.clone()), "reading": status.is_read,
        "waiting": status.outbox.map(|outbox| outbox.waiting), "oldest_ms": status.outbox.and_then(|outbox| outbox.oldest_ms),
        "outbox_rows_max": mapping.outbox_rows_max, "fullness": status.fullness, "missed": status.outbox.map(|outbox| outbox.missed),
        "slot_bytes": status.slot.as_ref().map(|slot| slot.log_bytes), "slot_bytes_max": mapping.slot_bytes_max,
        "backfills": under_way, "findings": findings::json_of(&status.findings), "well": status.is_well(),
    })
    .to_string()
}

fn as_text(status: &Status, mapping: &Mapping, catalogue: &Catalogue) -> String {
    let mut lines = Vec::new();
    let mut told = |name: &str, value: String| lines.push(format!("{name:<12} {value}"));
    if let Some(there) = catalogue.installed.as_ref().and_then(|installed| installed.installation.as_ref()) {
        let (version, at, tables) = (there.version, &there.installed_at, there.record.tables.len());
        told("installed", format!("version {version} in schema {}, {tables} tables, at {at}", mapping.schema));
        told("reading", if status.is_read { "yes, by a node" } else { "no node reads now" }.to_owned());
    }
    if let Some(outbox) = status.outbox {
        let oldest =
            outbox.oldest_ms.map_or_else(String::new, |age| format!(", the oldest for {:.1} s", age as f64 / 1_000.0));
        told("waiting", format!("{} changes{oldest}", outbox.waiting));
        told("fullness", format!("{:.1} % of {}", status.fullness * 100.0, mapping.outbox_rows_max));
        told("missed", outbox.missed.to_string());
    }
    if let Some(slot) = &status.slot {
        told("log kept", format!("{} of {} bytes", slot.log_bytes, mapping.slot_bytes_max));
    }
    for backfill in backfills(catalogue) {
        let of = backfill.total.map_or_else(String::new, |total| format!(" of {total}"));
        told("backfill", format!("{}: {}{of} rows", backfill.table, backfill.done));
    }
    if !status.findings.is_empty() {
        lines.push(String::new());
        lines.push(findings::text(&status.findings));
    }
    lines.push(String::new());
    lines.push(if status.is_well() { "all is well" } else { "something is wrong" }.to_owned());
    lines.join("\n")
}
