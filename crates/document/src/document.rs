//! Files being read, and places in them.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Display;

use crate::mistake::{Mistake, position};

/// A file being read, and what is wrong with it so far.
pub struct Document<'t> {
    file: &'t str,
    text: &'t str,
    mistakes: RefCell<Vec<Mistake>>,
}

/// Where something stands.
#[derive(Clone, Debug)]
pub struct Place {
    pub(crate) offset: usize,
    pub(crate) path: String,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Found<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

impl<'t> Document<'t> {
    pub(crate) fn new(file: &'t str, text: &'t str) -> Self {
        Document { file, text, mistakes: RefCell::default() }
    }

    /// Notes a mistake.
    pub fn mistake(&self, place: &Place, problem: impl Display, advice: impl Display) {
        let mistake = self.mistake_at(place, problem, advice);
        self.mistakes.borrow_mut().push(mistake);
    }

    /// A mistake that is not noted: for what only shows beside something else than the file.
    #[must_use]
    pub fn mistake_at(&self, place: &Place, problem: impl Display, advice: impl Display) -> Mistake {
        let (line, column) = position(self.text, place.offset);
        Mistake {
            file: self.file.to_owned(),
            line,
            column,
            key: place.path.clone(),
            problem: problem.to_string(),
            advice: advice.to_string(),
        }
    }

    /// All mistakes, in the order of the file.
    pub(crate) fn into_mistakes(self) -> Vec<Mistake> {
        let mut mistakes = self.mistakes.into_inner();
        mistakes.sort_by_key(|m| (m.line, m.column));
        mistakes
    }

    /// Syntax errors. The parser repeats some, and goes on behind each: one slip may look like very many.
    pub(crate) fn syntax(&self, errors: &[toml::de::Error]) {
        const ERRORS_MAX: usize = 20;
        let place = |error: &toml::de::Error| error.span().map_or(0, |span| span.start);
        let distinct: BTreeSet<_> = errors.iter().map(|error| (place(error), error.message())).collect();
        if distinct.len() > ERRORS_MAX {
            let problem = format!("has {} syntax errors, of which the first {ERRORS_MAX} are shown", distinct.len());
            self.mistakes.borrow_mut().push(Mistake::whole_file(self.file, problem, "correct these first"));
        }
        for (offset, message) in distinct.into_iter().take(ERRORS_MAX) {
            let place = Place { offset, path: String::new() };
            self.mistake(&place, format!("is not TOML: {message}"), "correct the syntax");
        }
    }
}
