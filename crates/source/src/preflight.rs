//! What stands against capturing, before anything is done.

use crate::catalogue::{Catalogue, Kind, RowSecurity, SERVER_OLDEST, Table, named_tables};
use crate::counted::counted;
use crate::finding::{Finding, Findings};
use crate::install::Wish;
use crate::mapping::{CaptureKind, Mapping, TableMapping};
use crate::quote;
use crate::replication::needs;

/// Everything that was found, in the order: server, mapping, tables.
#[must_use]
pub fn findings(mapping: &Mapping, catalogue: &Catalogue, wish: &Wish) -> Vec<Finding> {
    let mut findings = Findings::default();
    server(mapping, catalogue, wish, &mut findings);
    for mistake in mapping.check_columns(&catalogue.known(), &catalogue.others) {
        let place = format!("{}:{}:{}", mistake.file, mistake.line, mistake.column);
        let key = if mistake.key.is_empty() { String::new() } else { format!("{}: ", mistake.key) };
        findings.error(&place, format!("{key}{}", mistake.problem), mistake.advice);
    }
    needs::findings(mapping, catalogue, wish, &mut findings);
    for name in named_tables(mapping) {
        let Some(table) = catalogue.table(&name) else { continue };
        let mapped = mapping.table(&name);
        let before = findings.0.len();
        if let Some(mapped) = mapped {
            kind(table, &mut findings);
            if findings.0.len() == before || table.kind == Kind::Partitioned {
                key(mapped, table, &mut findings);
                columns(mapped, table, &mut findings);
                rights(mapping, catalogue, table, &mut findings);
            }
        }
        reading(mapping, catalogue, table, mapped.is_none(), &mut findings);
    }
    findings.0
}

fn server(mapping: &Mapping, catalogue: &Catalogue, wish: &Wish, findings: &mut Findings) {
    let server = &catalogue.server;
    let place = format!("database {}", server.database);
    if server.version < SERVER_OLDEST {
        let what = format!("runs Postgres {}", server.version_text);
        findings.error(&place, what, "Postgres 13 or newer is needed");
    }
    if server.is_standby {
        findings.error(&place, "is a standby", "name the primary: changes are captured where they are made");
    }
    if server.encoding == "SQL_ASCII" {
        let what = "takes texts of any encoding (SQL_ASCII), and a change with one that is not UTF-8 cannot be told";
        let advice = "such changes are told as gaps by triggers; replication stands still at them";
        match mapping.capture {
            CaptureKind::Triggers => findings.warning(&place, what, advice),
            CaptureKind::Replication => findings.error(&place, what, "capture by triggers"),
        }
    }
    let has_schema = catalogue.installed.is_some();
    if !has_schema && !server.may_create_schema {
        let grant = format!(
            "have its owner run: GRANT CREATE ON DATABASE {} TO {}",
            quote::identifier(&server.database),
            quote::identifier(&server.role.name)
        );
        findings.error(&place, format!("{} may not make the schema {}", server.role.name, mapping.schema), grant);
    }
    if let Some(role) = wish.role.as_deref().filter(|_| catalogue.reader.is_none()) {
        let make = format!("make it: CREATE ROLE {} LOGIN PASSWORD '…'", quote::identifier(role));
        findings.error(&place, format!("the role {role} does not exist"), make);
    }
    owner(mapping, catalogue, wish, &place, findings);
    if wish.role.is_none() && catalogue.reader.is_none() {
        let name = &server.role.name;
        let advice = "name the role that postrider serve connects as with --role, and it gets exactly what it needs";
        findings.note(&place, format!("Postrider is expected to connect as {name}, who installs"), advice);
    }
    let waiting = catalogue.installed.as_ref().and_then(|there| there.outbox).map_or(0, |outbox| outbox.waiting);
    if mapping.capture == CaptureKind::Replication && waiting > 0 {
        let waits = counted(waiting, "change waits", "changes wait");
        let what = format!("{waits} in the outbox, which replication does not read");
        let advice = "let postrider serve hand over what is there before the mapping is changed to replication";
        findings.error(&place, what, advice);
    }
}

