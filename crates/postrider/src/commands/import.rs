//! `import`: an export into a store.

use std::io::{BufReader, Read};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use postrider_store::{
    Counts, ExportId, ExportReader, ImportState, MasterKey, MasterKeys, Portable, StoreError, Transfer,
};
use tokio::sync::{mpsc, oneshot};

use super::moved_store::{MovedStore, settings};
use super::progress::{Progress, summary};
use crate::cli::ImportArgs;
use crate::output;
use crate::settings::{StorePlace, Variables};

/// Chunks between the file and the store.
const CHUNKS_WAITING: usize = 2;

pub(crate) async fn run(args: ImportArgs, variables: &Variables) -> anyhow::Result<ExitCode> {
    let settings = settings(&args.store, variables)?;
    let source_key = args.source_encryption_key_file.as_deref().map(MasterKey::load_file).transpose()?;
    let is_shared = matches!(settings.place, StorePlace::Database(_));
    let opened = MovedStore::open(&settings).await?;
    let done = match &args.from {
        Some(from) => import(&opened, from, source_key, is_shared, args.json).await,
        None => discard(opened.transfer.as_ref()).await,
    };
    opened.store.close().await?;
    output::line(&done?)?;
    Ok(ExitCode::SUCCESS)
}

async fn discard(transfer: &dyn Transfer) -> anyhow::Result<String> {
    if transfer.discard_import().await? {
        return Ok("the unfinished import is given up; what came of it is deleted".to_owned());
    }
    bail!("there is no unfinished import")
}

/// What the file's reader sends.
enum Part {
    Begin(ExportId),
    Chunk(u64, Vec<Portable>),
}

/// Returns the line for standard output.
async fn import(
    opened: &MovedStore,
    from: &Path,
    source_key: Option<MasterKey>,
    is_shared: bool,
    json: bool,
) -> anyhow::Result<String> {
    let input: Box<dyn Read + Send> = if from == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(from).with_context(|| format!("{} cannot be read", from.display()))?)
    };
    let (sender, mut parts) = mpsc::channel(CHUNKS_WAITING);
    let (answer, is_wanted) = oneshot::channel();
    let keys = opened.keys.clone();
    let reading = tokio::task::spawn_blocking(move || read(input, source_key.as_ref(), &keys, &sender, is_wanted));
    let applied = apply(opened.transfer.as_ref(), &mut parts, answer, is_shared).await;
    drop(parts);
    // What is wrong with the file explains why nothing more came.
    let read = reading.await?;
    let (export, counts) = match (applied, read) {
        (Err(error), Ok(_)) => return Err(error),
        (_, Err(error)) => return Err(error),
        (Ok(Applied::Before(export)), _) => {
            eprintln!("postrider: this export was imported before; nothing is changed");
            return Ok(summary(json, export, Counts::default(), &[("already_imported", true.into())]));
        }
        (Ok(Applied::Now(export)), Ok(counts)) => (export, counts),
    };
    let is_key_ours = opened.transfer.finish_import(export).await?;
    if !is_key_ours {
        eprintln!("postrider: the operator key stays the one of the store that was imported into");
    }
    Ok(summary(json, export, counts, &[("operator_key_kept", (!is_key_ours).into())]))
}

fn read(
    input: Box<dyn Read + Send>,
    source_key: Option<&MasterKey>,
    keys: &MasterKeys,
    parts: &mpsc::Sender<Part>,
    is_wanted: oneshot::Receiver<u64>,
) -> anyhow::Result<Counts> {
    let ring: Vec<_> = source_key.into_iter().chain([&keys.current]).chain(&keys.others).collect();
    let mut reader = ExportReader::begin(BufReader::new(input), &ring)?;
    // Whoever takes the parts says why it does not want them.
    let send = |part| parts.blocking_send(part).is_ok();
    if !send(Part::Begin(reader.export())) {
        return Ok(Counts::default());
    }
    let Ok(first) = is_wanted.blocking_recv() else { return Ok(Counts::default()) };
    let mut progress = Progress::new("imported");
    while let Some((number, rows)) = reader.chunk()? {
        // Those before it were applied by an earlier run.
        if number >= first && !send(Part::Chunk(number, rows)) {
            return Ok(Counts::default());
        }
        progress.tell(reader.counts(), reader.bytes());
    }
    Ok(reader.counts())
}

enum Applied {
    /// By an earlier run, to the end.
    Before(ExportId),
    Now(ExportId),
}

async fn apply(
    transfer: &dyn Transfer,
    parts: &mut mpsc::Receiver<Part>,
    answer: oneshot::Sender<u64>,
    is_shared: bool,
) -> anyhow::Result<Applied> {
    let Some(Part::Begin(export)) = parts.recv().await else { bail!("nothing came") };
    let first = match transfer.import_state(export).await? {
        ImportState::Finished => return Ok(Applied::Before(export)),
        ImportState::Applied(chunks) => chunks,
    };
    if first > 0 {
        eprintln!("postrider: this import was broken off; it goes on behind part {first}");
    }
    let _ = answer.send(first);
    while let Some(part) = parts.recv().await {
        let Part::Chunk(number, rows) = part else { continue };
        let is_ready = is_shared && rows.contains(&Portable::Ready);
        transfer.import(export, number, rows).await.map_err(explain)?;
        if is_ready {
            eprintln!("postrider: everything but history has come: nodes may start now, and send what is pending");
        }
    }
    Ok(Applied::Now(export))
}

fn explain(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::Exists { what } => {
            anyhow::anyhow!("{what} exists already in the store to import into; nothing of it was changed")
        }
        error => error.into(),
    }
}
