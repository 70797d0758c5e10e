//! Text templates: header values and signed bytes. A *reference* is `${name}`; `$$` is a dollar sign; all else is literal.

use std::borrow::Cow;
use std::fmt;

use postrider_domain::{DeliveryId, EventId, Millis};

use crate::time::Rfc3339;

/// What a text template can refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reference {
    Type,
    EventId,
    EventUuid,
    DeliveryId,
    AttemptUnix,
    AttemptTime,
    Body,
    Signature,
    Version,
}

impl Reference {
    pub(crate) const ALL: [(&'static str, Reference); 9] = [
        ("type", Reference::Type),
        ("event.id", Reference::EventId),
        ("event.id.uuid", Reference::EventUuid),
        ("delivery.id", Reference::DeliveryId),
        ("attempt.unix", Reference::AttemptUnix),
        ("attempt.time", Reference::AttemptTime),
        ("body", Reference::Body),
        ("signature", Reference::Signature),
        ("version", Reference::Version),
    ];

    /// What may stand in a header's value or the lead of a signature header.
    pub(crate) const OF_HEADERS: [Reference; 6] = [
        Reference::Type,
        Reference::EventId,
        Reference::EventUuid,
        Reference::DeliveryId,
        Reference::AttemptUnix,
        Reference::AttemptTime,
    ];

    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, r)| *r == self).map_or("", |(name, _)| name)
    }
}

/// What every reference but `body`, `signature` and `version` is taken from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) event_type: &'a str,
    pub(crate) event_id: &'a EventId,
    pub(crate) delivery_id: DeliveryId,
    pub(crate) attempt_at: Millis,
}

impl<'a> Facts<'a> {
    pub(crate) fn value(&self, reference: Reference) -> Cow<'a, str> {
        match reference {
            Reference::Type => Cow::Borrowed(self.event_type),
            Reference::EventId => Cow::Borrowed(self.event_id.as_str()),
            Reference::EventUuid => Cow::Owned(self.event_id.as_uuid().to_string()),
            Reference::DeliveryId => Cow::Owned(self.delivery_id.to_string()),
            Reference::AttemptUnix => Cow::Owned(self.attempt_at.unix_seconds().to_string()),
            Reference::AttemptTime => Cow::Owned(Rfc3339(self.attempt_at).to_string()),
            Reference::Body | Reference::Signature | Reference::Version => Cow::Borrowed(""),
        }
    }
}

/// One piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Literal(Box<str>),
    Reference(Reference),
}

/// A template, read once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Template(Vec<Piece>);

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A `$` that begins neither `${name}` nor `$$`.
    #[error("has a `$` that begins neither `${{name}}` nor `$$` at character {at}")]
    Dollar {
        /// Where, from 1.
        at: usize,
    },
    /// A reference that does not exist or has no place here.
    #[error("refers to `${{{name}}}`, which is not one of {known}")]
    Unknown {
        /// The name.
        name: String,
        /// What may stand here.
        known: String,
    },
}

