//! What is to be done so that the database is as the mapping says.

use std::collections::BTreeMap;

use super::capture::{self, Function};
use super::{
    CONVERTED_ROWS_MAX, FUNCTION_PREFIX, LOCK_WAIT_MS_MAX, RELATIONS, SEQUENCES, TRIGGER, TRUNCATE_FUNCTION,
    TRUNCATE_TRIGGER, VERSION, grants, owner,
};
use crate::catalogue::{Catalogue, Granted, Installed, InstalledTable, Kind, Record, Trigger};
use crate::counted::counted;
use crate::mapping::{CaptureKind, Mapping, TableName};
use crate::quote;
use crate::replication::needs;

/// What is wished beside the mapping.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// The role that Postrider connects as, where another installs; the one that was named before where it is nothing.
    pub role: Option<String>,
    /// The role that all of it belongs to, so that the triggers' functions run with its rights; the one that was named before where it is nothing, and
    /// whoever installs where none was.
    pub owner: Option<String>,
    /// With replication: whether tables are set to tell all of the row before (`REPLICA IDENTITY FULL`).
    pub replica_identity_full: bool,
}

/// Statements that take effect together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it does, in a sentence.
    pub what: String,
    /// The table of the CRM's that it locks.
    pub locks: Option<TableName>,
    /// The statements, without `BEGIN` and `COMMIT`.
    pub sql: String,
}

impl Step {
    /// Statements that lock nothing of the CRM's.
    pub(crate) fn free(what: impl Into<String>, sql: String) -> Self {
        Step { what: what.into(), locks: None, sql }
    }

    /// Statements that lock one of the CRM's tables, each with a line of its own.
    pub(crate) fn locking(what: impl Into<String>, table: &TableName, sql: String) -> Self {
        Step { what: what.into(), locks: Some(table.clone()), sql }
    }

    /// The whole transaction, as it is run.
    #[must_use]
    pub fn transaction(&self) -> String {
        let lock_wait = match &self.locks {
            Some(_) => format!("SET LOCAL lock_timeout = '{LOCK_WAIT_MS_MAX}ms';\n"),
            None => String::new(),
        };
        format!("BEGIN;\nSET LOCAL search_path = pg_catalog;\n{lock_wait}{}\nCOMMIT;\n", self.sql)
    }
}

/// What is to be done, in order; nothing when all is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
}

impl Plan {
    /// What makes triggers and outbox as the mapping says. Of tables that are not there, or have no key, there is nothing in it: the preflight
    /// tells of them.
    #[must_use]
    pub fn of(mapping: &Mapping, catalogue: &Catalogue, wish: &Wish) -> Self {
        Planning::new(mapping, catalogue, wish).plan()
    }

    /// All of it for psql: each step with its comment.
    #[must_use]
    pub fn script(&self) -> String {
        let mut script = "-- For psql: psql -v ON_ERROR_STOP=1 -f FILE DATABASE\n\
             -- Each part is a transaction. One that ends with \"canceling statement due to lock timeout\" met a long transaction of the CRM's: run the\n\
             -- whole again; what is done already is left as it is by a script that is printed anew.\n"
            .to_owned();
        for step in &self.steps {
            // Names of the CRM's stand in it, whose ends of line would end the comment.
            let what = step.what.replace(|c: char| c.is_control(), " ");
            script.push_str(&format!("\n-- {what}\n{}", step.transaction()));
        }
        script
    }
}

struct Planning<'a> {
    mapping: &'a Mapping,
    catalogue: &'a Catalogue,
    installed: Installed,
    before: Record,
    role: Option<String>,
    owner: Option<String>,
    replica_identity_full: bool,
    tables: Vec<InstalledTable>,
}

impl<'a> Planning<'a> {
    fn new(mapping: &'a Mapping, catalogue: &'a Catalogue, wish: &Wish) -> Self {
        let installed = catalogue.installed.clone().unwrap_or_default();
        let before = installed.installation.as_ref().map(|there| there.record.clone()).unwrap_or_default();
        let role = wish.role.clone().or_else(|| before.role.clone());
        let owner = wish.owner.clone().or_else(|| before.owner.clone());
        let tables = wanted(mapping, catalogue, &installed);
        let replica_identity_full = wish.replica_identity_full;
        Planning { mapping, catalogue, installed, before, role, owner, replica_identity_full, tables }
    }

