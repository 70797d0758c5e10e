//! `export`: everything that a store holds, or one organisation, into an encrypted file.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, ensure};
use postrider_domain::{Action, Actor, AuditEntry, AuditId, OrganizationId};
use postrider_engine::{Clock as _, Ids, SystemClock};
use postrider_store::{Counts, ExportId, ExportWriter, Extent, MasterKey, Portable, Transfer};
use tokio::sync::{mpsc, oneshot};

use super::moved_store::{MovedStore, require_database, settings};
use super::progress::{Progress, summary};
use crate::cli::ExportArgs;
use crate::draft::Draft;
use crate::failure::Misuse;
use crate::output;
use crate::settings::Variables;

/// What the operator's trail calls all organisations of a store; no organisation's id has such a form.
const EVERYTHING: &str = "*";
/// Chunks between the store and the file.
const CHUNKS_WAITING: usize = 2;

pub(crate) async fn run(args: ExportArgs, variables: &Variables) -> anyhow::Result<ExitCode> {
    let is_to_stdout = args.out.as_deref() == Some(Path::new("-"));
    ensure!(
        !(args.json && is_to_stdout),
        Misuse::of("--json and --out - both write to standard output; choose one of them")
    );
    let extent = extent(args.org.as_deref())?;
    let settings = settings(&args.store, variables)?;
    require_database(&settings)?;
    // A file that cannot be written is told before anything is set aside.
    let out = match &args.out {
        Some(file) if !is_to_stdout => Some(Draft::make(file)?),
        _ => None,
    };
    let opened = MovedStore::open(&settings).await?;
    let done = match (&args.out, &extent) {
        (None, _) => put_right(&args, opened.transfer.as_ref(), &extent).await.map(Some),
        (Some(_), _) => export(&opened, extent, args.is_final, out, args.json).await,
    };
    opened.store.close().await?;
    if let Some(line) = done? {
        output::line(&line)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn extent(org: Option<&str>) -> anyhow::Result<Extent> {
    let Some(text) = org else { return Ok(Extent::Everything) };
    let id: OrganizationId = text.parse().map_err(|error| Misuse::of(format!("--org {text:?}: {error}")))?;
    Ok(Extent::Organization(id))
}

/// Undoes or completes an earlier `--final`.
async fn put_right(args: &ExportArgs, transfer: &dyn Transfer, extent: &Extent) -> anyhow::Result<String> {
    let what = name_of(extent);
    if args.undo_final {
        let audit = entry(Action::ORGANIZATION_TAKEN_BACK, extent);
        ensure!(transfer.take_back(extent, &audit).await?, "{what} is not set aside");
        return Ok(format!("{what} is no longer set aside"));
    }
    let Extent::Organization(id) = extent else { return Err(Misuse::of("--delete-final needs --org")) };
    let audit = entry(Action::ORGANIZATION_DELETED, extent);
    ensure!(transfer.delete_set_aside(id, &audit).await?, "{what} is not set aside");
    Ok(format!("{what} is deleted here"))
}

/// What the operator's trail tells of what is done to an extent.
fn entry(action: Action, extent: &Extent) -> AuditEntry {
    let now = SystemClock.now();
    let object = match extent {
        Extent::Everything => EVERYTHING,
        Extent::Organization(id) => id.as_str(),
    };
    AuditEntry::new(AuditId(Ids::default().next(now)), now, Actor::Operator, action, object)
}

fn name_of(extent: &Extent) -> String {
    match extent {
        Extent::Everything => "the store".to_owned(),
        Extent::Organization(id) => format!("organization {id}"),
    }
}

/// The line for standard output, if it is free.
async fn export(
    opened: &MovedStore,
    extent: Extent,
    is_final: bool,
    out: Option<Draft>,
    json: bool,
) -> anyhow::Result<Option<String>> {
    let what = name_of(&extent);
    let is_stdout_taken = out.is_none();
    if is_final {
        let audit = entry(Action::ORGANIZATION_SET_ASIDE, &extent);
        opened.transfer.set_aside(&extent, SystemClock.now(), &audit).await?;
    }
    let id = ExportId::random();
    let written = match &out {
        Some(draft) => {
            let file = draft.file().try_clone().context("the file cannot be written")?;
            write(Arc::clone(&opened.transfer), extent, file, opened.keys.current.clone(), id).await
        }
        None => write(Arc::clone(&opened.transfer), extent, std::io::stdout(), opened.keys.current.clone(), id).await,
    };
    let kept = match (written, out) {
        (Ok(written), Some(draft)) => draft.keep().map(|()| written),
        (written, _) => written,
    };
    let (counts, bytes) = kept.map_err(|error| match is_final {
        false => error,
        true => error
            .context(format!("{what} is set aside, but not exported: run this again, or undo it with --undo-final")),
    })?;
    let line = summary(json, id, counts, &[("bytes", bytes.into()), ("final", is_final.into())]);
    if is_final {
        eprintln!("postrider: {what} is set aside: import the export, or undo this with --undo-final");
    }
    if is_stdout_taken {
        eprintln!("postrider: {line}");
        return Ok(None);
    }
    Ok(Some(line))
}

async fn write(
    transfer: Arc<dyn Transfer>,
    extent: Extent,
    out: impl Write + Send + 'static,
    master: MasterKey,
    id: ExportId,
) -> anyhow::Result<(Counts, u64)> {
    let (sender, mut chunks) = mpsc::channel::<Vec<Portable>>(CHUNKS_WAITING);
    let (complete, is_complete) = oneshot::channel::<()>();
    let writing = tokio::task::spawn_blocking(move || -> anyhow::Result<(Counts, u64)> {
        let mut writer = ExportWriter::begin(BufWriter::new(out), &master, id)?;
        let mut progress = Progress::new("exported");
        while let Some(chunk) = chunks.blocking_recv() {
            writer.chunk(&chunk)?;
            progress.tell(writer.counts(), writer.bytes());
        }
        // Only what is whole has an end.
        is_complete.blocking_recv().map_err(|_| anyhow!("the export was cut short"))?;
        let (_, counts, bytes) = writer.finish()?;
        Ok((counts, bytes))
    });
    let exported = transfer.export(extent, sender).await;
    if exported.is_ok() {
        // Whoever writes may have failed: that is told instead.
        let _ = complete.send(());
    } else {
        drop(complete);
    }
    let written = writing.await?;
    match (exported, written) {
        (Ok(()), written) => written,
        // The store was told that nobody takes the export: why, the writer knows.
        (Err(postrider_store::StoreError::Unavailable { .. }), Err(error)) => Err(error),
        (Err(error), _) => Err(error.into()),
    }
}
