//! What replication needs: what installing does for it, what stands against it, and how it goes.

use super::publication::{self, Found, Hindrance, Identity, Slot};
use crate::catalogue::{Catalogue, Record};
use crate::finding::Findings;
use crate::install::{Step, Wish};
use crate::mapping::{CaptureKind, Mapping, TableName};
use crate::quote;

/// Over this share of `slot_bytes_max` there is a warning.
const FULL_ALARM: f64 = 0.5;
/// What has all of a row's old values told.
const IN_FULL: &str = "postrider source install --replica-identity-full";

/// What is to be done: old rows told in full where that is wished, the publication, and then the slot; and that it is noted of which tables changes were
/// lost because one of them was gone. `before` is what was installed.
pub(crate) fn steps(
    mapping: &Mapping,
    found: &Found,
    tables: &[TableName],
    in_full: bool,
    before: &Record,
) -> Vec<Step> {
    let schema = &mapping.schema;
    let mut steps = Vec::new();
    // Before a table tells all of its old rows: of one that is published already Postgres might refuse updates otherwise.
    if found.publication.as_ref().is_some_and(|there| !there.is_whole) {
        let what = format!("The publication {schema} tells of all that happens to rows");
        steps.push(Step::free(what, publication::whole_sql(schema)));
    }
    let lacking = found.identities.iter().filter(|table| {
        table.identity != Identity::Full && table.hindrance.is_none() && tables.contains(&table.mapped)
    });
    for table in lacking.filter(|_| in_full) {
        let what = format!(
            "All values of the row before in changes of {}: its updates and deletions write more log",
            table.table
        );
        steps.push(Step::locking(what, &table.table, table.full_sql()));
    }
    // Of a published table without an identity Postgres refuses updates and deletions.
    let is_fit = |table: &&TableName| {
        (in_full && found.hindrance(table).is_none()) || found.identity(table) != Identity::Missing
    };
    let fit: Vec<TableName> = tables.iter().filter(is_fit).cloned().collect();
    steps.extend(noted(mapping, found, &fit, before));
    if !fit.is_empty() && !is_published(found, &fit) {
        let what = format!("The publication {schema}; tables in it: {}", fit.len());
        steps.push(Step::free(what, publication::publication_sql(schema, &fit)));
    }
    if is_of_no_use(found, &fit) {
        let what = format!("The slot {schema} goes, since it cannot be read any more");
        steps.push(Step::free(what, publication::renew_slot_sql(schema)));
    }
    if found.slot.is_none() || is_of_no_use(found, &fit) {
        let what =
            format!("The slot {schema}, from which on changes are told; it waits for transactions that are under way");
        steps.push(Step::free(what, publication::slot_sql(schema)));
    }
    if !before.has_slot {
        let sql = format!(
            "UPDATE {}.installation SET mapping = mapping || '{{\"has_slot\": true}}';",
            quote::identifier(schema)
        );
        steps.push(Step::free("It is noted that changes are told from now on", sql));
    }
    steps
}

/// Whether the slot has lost changes, or stands before changes that were made without a publication: those it could never go past.
fn is_of_no_use(found: &Found, fit: &[TableName]) -> bool {
    let is_unpublished = found.publication.is_none() && !fit.is_empty();
    found.slot.as_ref().is_some_and(|slot| slot.is_ours && (slot.is_lost || is_unpublished))
}

/// Notes the tables whose changes were captured and were lost since.
fn noted(mapping: &Mapping, found: &Found, fit: &[TableName], before: &Record) -> Option<Step> {
    let is_broken = found.slot.is_none() || is_of_no_use(found, fit);
    let is_published = |table: &TableName| {
        found.publication.as_ref().is_some_and(|there| there.is_whole && there.tables.contains(table))
    };
    let was_captured = |table: &TableName| before.tables.iter().any(|old| old.table() == *table);
    let lost = fit.iter().filter(|table| was_captured(table) && (is_broken || !is_published(table)));
    let lost: Vec<String> = lost.filter(|_| before.has_slot).map(ToString::to_string).collect();
    let sql = format!(
        "UPDATE {}.installation SET mapping = jsonb_set(mapping, '{{lost}}', coalesce(mapping -> 'lost', '{{}}') || \
         (SELECT jsonb_object_agg(name, clock_timestamp()) FROM unnest({}) AS name));",
        quote::identifier(&mapping.schema),
        quote::text_array(lost.iter().map(String::as_str))
    );
    let what = format!(
        "It is noted that changes were lost, of {}: make that good with postrider source backfill",
        lost.join(", ")
    );
    (!lost.is_empty()).then(|| Step::free(what, sql))
}