    fn plan(&self) -> Plan {
        let captures = self.mapping.capture == CaptureKind::Triggers;
        let mut steps: Vec<Step> = self.conversion().into_iter().chain(self.own()).chain(self.handing_on()).collect();
        let mut outlived = self.outlived_triggers();
        for table in self.tables.iter().filter(|_| captures) {
            let Some(mut step) = self.triggers(table) else { continue };
            // What a partition had as a table of its own is in the way of its table's triggers, and goes in the same moment.
            if self.catalogue.table(&table.table()).is_some_and(|known| known.kind == Kind::Partitioned) {
                let gone = outlived.drain(..).map(|step| step.sql + "\n").collect::<String>();
                step.sql.insert_str(0, &gone);
            }
            steps.push(step);
        }
        steps.extend(outlived);
        steps.extend(self.outlived_functions());
        steps.extend(self.replication());
        Plan { steps }
    }

    /// Publication and slot; or that they go, when changes are captured by triggers again.
    fn replication(&self) -> Vec<Step> {
        let found = &self.catalogue.replication;
        match self.mapping.capture {
            CaptureKind::Triggers => needs::removal(&self.mapping.schema, found),
            CaptureKind::Replication => {
                let tables: Vec<TableName> = self.tables.iter().map(InstalledTable::table).collect();
                needs::steps(self.mapping, found, &tables, self.replica_identity_full, &self.before)
            }
        }
    }

    /// What lies in our schema, and rights.
    fn own(&self) -> Option<Step> {
        let schema = &self.mapping.schema;
        let captures = self.mapping.capture == CaptureKind::Triggers;
        let mut sql = Vec::new();
        let lacks = |names: &[&str]| names.iter().any(|name| !self.installed.has(name));
        let is_new = lacks(&RELATIONS[1..]) || (captures && (lacks(&SEQUENCES) || lacks(&["outbox", "outbox_net"])));
        if is_new {
            sql.push(capture::store(schema, self.catalogue.installed.is_some()));
            sql.extend(captures.then(|| capture::outbox(schema)));
        }
        if captures {
            let functions = self.functions();
            if !functions.is_empty() {
                sql.extend(functions);
                sql.push(format!("REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {} FROM PUBLIC;", quote::identifier(schema)));
            }
        }
        let granted = self.rights(is_new, &mut sql);
        if let Some(owner) = self.owner.as_ref().filter(|_| !sql.is_empty() && !self.changes_hands()) {
            sql.push(self.given_to(owner, is_new));
        }
        let record = Record {
            capture: self.mapping.capture.as_str().to_owned(),
            tables: self.tables.clone(),
            role: self.role.clone(),
            owner: self.owner.clone(),
            granted,
            has_slot: self.before.has_slot && !captures,
            lost: self.lost(),
        };
        let version = self.installed.installation.as_ref().map(|there| there.version);
        if record != self.before || version != Some(VERSION) || !sql.is_empty() {
            sql.push(installation(schema, &record));
        }
        let rights = self.role.as_ref().map_or_else(String::new, |role| format!(", and what {role} needs to read"));
        let what = format!("What is Postrider's, in the schema {schema}{rights}; nothing of the CRM's is locked");
        (!sql.is_empty()).then(|| Step::free(what, sql.join("\n")))
    }

    /// Of which tables changes were lost, as far as they are still captured.
    fn lost(&self) -> BTreeMap<String, String> {
        let mut lost = self.before.lost.clone();
        lost.retain(|name, _| self.tables.iter().any(|table| table.table().to_string() == *name));
        lost
    }

    /// An outbox of version 1 becomes as it is now, before any function needs it so: those of version 1 can write to it, too.
    fn conversion(&self) -> Option<Step> {
        let outbox = self.outbox().filter(|_| self.installed.is_old)?;
        let own = quote::table(&outbox);
        let sql = format!(
            "DO $postrider$\nBEGIN\n  IF (SELECT count(*) FROM (SELECT FROM {own} LIMIT {CONVERTED_ROWS_MAX} + 1) AS waiting) > {CONVERTED_ROWS_MAX} THEN\n    \
             RAISE EXCEPTION 'over {CONVERTED_ROWS_MAX} changes wait in the outbox, which would be locked for too long: \
             let postrider serve hand them over and install again';\n  END IF;\nEND\n$postrider$;\n\
             ALTER TABLE {own} ADD COLUMN depth int, ALTER COLUMN before TYPE json USING before::json, ALTER COLUMN after TYPE json USING after::json;"
        );
        Some(Step::locking("The outbox as this version needs it, with what waits in it", &outbox, sql))
    }

    /// The outbox that is there already, which the CRM's transactions have locked.
    fn outbox(&self) -> Option<TableName> {
        let there = self.installed.has("outbox");
        there.then(|| TableName { schema: self.mapping.schema.clone(), name: "outbox".to_owned() })
    }

