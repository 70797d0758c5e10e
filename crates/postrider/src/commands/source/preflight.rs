//! `source preflight`: what installing would do, and what stands against it.

use std::process::ExitCode;

use postrider_source::catalogue::Catalogue;
use postrider_source::install::Plan;
use postrider_source::mapping::Mapping;
use postrider_source::preflight;
use serde_json::json;

use super::{connect, findings, open, read};
use crate::cli::PreflightArgs;
use crate::failure::FAILED;
use crate::output;
use crate::settings::Variables;

/// `source preflight`
pub(super) async fn run(args: &PreflightArgs, variables: &Variables) -> anyhow::Result<ExitCode> {
    let (mapping, address) = open(&args.source, variables)?;
    let connected = connect(&address).await?;
    let wish = args.wish.wish();
    let catalogue = read(&connected.client, &mapping, &wish).await?;
    let found = preflight::findings(&mapping, &catalogue, &wish);
    let plan = Plan::of(&mapping, &catalogue, &wish);
    output::line(&if args.json {
        let steps: Vec<_> = plan
            .steps
            .iter()
            .map(|step| json!({"what": step.what, "locks": step.locks.as_ref().map(ToString::to_string)}))
            .collect();
        json!({
            "database": address.place().to_string(), "server_version": catalogue.server.version_text,
            "steps": steps, "findings": findings::json_of(&found), "ready": !findings::has_error(&found),
        })
        .to_string()
    } else {
        format!(
            "{}, Postgres {}\n\n{}\n{}\n{}",
            address.place(),
            catalogue.server.version_text,
            tables(&mapping, &catalogue),
            steps(&plan),
            verdict(&found)
        )
    })?;
    Ok(if findings::has_error(&found) { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

/// The mapped tables as the database has them.
fn tables(mapping: &Mapping, catalogue: &Catalogue) -> String {
    let row = |mapped: &postrider_source::mapping::TableMapping| {
        let Some(table) = catalogue.table(&mapped.table) else {
            return vec![
                mapped.table.to_string(),
                mapped.resource.clone(),
                "-".to_owned(),
                "-".to_owned(),
                "is not there".to_owned(),
            ];
        };
        let captured = mapped.captured_in(&table.known).count();
        let rows = table.rows.map_or_else(|| "unknown".to_owned(), |rows| format!("about {rows}"));
        let key = match mapped.key_in(&table.known) {
            [] => "none".to_owned(),
            key => key.join(", "),
        };
        let columns = format!("{captured} of {}", table.known.columns.len());
        vec![mapped.table.to_string(), mapped.resource.clone(), key, columns, rows]
    };
    let rows: Vec<_> = mapping.tables.iter().map(row).collect();
    output::columns(&["table", "resource", "key", "columns captured", "rows"], &rows)
}

fn steps(plan: &Plan) -> String {
    if plan.steps.is_empty() {
        return "Everything is installed: there is nothing to do.\n".to_owned();
    }
    let steps = plan.steps.iter().map(|step| match &step.locks {
        Some(table) => format!("  - {} (locks {table} against writers for a moment)", step.what),
        None => format!("  - {}", step.what),
    });
    format!("What source install will do:\n{}\n", steps.collect::<Vec<_>>().join("\n"))
}

fn verdict(found: &[postrider_source::finding::Finding]) -> String {
    let list = if found.is_empty() { String::new() } else { format!("{}\n\n", findings::text(found)) };
    let answer = if findings::has_error(found) { "it cannot be installed like this" } else { "it can be installed" };
    format!("{list}{answer}: {}", findings::summary(found))
}
