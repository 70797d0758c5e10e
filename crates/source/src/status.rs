//! How capturing goes: what is installed, what differs from the mapping, what waits.

use crate::catalogue::{Catalogue, Installed, InstalledTable, Outbox};
use crate::counted::counted;
use crate::finding::{Finding, Findings, Severity};
use crate::install::{Plan, TRIGGER, TRUNCATE_TRIGGER, VERSION, Wish};
use crate::mapping::{CaptureKind, Mapping};
use crate::replication::needs;
use crate::replication::publication::Slot;
use crate::watch::node_of;

/// Over this share of what may wait there is a warning.
const FULL_ALARM: f64 = 0.5;
/// What waits for longer than this while nobody reads is told, in milliseconds.
const OLD_MS: u64 = 60_000;

/// What was found.
#[derive(Clone, Debug)]
pub struct Status {
    /// Whether everything of ours is there.
    pub is_installed: bool,
    /// Which node reads now: what its session is called, without a name where it has none.
    pub reader: Option<String>,
    /// What waits, where there is an outbox.
    pub outbox: Option<Outbox>,
    /// The slot, where there is one.
    pub slot: Option<Slot>,
    /// How full the outbox is, or how near the slot is to what the mapping allows it: 1 is the limit.
    pub fullness: f64,
    /// What is wrong or differs.
    pub findings: Vec<Finding>,
}

impl Status {
    /// Looks at what was read.
    #[must_use]
    pub fn of(mapping: &Mapping, catalogue: &Catalogue) -> Self {
        let mut findings = Findings::default();
        let Some(installed) = catalogue.installed.as_ref().filter(|there| there.installation.is_some()) else {
            let advice = "run postrider source preflight, then postrider source install";
            findings.error(&format!("schema {}", mapping.schema), "nothing is installed", advice);
            let findings = findings.0;
            return Status { is_installed: false, reader: None, outbox: None, slot: None, fullness: 0.0, findings };
        };
        drift(mapping, catalogue, installed, &mut findings);
        let fullness =
            installed.outbox.map_or(0.0, |outbox| outbox.drawn as f64 / mapping.outbox_rows_max.max(1) as f64);
        let slot = catalogue.replication.slot.clone().filter(|_| mapping.capture == CaptureKind::Replication);
        let fullness = slot.as_ref().map_or(fullness, |slot| slot.fullness(mapping));
        if let Some(outbox) = &installed.outbox {
            waiting(mapping, installed, outbox, fullness, &mut findings);
        }
        Status {
            is_installed: true,
            reader: installed.reader.as_deref().map(node_of).map(str::to_owned),
            outbox: installed.outbox,
            slot,
            fullness,
            findings: findings.0,
        }
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity < Severity::Warning)
    }
}

/// What differs between the mapping and what is installed.
fn drift(mapping: &Mapping, catalogue: &Catalogue, installed: &Installed, findings: &mut Findings) {
    const AGAIN: &str = "run postrider source install";
    let Some(installation) = &installed.installation else { return };
    if installation.version != VERSION {
        let what = format!("version {} is installed, and this program makes version {VERSION}", installation.version);
        findings.warning(&format!("schema {}", mapping.schema), what, AGAIN);
    }
    for mistake in mapping.check_columns(&catalogue.known(), &catalogue.others) {
        findings.error(
            &format!("{}:{}:{}", mistake.file, mistake.line, mistake.column),
            mistake.problem,
            mistake.advice,
        );
    }
    let wanted = crate::install::wanted(mapping, catalogue, installed);
    for table in &wanted {
        match installation.record.tables.iter().find(|old| old.table() == table.table()) {
            Some(old) => columns(old, table, findings),
            None => findings.error(&table.table(), "is mapped and not installed", AGAIN),
        }
        if mapping.capture == CaptureKind::Triggers {
            triggers(installed, table, findings);
        }
    }
    let outlived = installed.triggers.iter().filter(|trigger| mapping.table(&trigger.table).is_none());
    for trigger in outlived.filter(|trigger| trigger.name == TRIGGER) {
        findings.warning(&trigger.table, "is captured and not mapped: what it tells is let go", AGAIN);
    }
    lost(mapping, installed, findings);
    if mapping.capture == CaptureKind::Replication {
        let tables: Vec<_> = wanted.iter().map(InstalledTable::table).collect();
        needs::status(mapping, &catalogue.replication, &tables, findings);
    }
    let is_told = !findings.0.is_empty();
    if !is_told && !Plan::of(mapping, catalogue, &Wish::default()).steps.is_empty() {
        let what = "functions, tables or rights are not as this program and the mapping would have them";
        findings.warning(&format!("schema {}", mapping.schema), what, AGAIN);
    }
}