impl Template {
    pub(crate) fn parse(text: &str, allowed: &[Reference]) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            literal.push_str(&rest[..dollar]);
            let after = &rest[dollar + 1..];
            if let Some(tail) = after.strip_prefix('$') {
                literal.push('$');
                rest = tail;
                continue;
            }
            let at = text[..text.len() - after.len()].chars().count();
            let (name, tail) =
                after.strip_prefix('{').and_then(|inner| inner.split_once('}')).ok_or(TemplateError::Dollar { at })?;
            let reference = lookup(name, allowed)?;
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal).into()));
            }
            pieces.push(Piece::Reference(reference));
            rest = tail;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal.into()));
        }
        Ok(Template(pieces))
    }

    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.0
    }

    pub(crate) fn references(&self) -> impl Iterator<Item = Reference> + '_ {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Reference(reference) => Some(*reference),
            Piece::Literal(_) => None,
        })
    }

    /// The text itself when it refers to nothing.
    pub(crate) fn as_static(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    pub(crate) fn write<'v>(&self, out: &mut String, value: impl Fn(Reference) -> Cow<'v, str>) {
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Reference(reference) => out.push_str(&value(*reference)),
            }
        }
    }

    /// Whether [`Template::read`] can tell the values apart: no two references stand side by side.
    pub(crate) fn is_readable(&self) -> bool {
        !self.0.windows(2).any(|pair| matches!(pair, [Piece::Reference(_), Piece::Reference(_)]))
    }

    /// Reads the values out of a text that this template wrote, up to where the template ends; and what comes after it. Each
    /// value ends where the literal behind it begins; the last one at the end of the text.
    pub(crate) fn read<'t>(&self, text: &'t str) -> Option<(Vec<(Reference, &'t str)>, &'t str)> {
        let mut values = Vec::new();
        let mut rest = text;
        for (index, piece) in self.0.iter().enumerate() {
            match piece {
                Piece::Literal(literal) => rest = rest.strip_prefix(&**literal)?,
                Piece::Reference(reference) => {
                    let end = match self.0.get(index + 1) {
                        Some(Piece::Literal(next)) => rest.find(&**next)?,
                        _ => rest.len(),
                    };
                    values.push((*reference, &rest[..end]));
                    rest = &rest[end..];
                }
            }
        }
        Some((values, rest))
    }
}

/// The template as it was written.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => f.write_str(&text.replace('$', "$$"))?,
                Piece::Reference(reference) => write!(f, "${{{}}}", reference.name())?,
            }
        }
        Ok(())
    }
}

fn lookup(name: &str, allowed: &[Reference]) -> Result<Reference, TemplateError> {
    let found = Reference::ALL.iter().find(|(known, r)| *known == name && allowed.contains(r));
    found.map(|(_, r)| *r).ok_or_else(|| {
        let known: Vec<_> = allowed.iter().map(|r| format!("${{{}}}", r.name())).collect();
        TemplateError::Unknown { name: name.to_owned(), known: known.join(", ") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all() -> Vec<Reference> {
        Reference::ALL.iter().map(|(_, r)| *r).collect()
    }

    #[test]
    fn what_a_template_wrote_it_reads_back() {
        let template = Template::parse("t=${attempt.unix},s=${signature}", &all()).unwrap();
        let mut text = String::new();
        template.write(&mut text, |r| if r == Reference::AttemptUnix { "17".into() } else { "abc".into() });
        assert_eq!(text, "t=17,s=abc");
        let (values, rest) = template.read(&text).unwrap();
        assert_eq!(values, [(Reference::AttemptUnix, "17"), (Reference::Signature, "abc")]);
        assert_eq!(rest, "");
        assert!(template.read("s=abc,t=17").is_none());
    }

    #[test]
    fn two_dollars_are_one() {
        let template = Template::parse("$$5 $${x}", &[]).unwrap();
        assert_eq!(template.as_static(), Some("$5 ${x}"));
        assert_eq!(template.to_string(), "$$5 $${x}");
    }

    #[test]
    fn a_reference_that_has_no_place_here_is_named_with_those_that_have() {
        let error = Template::parse("${body}", &[Reference::Type]).unwrap_err();
        assert_eq!(error.to_string(), "refers to `${body}`, which is not one of ${type}");
        assert_eq!(Template::parse("é$x", &all()), Err(TemplateError::Dollar { at: 2 }));
        assert_eq!(Template::parse("${type", &all()), Err(TemplateError::Dollar { at: 1 }));
    }

    #[test]
    fn references_side_by_side_cannot_be_read_back() {
        assert!(!Template::parse("${type}${body}", &all()).unwrap().is_readable());
        assert!(Template::parse("${type}.${body}", &all()).unwrap().is_readable());
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text: String, other: String) {
            if let Ok(template) = Template::parse(&text, &all()) {
                prop_assert_eq!(Template::parse(&template.to_string(), &all()).unwrap(), template.clone());
                let _ = template.read(&other);
            }
        }
    }
}
