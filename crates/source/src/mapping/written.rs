//! Where a mapping names tables and columns.

use postrider_document::Mistake;

use super::TableName;

/// Where a file names tables and columns, so that mistakes which only show beside the database have their line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// Each place where a table is named, beside it.
    pub(crate) tables: Vec<(TableName, At)>,
    /// Each place where a column is named, beside it and its table.
    pub(crate) columns: Vec<(TableName, String, At)>,
    /// Where each table's own part begins.
    pub(crate) parts: Vec<(TableName, At)>,
}

/// A place, as mistakes tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct At(Mistake);

impl At {
    pub(crate) fn new(nothing_wrong: Mistake) -> Self {
        At(nothing_wrong)
    }

    pub(crate) fn mistake(&self, problem: impl Into<String>, advice: impl Into<String>) -> Mistake {
        Mistake { problem: problem.into(), advice: advice.into(), ..self.0.clone() }
    }
}