/// What takes them away again. The slot goes in a transaction of its own.
pub(crate) fn removal(schema: &str, found: &Found) -> Vec<Step> {
    let slot = found.slot.as_ref().filter(|slot| slot.is_ours).map(|_| {
        Step::free(format!("The slot {schema}, with what it has not told yet"), publication::drop_slot_sql(schema))
    });
    let publication = found
        .publication
        .as_ref()
        .map(|_| Step::free(format!("The publication {schema}"), publication::drop_publication_sql(schema)));
    slot.into_iter().chain(publication).collect()
}

fn is_published(found: &Found, tables: &[TableName]) -> bool {
    found.publication.as_ref().is_some_and(|there| {
        there.tables.len() == tables.len() && tables.iter().all(|table| there.tables.contains(table))
    })
}

/// What stands against replication, of the server and of each mapped table.
pub(crate) fn findings(mapping: &Mapping, catalogue: &Catalogue, wish: &Wish, findings: &mut Findings) {
    let found = &catalogue.replication;
    if mapping.capture == CaptureKind::Triggers {
        outlived(mapping, found, findings);
        return;
    }
    server(mapping, catalogue, found, findings);
    for mapped in &mapping.tables {
        let name = &mapped.table;
        let Some(table) = catalogue.table(name) else { continue };
        if !table.is_own && !catalogue.server.role.is_superuser {
            let advice = format!("run as {}, who owns it", table.owner);
            findings.error(name, "can be published by its owner alone", advice);
        }
        if !wish.replica_identity_full || found.hindrance(name).is_some() {
            identity(name, found, findings);
        }
    }
}

/// Triggers capture now, and the slot would grow for nobody.
fn outlived(mapping: &Mapping, found: &Found, findings: &mut Findings) {
    let name = &mapping.schema;
    if found.slot.as_ref().is_some_and(|slot| slot.is_ours) {
        let advice =
            "let postrider serve hand over what it has to tell, and stop it, before the mapping is changed to triggers";
        findings.warning(&format!("slot {name}"), "will be removed, with what it has not told yet", advice);
    }
}

fn server(mapping: &Mapping, catalogue: &Catalogue, found: &Found, findings: &mut Findings) {
    let server = &catalogue.server;
    let place = format!("database {}", server.database);
    if server.wal_level != "logical" {
        let advice = "set wal_level = logical in Postgres and restart it";
        findings.error(&place, format!("writes its log with wal_level = {}", server.wal_level), advice);
    }
    if server.synchronous_standbys.contains('*') {
        let what = "has every commit wait for whoever reads its log (synchronous_standby_names has a *): the CRM's would wait for Postrider";
        findings.error(&place, what, "name the standbys there one by one");
    }
    let reads = catalogue.reads();
    if !reads.may_replicate && !reads.is_superuser {
        let advice = format!(
            "ALTER ROLE {} REPLICATION, or what your provider has for it (rds_replication on Amazon RDS)",
            quote::identifier(&reads.name)
        );
        findings.error(&place, format!("{} may not read a slot", reads.name), advice);
    }
    let name = &mapping.schema;
    match &found.slot {
        None if server.slots >= i64::from(server.slots_max) => findings.error(
            &place,
            format!("has no slot left of {}", server.slots_max),
            "raise max_replication_slots in Postgres and restart it, or drop a slot that nobody reads",
        ),
        Some(slot) if !slot.is_ours => {
            let advice = "name another schema in the mapping";
            findings.error(&format!("slot {name}"), "is there, and of another kind or another database", advice);
        }
        _ => {}
    }
}