    /// Whether what is there already is to be another role's.
    fn changes_hands(&self) -> bool {
        self.owner.is_some() && self.installed.owner.is_some() && self.owner != self.installed.owner
    }

    /// What is there already is given to another role all at once: functions of one role could not write to an outbox of another.
    fn handing_on(&self) -> Option<Step> {
        let owner = self.owner.as_ref().filter(|_| self.changes_hands())?;
        let what = format!("What is Postrider's belongs to {owner}, with whose rights the triggers' functions run");
        let sql = self.given_to(owner, true);
        Some(match self.outbox() {
            Some(outbox) => Step::locking(what, &outbox, sql),
            None => Step::free(what, sql),
        })
    }

    /// Gives the functions to a role, and the rest, too, unless it has that.
    fn given_to(&self, owner: &str, with_relations: bool) -> String {
        let schema = &self.mapping.schema;
        let mut functions: Vec<String> = Vec::new();
        if self.mapping.capture == CaptureKind::Triggers {
            functions.extend(capture::shared(schema).into_keys());
            functions.extend(self.tables.iter().map(|table| capture::function_name(table.number)));
        }
        owner::given(schema, self.mapping.capture, owner, &functions, with_relations)
    }

    /// Those that are missing, or say something else.
    fn functions(&self) -> Vec<String> {
        let differs = |name: &str, function: &Function| {
            self.installed.functions.get(name).is_none_or(|(body, _)| *body != function.body)
        };
        let shared = capture::shared(&self.mapping.schema);
        let mut sql: Vec<String> = shared
            .into_iter()
            .filter(|(name, function)| differs(name, function))
            .map(|(_, function)| function.sql)
            .collect();
        for table in &self.tables {
            let function = capture::function(&self.mapping.schema, table, self.mapping.outbox_rows_max);
            if differs(&capture::function_name(table.number), &function) {
                sql.push(function.sql);
            }
        }
        sql
    }

    /// What the role that reads is given; returns what it has been given in all.
    fn rights(&self, is_new: bool, sql: &mut Vec<String>) -> Vec<Granted> {
        let Some(role) = &self.role else { return Vec::new() };
        if is_new || self.before.role.as_ref() != Some(role) {
            sql.push(grants::on_ours(&self.mapping.schema, self.mapping.capture, role));
        }
        // Another role's rights are taken back by uninstalling alone: it may read still.
        let mut granted =
            if self.before.role.as_ref() == Some(role) { self.before.granted.clone() } else { Vec::new() };
        for outlived in grants::outlived(self.mapping, self.catalogue, &granted) {
            sql.push(grants::revoke(&outlived, role));
            let of_table =
                granted.iter_mut().filter(|given| given.schema == outlived.schema && given.table == outlived.table);
            of_table.for_each(|given| given.columns.retain(|column| !outlived.columns.contains(column)));
        }
        for lacking in grants::lacking(self.mapping, self.catalogue) {
            sql.push(grants::grant(&lacking, role));
            match granted.iter_mut().find(|given| given.schema == lacking.schema && given.table == lacking.table) {
                Some(given) => given.columns.extend(lacking.columns),
                None => granted.push(lacking),
            }
        }
        granted.retain(|given| given.table.is_none() || !given.columns.is_empty());
        granted
    }

    fn find(&self, table: &TableName, name: &str) -> Option<&Trigger> {
        self.installed.triggers.iter().find(|trigger| trigger.table == *table && trigger.name == name)
    }

    /// A table's triggers, as far as they are missing, disabled or of another function.
    fn triggers(&self, table: &InstalledTable) -> Option<Step> {
        let name = table.table();
        let own = quote::identifier(&self.mapping.schema);
        let function = capture::function_name(table.number);
        let rows = format!(
            "CREATE TRIGGER {TRIGGER} AFTER INSERT OR UPDATE OR DELETE ON {} FOR EACH ROW EXECUTE FUNCTION {own}.{function}();",
            quote::table(&name)
        );
        let truncate = format!(
            "CREATE TRIGGER {TRUNCATE_TRIGGER} AFTER TRUNCATE ON {} FOR EACH STATEMENT EXECUTE FUNCTION {own}.{TRUNCATE_FUNCTION}({});",
            quote::table(&name),
            quote::literal(&name.to_string())
        );
        let wanted = [(TRIGGER, function.as_str(), rows), (TRUNCATE_TRIGGER, TRUNCATE_FUNCTION, truncate)];
        let mut sql = Vec::new();
        for (trigger, function, create) in wanted {
            match self.find(&name, trigger) {
                Some(there) if there.function != function => {
                    sql.push(drop_trigger(&name, trigger));
                    sql.push(create);
                }
                Some(there) if !matches!(there.enabled, 'O' | 'A') => {
                    sql.push(format!("ALTER TABLE {} ENABLE TRIGGER {trigger};", quote::table(&name)));
                }
                Some(_) => {}
                None => sql.push(create),
            }
        }
        let key = table.key.join(", ");
        let columns = counted(table.columns.len() as u64, "column", "columns");
        let what = format!("Triggers on {name}: {columns}, key ({key})");
        (!sql.is_empty()).then(|| Step::locking(what, &name, sql.join("\n")))
    }

