//! Parts of a table's mapping that cannot both be meant.

use std::collections::BTreeMap;

use postrider_document::{Place, Section};

/// A place where a column is named.
pub(super) struct Use {
    pub(super) part: Part,
    pub(super) column: String,
    pub(super) place: Place,
}

/// What a column is named for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Key,
    Organization,
    Omit,
    Sensitive,
    Ignore,
    SoftDelete,
    CreatedAt,
    Rename,
    Label,
    /// By a rule that holds for changes of a record alone.
    Changed,
    /// By one that holds for its creation too.
    ChangedOrCreated,
    When,
    Via,
}

impl Part {
    /// Lists, in which a column stands once.
    const LISTS: [Part; 4] = [Part::Key, Part::Omit, Part::Sensitive, Part::Ignore];

    /// Why a column that is named so must be captured.
    fn needs_capture(self) -> Option<&'static str> {
        match self {
            Part::Omit | Part::CreatedAt => None,
            Part::Key => Some("is omitted, and records cannot be told apart without it"),
            Part::Organization => Some("is omitted, and whose a row is cannot be found without it"),
            Part::Sensitive => Some("is both omitted and included"),
            Part::Ignore => Some("is omitted already"),
            Part::SoftDelete => Some("is omitted, and deletions cannot be seen without it"),
            Part::Rename => Some("is omitted, and so has no name in data"),
            Part::Label => Some("is omitted, and so has no value in data"),
            Part::Changed | Part::ChangedOrCreated | Part::When => Some("is omitted, and a rule cannot see it"),
            Part::Via => Some("is omitted, and its record cannot be found without it"),
        }
    }
}

pub(super) fn refuse(section: &Section<'_, '_>, uses: &[Use], soft_delete: Option<&str>) {
    let document = section.document();
    let is = |part: Part, column: &str| uses.iter().any(|other| other.part == part && other.column == column);
    let mut seen = BTreeMap::new();
    for used in uses {
        let column = &used.column;
        if Part::LISTS.contains(&used.part) && seen.insert((used.part, column), ()).is_some() {
            document.mistake(&used.place, format!("{column:?} is listed twice"), "write it once");
        }
        if let Some(problem) = used.part.needs_capture().filter(|_| is(Part::Omit, column)) {
            document.mistake(&used.place, format!("{column:?} {problem}"), "take it out of one of the two");
        }
        let is_rule = matches!(used.part, Part::Changed | Part::ChangedOrCreated);
        if is_rule && soft_delete == Some(column) {
            let advice = "name the event in events.deleted (or events.created, for its return)";
            document.mistake(&used.place, format!("{column:?} is soft_delete: its changes are deletions"), advice);
        }
        if used.part == Part::Changed && is(Part::Key, column) {
            let advice = "a record whose key changes is another record; name another column, or write on_create = true";
            document.mistake(&used.place, format!("{column:?} is the key and never changes"), advice);
        }
    }
}