/// With whose rights the triggers' functions run.
fn owner(mapping: &Mapping, catalogue: &Catalogue, wish: &Wish, place: &str, findings: &mut Findings) {
    let me = &catalogue.server.role;
    let Some(owner) = &catalogue.owner else {
        if let Some(name) = &wish.owner {
            let make = format!("make it: CREATE ROLE {} NOLOGIN", quote::identifier(name));
            findings.error(&place, format!("the role {name} does not exist"), make);
        } else if me.is_superuser && mapping.capture == CaptureKind::Triggers {
            let what = format!("{} is a superuser, and the triggers' functions would run with its rights", me.name);
            let advice = "CREATE ROLE postrider_owner NOLOGIN, and name it with --owner: the functions then run with the rights of that role, which needs none";
            findings.warning(&place, what, advice);
        }
        return;
    };
    if owner.is_superuser && mapping.capture == CaptureKind::Triggers {
        let what = format!("{} is a superuser, and the triggers' functions would run with its rights", owner.name);
        findings.warning(&place, what, "name a role without rights with --owner");
    }
    if !owner.may_be_given {
        let what = format!("{} may not give {} what it installs", me.name, owner.name);
        let (owner, me) = (quote::identifier(&owner.name), quote::identifier(&me.name));
        findings.error(&place, what, format!("have an administrator run: GRANT {owner} TO {me}"));
    }
}

fn kind(table: &Table, findings: &mut Findings) {
    let name = &table.known.table;
    match table.kind {
        Kind::View => {
            findings.error(name, "is a view, which has no changes of its own", "map the tables that it is made of")
        }
        Kind::Foreign => findings.error(
            name,
            "is a foreign table, whose changes are made elsewhere",
            "attach Postrider to the database that has it",
        ),
        Kind::Partitioned => {
            findings.note(name, "is partitioned; its partitions' changes are its own, those of later ones too", "")
        }
        Kind::Table => {}
    }
    if let Some(parent) = &table.partition_of {
        findings.error(
            name,
            format!("is a partition of {parent}"),
            format!("map {parent}: its partitions' changes are its own"),
        );
    }
    if table.has_heirs {
        let what = "has tables that inherit from it, and their changes are not its own";
        findings.warning(name, what, "map those tables, too, where their rows matter");
    }
}

fn key(mapped: &TableMapping, table: &Table, findings: &mut Findings) {
    let name = &table.known.table;
    let key = mapped.key_in(&table.known);
    if key.is_empty() {
        let advice = "name the columns that tell its rows apart: key = [\"…\"]";
        findings.error(name, "has no primary key", advice);
        return;
    }
    let is_unique = table.unique.iter().any(|unique| unique.iter().all(|column| key.contains(column)));
    let shown = key.join(", ");
    if !is_unique {
        let what = format!(
            "has no unique index on ({shown}): rows of one key that change in one transaction would be taken for one"
        );
        findings.warning(name, what, "make one, or name columns that are unique");
    }
    for (column, facts) in table.known.columns.iter().zip(&table.columns) {
        if key.contains(&column.name) && facts.is_nullable {
            findings.warning(name, format!("may have null in {} of its key", column.name), "set the column NOT NULL");
        }
    }
}

