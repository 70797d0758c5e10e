//! `source install` and `source uninstall`: runs the SQL, or prints it for somebody who may.

use std::process::ExitCode;

use anyhow::{bail, ensure};
use postrider_source::catalogue::Catalogue;
use postrider_source::counted::counted;
use postrider_source::finding::{Finding, Severity};
use postrider_source::install::{self, Plan};
use postrider_source::preflight;

use super::{connect, findings, open, read, refused};
use crate::cli::{InstallArgs, UninstallArgs};
use crate::output;
use crate::settings::Variables;

/// `source install`
pub(super) async fn run(args: &InstallArgs, variables: &Variables) -> anyhow::Result<ExitCode> {
    let (mapping, address) = open(&args.source, variables)?;
    let connected = connect(&address).await?;
    let wish = args.wish.wish();
    let catalogue = read(&connected.client, &mapping, &wish).await?;
    let found: Vec<Finding> = preflight::findings(&mapping, &catalogue, &wish);
    let worth_telling: Vec<_> = found.iter().filter(|finding| finding.severity > Severity::Note).cloned().collect();
    if !worth_telling.is_empty() {
        eprintln!("{}\n", findings::text(&worth_telling));
    }
    // Whoever runs what is printed may have rights that this role has not: only what is wrong with the mapping itself would be printed wrong.
    if findings::has_error(&found) && !args.print {
        bail!("nothing was installed: {}", findings::summary(&found));
    }
    let plan = Plan::of(&mapping, &catalogue, &wish);
    if args.print {
        output::write(&plan.script())?;
        return Ok(ExitCode::SUCCESS);
    }
    carry_out(&connected.client, &plan).await?;
    output::line(if plan.steps.is_empty() { "everything is installed already" } else { "installed" })?;
    Ok(ExitCode::SUCCESS)
}

/// `source uninstall`
pub(super) async fn run_uninstall(args: &UninstallArgs, variables: &Variables) -> anyhow::Result<ExitCode> {
    let (mapping, address) = open(&args.source, variables)?;
    let connected = connect(&address).await?;
    let catalogue = Catalogue::read(&connected.client, &mapping, None).await.map_err(|error| refused(&error))?;
    let removal = install::removal(&mapping.schema, &catalogue, args.discard);
    if args.print {
        output::write(&removal.plan.script())?;
        return Ok(ExitCode::SUCCESS);
    }
    if removal.plan.steps.is_empty() {
        output::line("nothing of Postrider's is there")?;
        return Ok(ExitCode::SUCCESS);
    }
    let waiting = removal.waiting;
    ensure!(
        waiting == 0 || args.discard,
        "{} in the outbox: let postrider serve hand over what is there, or lose it with --discard",
        counted(waiting, "change waits", "changes wait")
    );
    carry_out(&connected.client, &removal.plan).await?;
    if waiting > 0 {
        let discarded = counted(waiting, "change that waited was", "changes that waited were");
        output::note(&format!("{discarded} discarded"));
    }
    if !removal.others.is_empty() {
        let others = removal.others.join(", ");
        output::note(&format!("the schema {} stays, since it holds what is not Postrider's: {others}", mapping.schema));
    }
    output::line("uninstalled")?;
    Ok(ExitCode::SUCCESS)
}

/// Runs the steps, and tells of each.
async fn carry_out(client: &tokio_postgres::Client, plan: &Plan) -> anyhow::Result<()> {
    Ok(install::run(client, plan, |step| output::note(&format!("done: {}", step.what))).await?)
}
