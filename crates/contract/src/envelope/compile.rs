//! Templates into steps: everything that can be decided when the file is read is decided here, so that rendering only copies.

use serde_json::value::RawValue;

use super::{ADDITIONS_MAX, Addition, Comma, EnvelopeError, Reference, Step};
use crate::json::{Members, write_string};

/// The steps that render a template.
pub(super) fn steps(template: &str) -> Result<Vec<Step>, EnvelopeError> {
    let root: &RawValue = parsed(template)?;
    if !root.get().starts_with('{') {
        return Err(EnvelopeError::NotAnObject);
    }
    let mut compiler = Compiler { steps: Vec::new(), literal: String::new(), marks_tests: false };
    compiler.value(root.get())?;
    if !compiler.marks_tests {
        compiler.mark_tests(root.get())?;
    }
    compiler.flush();
    Ok(compiler.steps)
}

struct Compiler {
    steps: Vec<Step>,
    literal: String,
    marks_tests: bool,
}

impl Compiler {
    fn flush(&mut self) {
        if !self.literal.is_empty() {
            self.steps.push(Step::Literal(std::mem::take(&mut self.literal).into()));
        }
    }

    fn step(&mut self, step: Step) {
        self.flush();
        self.steps.push(step);
    }

    fn value(&mut self, json: &str) -> Result<(), EnvelopeError> {
        match json.as_bytes().first() {
            Some(b'{') => self.object(&members(json)?),
            Some(b'[') => self.array(&parsed::<Vec<&RawValue>>(json)?),
            Some(b'"') => self.string(&parsed::<String>(json)?),
            _ => {
                self.literal.push_str(json);
                Ok(())
            }
        }
    }

    fn string(&mut self, text: &str) -> Result<(), EnvelopeError> {
        match reference(text)? {
            Found::Text(text) => write_string(text, &mut self.literal),
            Found::Reference { reference, .. } => {
                self.marks_tests |= reference == Reference::Test;
                self.step(Step::Value(reference));
            }
        }
        Ok(())
    }

    fn object(&mut self, members: &[(String, &RawValue)]) -> Result<(), EnvelopeError> {
        if let [(name, additions)] = members
            && name == "$data"
        {
            return self.data_with(additions);
        }
        self.literal.push('{');
        let mut separator = Separator::First;
        for (name, value) in members {
            let mut quoted = String::new();
            write_string(unescaped(name), &mut quoted);
            quoted.push(':');
            separator = self.element(&quoted, value, separator)?;
        }
        self.literal.push('}');
        Ok(())
    }

    fn array(&mut self, elements: &[&RawValue]) -> Result<(), EnvelopeError> {
        self.literal.push('[');
        let mut separator = Separator::First;
        for value in elements {
            separator = self.element("", value, separator)?;
        }
        self.literal.push(']');
        Ok(())
    }

    /// One member or element with its comma; says what the next one's comma depends on.
    fn element(&mut self, name: &str, value: &RawValue, separator: Separator) -> Result<Separator, EnvelopeError> {
        if let Some((reference, true)) = as_reference(value)? {
            self.marks_tests |= reference == Reference::Test;
            let comma = if separator == Separator::After { Comma::Always } else { Comma::UnlessFirst };
            self.step(Step::Optional { comma, name: name.into(), reference });
            return Ok(if separator == Separator::After { separator } else { Separator::Unsure });
        }
        match separator {
            Separator::First => {}
            Separator::After => self.literal.push(','),
            Separator::Unsure => self.step(Step::Comma),
        }
        self.literal.push_str(name);
        self.value(value.get())?;
        Ok(Separator::After)
    }

    fn data_with(&mut self, additions: &RawValue) -> Result<(), EnvelopeError> {
        let members = members(additions.get())?;
        if members.len() > ADDITIONS_MAX {
            return Err(EnvelopeError::Additions);
        }
        let addition = |(name, value): &(String, &RawValue)| match as_reference(value)? {
            Some((reference, optional)) => Ok(Addition { name: name.clone(), reference, optional }),
            None => Err(EnvelopeError::Addition(name.clone())),
        };
        let additions = members.iter().map(addition).collect::<Result<Vec<_>, _>>()?;
        self.step(Step::DataWith(additions));
        Ok(())
    }

    /// Appends `"test": true` of test deliveries to the top-level object (contracts.md, reading 7).
    fn mark_tests(&mut self, root: &str) -> Result<(), EnvelopeError> {
        if members(root)?.iter().any(|(name, _)| name == "test") {
            return Err(EnvelopeError::TestTaken);
        }
        // The object's closing brace is the last thing written.
        self.literal.pop();
        let name = "\"test\":".into();
        self.step(Step::Optional { comma: Comma::UnlessFirst, name, reference: Reference::Test });
        self.literal.push('}');
        Ok(())
    }
}

/// What a member's comma depends on.
#[derive(Clone, Copy, PartialEq)]
enum Separator {
    /// It is the first: none.
    First,
    /// Only optional ones came before.
    Unsure,
    /// One that is always there came before.
    After,
}

enum Found<'t> {
    Text(&'t str),
    Reference { reference: Reference, optional: bool },
}

fn unescaped(text: &str) -> &str {
    if text.starts_with("$$") { &text[1..] } else { text }
}

fn reference(text: &str) -> Result<Found<'_>, EnvelopeError> {
    let Some(name) = text.strip_prefix('$').filter(|name| !name.starts_with('$')) else {
        return Ok(Found::Text(unescaped(text)));
    };
    let (bare, optional) = name.strip_suffix('?').map_or((name, false), |bare| (bare, true));
    match Reference::ALL.iter().find(|(known, _)| *known == bare) {
        Some((_, reference)) => Ok(Found::Reference { reference: *reference, optional }),
        None => Err(EnvelopeError::Unknown(bare.to_owned())),
    }
}

fn as_reference(value: &RawValue) -> Result<Option<(Reference, bool)>, EnvelopeError> {
    if !value.get().starts_with('"') {
        return Ok(None);
    }
    match reference(&parsed::<String>(value.get())?)? {
        Found::Reference { reference, optional } => Ok(Some((reference, optional))),
        Found::Text(_) => Ok(None),
    }
}

fn parsed<'a, T: serde::Deserialize<'a>>(json: &'a str) -> Result<T, EnvelopeError> {
    serde_json::from_str(json).map_err(|e| EnvelopeError::Json(e.to_string()))
}

fn members(json: &str) -> Result<Vec<(String, &RawValue)>, EnvelopeError> {
    let Members(found) = parsed(json)?;
    let mut members: Vec<(String, &RawValue)> = Vec::with_capacity(found.len());
    for (name, value) in found {
        if members.iter().any(|(other, _)| *other == name) {
            return Err(EnvelopeError::Twice(name.into_owned()));
        }
        members.push((name.into_owned(), value));
    }
    Ok(members)
}