    /// Triggers of tables that are not captured any more.
    fn outlived_triggers(&self) -> Vec<Step> {
        let captures = self.mapping.capture == CaptureKind::Triggers;
        let is_wanted = |table: &TableName| captures && self.mapping.table(table).is_some();
        let outlived = self.installed.triggers.iter().filter(|trigger| !is_wanted(&trigger.table));
        removals_of(outlived)
    }

    /// Functions that no trigger needs any more.
    fn outlived_functions(&self) -> Option<Step> {
        let own = quote::identifier(&self.mapping.schema);
        let is_wanted = |name: &str| {
            self.mapping.capture == CaptureKind::Triggers
                && self.tables.iter().any(|table| capture::function_name(table.number) == name)
        };
        let numbered = |name: &&String| number_of(name).is_some() && !is_wanted(name);
        let sql: Vec<_> = self
            .installed
            .functions
            .keys()
            .filter(numbered)
            .map(|name| format!("DROP FUNCTION {own}.{name}();"))
            .collect();
        (!sql.is_empty()).then(|| Step::free("Functions that no table needs any more", sql.join("\n")))
    }
}

/// A step for each table that loses its triggers.
pub(super) fn removals_of<'a>(triggers: impl Iterator<Item = &'a Trigger>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for trigger in triggers {
        let sql = drop_trigger(&trigger.table, &trigger.name);
        match steps.last_mut().filter(|step| step.locks.as_ref() == Some(&trigger.table)) {
            Some(step) => step.sql = format!("{}\n{sql}", step.sql),
            None => {
                steps.push(Step::locking(format!("No triggers on {} any more", trigger.table), &trigger.table, sql))
            }
        }
    }
    steps
}

fn drop_trigger(table: &TableName, trigger: &str) -> String {
    format!("DROP TRIGGER IF EXISTS {} ON {};", quote::identifier(trigger), quote::table(table))
}

/// The number in a function's name.
fn number_of(function: &str) -> Option<u32> {
    function.strip_prefix(FUNCTION_PREFIX)?.parse().ok()
}

/// The mapped tables as they are to be captured. One that was captured keeps its number, so that no function ever changes its table.
pub(crate) fn wanted(mapping: &Mapping, catalogue: &Catalogue, installed: &Installed) -> Vec<InstalledTable> {
    let before = installed.installation.as_ref().map(|there| there.record.tables.as_slice()).unwrap_or_default();
    let given = installed.functions.keys().filter_map(|name| number_of(name));
    let mut last = given.chain(before.iter().map(|table| table.number)).max().unwrap_or(0);
    let mut tables = Vec::new();
    for mapped in &mapping.tables {
        let Some(table) = catalogue.table(&mapped.table) else { continue };
        let key = mapped.key_in(&table.known);
        if key.is_empty() {
            continue;
        }
        let old = before.iter().find(|old| old.table() == mapped.table);
        let number = old.map_or_else(
            || {
                last += 1;
                last
            },
            |old| old.number,
        );
        let columns = mapped.captured_in(&table.known).map(|column| (column.name.clone(), column.type_name.clone()));
        tables.push(InstalledTable {
            schema: mapped.table.schema.clone(),
            name: mapped.table.name.clone(),
            number,
            key: key.to_vec(),
            columns: columns.collect(),
        });
    }
    tables
}

fn installation(schema: &str, record: &Record) -> String {
    let table = format!("{}.installation", quote::identifier(schema));
    let record = quote::literal(&serde_json::json!(record).to_string());
    format!(
        "INSERT INTO {table} (id, installed_at, version, mapping)\n  \
         SELECT gen_random_uuid(), clock_timestamp(), {VERSION}, '{{}}' WHERE NOT EXISTS (SELECT FROM {table});\n\
         UPDATE {table} SET installed_at = clock_timestamp(), version = {VERSION}, mapping = {record};"
    )
}