/// Changes that nobody has made good.
fn lost(mapping: &Mapping, installed: &Installed, findings: &mut Findings) {
    for lost in &installed.lost {
        let what = format!("has changes from before {} that were lost: they are no events", lost.before);
        let table = mapping.tables.iter().find(|table| table.table.to_string() == lost.table);
        match table.is_some_and(|table| table.events.created.is_some()) {
            true => findings.warning(&lost.table, what, format!("run postrider source backfill {}", lost.table)),
            false => findings.note(&lost.table, what, "the mapping has no events.created for it to be backfilled with"),
        }
    }
}

fn columns(old: &InstalledTable, new: &InstalledTable, findings: &mut Findings) {
    const AGAIN: &str =
        "run postrider source install; until then its changes are captured without them, and more slowly";
    let name = new.table();
    let type_in = |table: &InstalledTable, column: &str| {
        table.columns.iter().find(|(name, _)| name == column).map(|(_, type_name)| type_name.clone())
    };
    let mut told = |columns: Vec<String>, verb: &str, advice: &str| {
        if !columns.is_empty() {
            findings.warning(&name, format!("{verb}: {}", columns.join(", ")), advice);
        }
    };
    let added = new.columns.iter().filter(|(column, _)| type_in(old, column).is_none());
    told(
        added.map(|(column, _)| column.clone()).collect(),
        "has columns that are not captured yet",
        "run postrider source install",
    );
    let dropped = old.columns.iter().filter(|(column, _)| type_in(new, column).is_none());
    told(dropped.map(|(column, _)| column.clone()).collect(), "has lost or omits columns that are captured", AGAIN);
    let retyped = new.columns.iter().filter_map(|(column, now)| {
        let was = type_in(old, column).filter(|was| was != now)?;
        Some(format!("{column} ({was} before, {now} now)"))
    });
    told(retyped.collect(), "has columns of another type", AGAIN);
    if old.key != new.key {
        let what = format!("has the key ({}), and ({}) is installed", new.key.join(", "), old.key.join(", "));
        findings.warning(&name, what, "run postrider source install");
    }
}

fn triggers(installed: &Installed, table: &InstalledTable, findings: &mut Findings) {
    let name = table.table();
    for wanted in [TRIGGER, TRUNCATE_TRIGGER] {
        match installed.triggers.iter().find(|trigger| trigger.table == name && trigger.name == wanted) {
            None => findings.error(
                &name,
                format!("has no trigger {wanted}: its changes are not captured"),
                "run postrider source install",
            ),
            Some(trigger) if !matches!(trigger.enabled, 'O' | 'A') => {
                findings.error(
                    &name,
                    format!("has the trigger {wanted} disabled: its changes are not captured"),
                    "run postrider source install",
                );
            }
            Some(_) => {}
        }
    }
}

fn waiting(mapping: &Mapping, installed: &Installed, outbox: &Outbox, fullness: f64, findings: &mut Findings) {
    let place = format!("outbox of {}", mapping.schema);
    let shown = format!("{} of {}", outbox.drawn, counted(mapping.outbox_rows_max, "change", "changes"));
    if fullness >= 1.0 {
        let advice =
            "see to it that postrider serve runs and reaches its store: changes are missed until some were handed over";
        findings.error(&place, format!("is full: {shown}"), advice);
    } else if fullness > FULL_ALARM {
        findings.warning(
            &place,
            format!("is over half full: {shown}"),
            "see to it that postrider serve runs and reaches its store",
        );
    }
    if outbox.missed > 0 {
        let missed = counted(outbox.missed, "change was", "changes were");
        let what = format!("{missed} missed since it was installed");
        let advice = "the server's log names table and reason (search for \"postrider: a change\"); publish what is missing with postrider source backfill";
        findings.warning(&place, what, advice);
    }
    if let Some(oldest) = outbox.oldest_ms.filter(|oldest| *oldest > OLD_MS && installed.reader.is_none()) {
        let what = format!("nobody reads, and the oldest change has waited for {} s", oldest / 1_000);
        findings.warning(&place, what, "start postrider serve with the setting source");
    }
}
