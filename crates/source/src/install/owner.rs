//! Whose is what is installed: a role of its own, where one is named, so that the triggers' functions run with the rights of a role that has no others.

use super::removal::arguments;
use super::{RELATIONS, SEQUENCES};
use crate::mapping::CaptureKind;
use crate::quote;

/// Gives these functions of the schema to a role, and the schema with its tables and sequences, too, unless it has them. The outbox comes first: who has
/// that has everything that the CRM's writers hold.
pub(super) fn given(
    schema: &str,
    capture: CaptureKind,
    owner: &str,
    functions: &[String],
    with_relations: bool,
) -> String {
    let (own, owner) = (quote::identifier(schema), quote::identifier(owner));
    let mut sql = Vec::new();
    if with_relations {
        let captures = capture == CaptureKind::Triggers;
        let tables = RELATIONS.iter().filter(|name| captures || **name != "outbox");
        sql.push(format!("ALTER SCHEMA {own} OWNER TO {owner};"));
        sql.extend(tables.map(|name| format!("ALTER TABLE {own}.{name} OWNER TO {owner};")));
        let sequences = SEQUENCES.iter().filter(|_| captures);
        sql.extend(sequences.map(|name| format!("ALTER SEQUENCE {own}.{name} OWNER TO {owner};")));
    }
    let functions = functions.iter();
    sql.extend(
        functions.map(|name| {
            format!("ALTER FUNCTION {own}.{}{} OWNER TO {owner};", quote::identifier(name), arguments(name))
        }),
    );
    sql.join("\n")
}
