//! Filters, as the form offers them: none, "only when these fields changed", or a condition in the language of filters.

use crate::form::Form;

/// Which events of the chosen types are sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) kind: Kind,
    /// Field names with commas between, as typed.
    pub(crate) fields: String,
    /// A condition, as typed.
    pub(crate) text: String,
}

/// The choices there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No filter.
    #[default]
    All,
    /// When one of some fields changed.
    Changed,
    /// A condition of one's own.
    Own,
}

const CHANGES: &str = "changes";
const OR: &str = " or ";

impl Condition {
    /// As a form has it.
    pub(crate) fn read(form: &Form) -> Self {
        let kind = match form.text("filter_kind") {
            Some("changed") => Kind::Changed,
            Some("own") => Kind::Own,
            _ => Kind::All,
        };
        let text = |name| form.text(name).unwrap_or_default().to_owned();
        Condition { kind, fields: text("filter_fields"), text: text("filter") }
    }

    /// As a saved filter is shown.
    pub(crate) fn of(filter: Option<&str>) -> Self {
        let Some(filter) = filter else { return Condition::default() };
        match fields_of(filter) {
            Some(fields) => Condition { kind: Kind::Changed, fields, text: filter.to_owned() },
            None => Condition { kind: Kind::Own, text: filter.to_owned(), ..Condition::default() },
        }
    }

    /// The filter that is meant, if any; one that is chosen and not filled in is empty, which the API refuses.
    pub(crate) fn filter(&self) -> Option<String> {
        match self.kind {
            Kind::All => None,
            Kind::Own => Some(self.text.clone()),
            Kind::Changed => {
                let names = self.fields.split(',').map(str::trim).filter(|name| !name.is_empty());
                Some(names.map(path_of).collect::<Vec<_>>().join(OR))
            }
        }
    }

    pub(crate) fn is(&self, word: &str) -> bool {
        let own = match self.kind {
            Kind::All => "all",
            Kind::Changed => "changed",
            Kind::Own => "own",
        };
        own == word
    }
}

fn is_plain(name: &str) -> bool {
    let is_inner = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(is_inner)
}

/// `stage` is `changes.stage`; a name with other signs stands in brackets, as JSONPath writes it.
fn path_of(name: &str) -> String {
    if is_plain(name) {
        return format!("{CHANGES}.{name}");
    }
    format!("{CHANGES}[\"{}\"]", name.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The fields that a filter asks a change of, when it asks for nothing else and could be written so again.
fn fields_of(filter: &str) -> Option<String> {
    let name_of = |path: &'_ str| {
        let bare = path.strip_prefix(CHANGES)?;
        let name = match bare.strip_prefix('.') {
            Some(name) => name.to_owned(),
            None => bare.strip_prefix("[\"")?.strip_suffix("\"]")?.to_owned(),
        };
        (path_of(&name) == path && !name.contains(',')).then_some(name)
    };
    let names: Option<Vec<_>> = filter.split(OR).map(name_of).collect();
    names.map(|names| names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(fields: &str) -> Condition {
        Condition { kind: Kind::Changed, fields: fields.into(), ..Condition::default() }
    }

    #[test]
    fn fields_that_must_have_changed_become_a_filter_and_are_shown_as_fields_again() {
        for (fields, filter) in [
            ("stage", "changes.stage"),
            ("stage, amount", "changes.stage or changes.amount"),
            ("Deal value", r#"changes["Deal value"]"#),
            ("_a, b-c", r#"changes._a or changes["b-c"]"#),
        ] {
            assert_eq!(changed(fields).filter().unwrap(), filter);
            let shown = Condition::of(Some(filter));
            assert_eq!((shown.kind, shown.fields.as_str()), (Kind::Changed, fields), "{filter}");
        }
        assert_eq!(changed(" stage ,, amount,").filter().unwrap(), "changes.stage or changes.amount");
        assert_eq!(changed("say \"x\"").filter().unwrap(), r#"changes["say \"x\""]"#);
    }

    #[test]
    fn other_filters_are_shown_as_they_are() {
        for filter in
            ["data.amount > 1000", "changes.stage and data.a", "changes.stage.current = \"won\"", "changes[\"a, b\"]"]
        {
            let shown = Condition::of(Some(filter));
            assert_eq!((shown.kind, shown.filter().as_deref()), (Kind::Own, Some(filter)), "{filter}");
        }
        assert_eq!(Condition::of(None).filter(), None);
    }

    #[test]
    fn a_condition_that_was_chosen_and_not_written_is_empty_and_so_refused() {
        assert_eq!(changed("").filter().as_deref(), Some(""));
        let form = Form::read(b"filter_kind=own&filter=&filter_fields=stage");
        assert_eq!(Condition::read(&form).filter().as_deref(), Some(""));
        let form = Form::read(b"filter_kind=all&filter=data.a");
        assert_eq!(Condition::read(&form).filter(), None);
    }
}