fn columns(mapped: &TableMapping, table: &Table, findings: &mut Findings) {
    let name = &table.known.table;
    let is_captured = |column: &str| !mapped.omit.iter().any(|omitted| omitted == column);
    let of_type = |wanted: &[&str]| {
        let columns = table.known.columns.iter().filter(|column| is_captured(&column.name));
        let named: Vec<_> = columns
            .filter(|column| wanted.contains(&column.type_name.as_str()))
            .map(|column| column.name.as_str())
            .collect();
        named.join(", ")
    };
    let json = of_type(&["json"]);
    if !json.is_empty() {
        let what =
            format!("keeps json as text in {json}; a value that jsonb cannot hold (\\u0000) is left out of its change");
        findings.note(name, what, "make it jsonb, or omit it, where that matters");
    }
    let binary = of_type(&["bytea"]);
    if !binary.is_empty() {
        findings.note(
            name,
            format!("has binary data in {binary}, which receivers get in hex"),
            "omit it unless they want it",
        );
    }
    if !table.virtual_columns.is_empty() {
        let shown = table.virtual_columns.join(", ");
        let what =
            format!("computes {shown} when it is read, which nothing that captures changes sees: it is left out");
        findings.note(name, what, "make it STORED where receivers are to get it");
    }
    let facts = table.known.columns.iter().zip(&table.columns).filter(|(column, _)| is_captured(&column.name));
    let generated: Vec<_> =
        facts.filter(|(_, facts)| facts.is_generated).map(|(column, _)| column.name.as_str()).collect();
    if !generated.is_empty() {
        findings.note(name, format!("computes {}; they are captured as other columns are", generated.join(", ")), "");
    }
}

/// Rights of whoever installs.
fn rights(mapping: &Mapping, catalogue: &Catalogue, table: &Table, findings: &mut Findings) {
    let name = &table.known.table;
    if mapping.capture != CaptureKind::Triggers {
        return;
    }
    if !table.may_trigger {
        let (owner, role) = (&table.owner, quote::identifier(&catalogue.server.role.name));
        let grant =
            format!("have {owner} run: GRANT TRIGGER ON {} TO {role}, or install as {owner}", quote::table(name));
        findings.error(name, "no triggers may be made on it by this role", grant);
    } else if !table.is_own {
        let what = format!("is {}'s: this role may make triggers on it, and may not take them away again", table.owner);
        findings.warning(name, what, format!("install as {}, or as a member of that role", table.owner));
    }
}

/// What the role that reads may see. A table that only joins lead to must be read for events to be made at all.
fn reading(mapping: &Mapping, catalogue: &Catalogue, table: &Table, only_read: bool, findings: &mut Findings) {
    let name = &table.known.table;
    let reads = catalogue.reads();
    let is_led_to =
        only_read || mapping.tables.iter().any(|other| other.via.as_ref().is_some_and(|via| via.table == *name));
    if table.hides_rows {
        let forced = if table.row_security == RowSecurity::Forced { ", forced on its owner, too" } else { "" };
        let what = format!("has row-level security{forced}, which would hide rows from {}", reads.name);
        let advice = format!(
            "ALTER ROLE {} BYPASSRLS, or let Postrider connect as a role that sees all rows",
            quote::identifier(&reads.name)
        );
        if is_led_to {
            findings.error(name, format!("{what}: whose an event is cannot be looked up"), advice);
        } else {
            findings.warning(
                name,
                format!("{what}: changes are captured all the same, and backfills are refused"),
                advice,
            );
        }
    }
    let lacking: Vec<_> =
        crate::install::needed(mapping, table).into_iter().filter(|column| !table.readable.contains(column)).collect();
    if catalogue.reader.is_some() && !table.is_own && !lacking.is_empty() {
        let what =
            format!("is {}'s, and this role may not let {} read {}", table.owner, reads.name, lacking.join(", "));
        findings.error(name, what, format!("install as {}, or have it grant that", table.owner));
    }
    if catalogue.reader.is_none() && (!lacking.is_empty() || !table.schema_is_open) {
        let what = format!(
            "{} may not read {}",
            reads.name,
            if lacking.is_empty() { "its schema".to_owned() } else { lacking.join(", ") }
        );
        let advice = format!("have {} grant it, or name the role that reads with --role", table.owner);
        findings.error(name, what, advice);
    }
}