/// How a table's old rows are told, partition by partition.
fn identity(name: &TableName, found: &Found, findings: &mut Findings) {
    let of = |identity| {
        let tables = found.identities.iter().filter(move |table| table.mapped == *name && table.identity == identity);
        tables.map(|table| table.table.to_string()).collect::<Vec<_>>()
    };
    // Of a partitioned table it may be a matter of some partitions.
    let shown = |tables: &[String]| match tables {
        [only] if *only == name.to_string() => String::new(),
        several => format!(" (so it is with {})", several.join(", ")),
    };
    let missing = of(Identity::Missing);
    if let (false, Some(hindrance)) = (missing.is_empty(), found.hindrance(name)) {
        let (what, advice) = match hindrance {
            Hindrance::VirtualColumn => (
                "cannot be published with all of its old rows: it has a virtual generated column, and Postgres would refuse updates and deletions",
                "give it a primary key and ALTER TABLE … REPLICA IDENTITY DEFAULT, or make the column STORED",
            ),
            Hindrance::LaterPartitions => (
                "cannot be published: it is partitioned and has no primary key, so that Postgres would refuse updates and deletions in partitions that \
                 are added later",
                "give it a primary key, or capture by triggers",
            ),
        };
        findings.error(name, format!("{what}{}", shown(&missing)), advice);
        return;
    }
    if !missing.is_empty() {
        let what = format!(
            "cannot be published: Postgres would refuse updates and deletions of rows that nothing identifies{}",
            shown(&missing)
        );
        findings.error(name, what, format!("give it a primary key, or have all of the row told: {IN_FULL}"));
    }
    let by_key = of(Identity::Key);
    if !by_key.is_empty() {
        let what = format!(
            "tells the key alone of the row before: updates have no previous values, and a deletion has but the key{}",
            shown(&by_key)
        );
        let advice = if found.hindrance(name).is_none() {
            IN_FULL
        } else {
            "make its virtual generated columns STORED, and run postrider source install --replica-identity-full"
        };
        findings.warning(name, what, advice);
    }
}

/// How it goes.
pub(crate) fn status(mapping: &Mapping, found: &Found, tables: &[TableName], findings: &mut Findings) {
    const AGAIN: &str = "run postrider source install";
    const ANEW: &str =
        "run postrider source install, and publish what changed meanwhile with postrider source backfill";
    let name = &mapping.schema;
    match &found.publication {
        None => findings.error(&format!("publication {name}"), "is missing: nothing is captured", ANEW),
        Some(there) => {
            for table in tables.iter().filter(|table| !there.tables.contains(table)) {
                findings.error(table, "is mapped and not published: its changes are not captured", AGAIN);
            }
            if !there.is_whole {
                findings.error(&format!("publication {name}"), "does not tell of all that happens to rows", AGAIN);
            }
        }
    }
    for table in tables {
        identity(table, found, findings);
    }
    match &found.slot {
        None => findings.error(&format!("slot {name}"), "is missing: changes are lost until it is there", ANEW),
        Some(slot) => of_slot(mapping, slot, findings),
    }
}

fn of_slot(mapping: &Mapping, slot: &Slot, findings: &mut Findings) {
    let place = format!("slot {}", mapping.schema);
    if slot.is_lost {
        let advice = "run postrider source install, which makes it anew, and publish what changed meanwhile with postrider source backfill";
        findings.error(&place, "has lost changes: Postgres no longer keeps the log that it has not read", advice);
        return;
    }
    let fullness = slot.fullness(mapping);
    let shown = format!("{} of {} bytes of the log are kept for it", slot.log_bytes, mapping.slot_bytes_max);
    let advice = "see to it that postrider serve runs and reaches its store; the log is on the CRM's disk, and max_slot_wal_keep_size bounds it";
    if fullness >= 1.0 {
        findings.error(&place, shown, advice);
    } else if fullness > FULL_ALARM {
        findings.warning(&place, shown, advice);
    }
}
