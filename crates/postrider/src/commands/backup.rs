//! `backup` and `restore` of a data directory.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use postrider_store::{MasterKeys, backup, restore};
use serde_json::json;

use super::moved_store::{directory, keys_that_are_there};
use crate::cli::{BackupArgs, RestoreArgs};
use crate::output;
use crate::settings::Variables;

/// How often progress is told.
const EVERY: Duration = Duration::from_secs(5);

/// `backup`
pub(crate) fn run_backup(args: &BackupArgs, variables: &Variables) -> anyhow::Result<ExitCode> {
    let (data, _) = directory(args.config.as_deref(), args.data.as_deref(), variables)?;
    let mut told_at = Instant::now();
    let done = backup(&data, &args.to, |progress| {
        if told_at.elapsed() >= EVERY {
            told_at = Instant::now();
            eprintln!("postrider: {} of {} MiB copied", progress.bytes >> 20, progress.bytes_all >> 20);
        }
    })?;
    let file = args.to.display();
    output::line(&if args.json {
        json!({"file": file.to_string(), "bytes": done.bytes}).to_string()
    } else {
        format!("{file}: {} bytes; keep the encryption key, too, and somewhere else", done.bytes)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// `restore`
pub(crate) fn run_restore(args: &RestoreArgs, variables: &Variables) -> anyhow::Result<ExitCode> {
    let (data, settings) = directory(args.config.as_deref(), args.data.as_deref(), variables)?;
    let keys: MasterKeys = keys_that_are_there(&settings)?;
    let done = restore(&args.from, &data, &keys)?;
    let shown = data.display();
    output::line(&if args.json {
        json!({
            "data": shown.to_string(), "bytes": done.bytes, "organizations": done.organizations,
            "open_deliveries": done.open_deliveries,
        })
        .to_string()
    } else {
        format!(
            "{shown}: {} bytes, {} organizations, {} deliveries pending",
            done.bytes, done.organizations, done.open_deliveries
        )
    })?;
    Ok(ExitCode::SUCCESS)
}
