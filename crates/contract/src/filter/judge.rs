//! Whether an event passes: existence and comparisons as RFC 9535 has them (sections 2.3.5.2.1 and 2.3.5.2.2), but for numbers,
//! which are compared as decimals and not as floats. Every value that is looked at is paid for.

use super::compile::{Comparison, Condition, From, Operand, Path, Step};
use super::{Filter, FilterEvent, Part};
use crate::same::Shape;

/// What a filter says about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Whether the event is delivered.
    pub passes: bool,
    /// A value that was to be compared is not there: the comparison was false, or true for `!=`.
    pub is_missing: bool,
    /// Values that are of different kinds were compared, such as a number with a text: that was false, or true for `!=`.
    pub differs_in_kind: bool,
    /// Judging it would have cost too much, so that it passes.
    pub is_too_costly: bool,
}

/// Bytes that are compared at the cost of one value.
const BYTES_A_STEP: usize = 64;

/// There is nothing left to pay with, or the event cannot be taken apart.
struct TooCostly;

type Judged<T> = Result<T, TooCostly>;

pub(super) fn judge(condition: &Condition, event_type: &str, event: &FilterEvent<'_>) -> Judgement {
    let event_type = Shape::Text(event_type.into());
    let mut judge =
        Judge { event, event_type: &event_type, left: Filter::COST_MAX, is_missing: false, differs_in_kind: false };
    let judged = judge.holds(condition, &Shape::Word("null"));
    Judgement {
        passes: *judged.as_ref().unwrap_or(&true),
        is_missing: judge.is_missing,
        differs_in_kind: judge.differs_in_kind,
        is_too_costly: judged.is_err(),
    }
}

struct Judge<'j, 'e> {
    event: &'j FilterEvent<'e>,
    event_type: &'j Shape<'j>,
    /// What is left to pay with.
    left: u32,
    is_missing: bool,
    differs_in_kind: bool,
}

impl<'j, 'e> Judge<'j, 'e> {
    fn pay(&mut self, bytes: usize) -> Judged<()> {
        let cost = u32::try_from(1 + bytes / BYTES_A_STEP).unwrap_or(u32::MAX);
        self.left = self.left.checked_sub(cost).ok_or(TooCostly)?;
        Ok(())
    }

    fn holds(&mut self, condition: &Condition, current: &Shape<'_>) -> Judged<bool> {
        self.pay(0)?;
        match condition {
            Condition::Any(conditions) => {
                for condition in conditions {
                    if self.holds(condition, current)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Condition::All(conditions) => {
                for condition in conditions {
                    if !self.holds(condition, current)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Condition::Not(condition) => Ok(!self.holds(condition, current)?),
            Condition::Has(path) => match self.start(path, current)? {
                Some(start) => self.leads_on(&path.steps, start),
                None => Ok(false),
            },
            Condition::Compare { one, by, other } => self.compare(one, *by, other, current),
        }
    }

    /// Where a path begins.
    fn start<'s>(&self, path: &Path, current: &'s Shape<'s>) -> Judged<Option<&'s Shape<'s>>>
    where
        'e: 's,
        'j: 's,
    {
        match path.from {
            From::Current => Ok(Some(current)),
            From::Event(Part::Type) => Ok(Some(self.event_type)),
            From::Event(part) => {
                let event = self.event;
                Ok(event.part(part).map_err(|_| TooCostly)?)
            }
        }
    }

    /// Whether the steps lead anywhere.
    fn leads_on(&mut self, steps: &[Step], at: &Shape<'_>) -> Judged<bool> {
        let Some((step, rest)) = steps.split_first() else { return Ok(true) };
        self.pay(0)?;
        match step {
            Step::Member(_) | Step::Element(_) => match child(step, at) {
                Some(child) => self.leads_on(rest, child),
                None => Ok(false),
            },
            Step::Each => self.any_child(at, |judge, child| judge.leads_on(rest, child)),
            Step::EachWhere(condition) => {
                self.any_child(at, |judge, child| Ok(judge.holds(condition, child)? && judge.leads_on(rest, child)?))
            }
        }
    }

    fn any_child(
        &mut self,
        at: &Shape<'_>,
        mut holds: impl FnMut(&mut Self, &Shape<'_>) -> Judged<bool>,
    ) -> Judged<bool> {
        let children: Box<dyn Iterator<Item = &Shape<'_>>> = match at {
            Shape::List(elements) => Box::new(elements.iter()),
            Shape::Object(members) => Box::new(members.values()),
            _ => return Ok(false),
        };
        for child in children {
            if holds(self, child)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What an operand stands for, if anything.
    fn side<'s>(&mut self, operand: &'s Operand, current: &'s Shape<'s>) -> Judged<Option<&'s Shape<'s>>>
    where
        'e: 's,
        'j: 's,
    {
        let path = match operand {
            Operand::Path(path) => path,
            Operand::Literal(literal) => return Ok(Some(literal)),
        };
        let mut at = self.start(path, current)?;
        for step in &path.steps {
            self.pay(0)?;
            at = at.and_then(|at| child(step, at));
        }
        self.is_missing |= at.is_none();
        Ok(at)
    }

    fn compare(&mut self, one: &Operand, by: Comparison, other: &Operand, current: &Shape<'_>) -> Judged<bool> {
        let (one, other) = (self.side(one, current)?, self.side(other, current)?);
        match by {
            Comparison::Equal => self.is_equal(one, other),
            Comparison::NotEqual => Ok(!self.is_equal(one, other)?),
            Comparison::Less => self.is_less(one, other),
            Comparison::LessOrEqual => Ok(self.is_less(one, other)? || self.is_equal(one, other)?),
        }
    }

    fn is_equal(&mut self, one: Option<&Shape<'_>>, other: Option<&Shape<'_>>) -> Judged<bool> {
        match (one, other) {
            (Some(one), Some(other)) => self.is_same(one, other),
            (one, other) => Ok(one.is_none() && other.is_none()),
        }
    }

    fn is_same(&mut self, one: &Shape<'_>, other: &Shape<'_>) -> Judged<bool> {
        self.pay(0)?;
        match (one, other) {
            (Shape::Text(one), Shape::Text(other)) => Ok(one.len() == other.len() && {
                self.pay(one.len())?;
                one == other
            }),
            (Shape::Number(one), Shape::Number(other)) => {
                self.pay(one.digits_count().min(other.digits_count()))?;
                Ok(one == other)
            }
            (Shape::Unread(one), Shape::Unread(other)) => {
                self.pay(one.len().min(other.len()))?;
                Ok(one == other)
            }
            (Shape::Word(one), Shape::Word(other)) => Ok(one == other),
            (Shape::List(one), Shape::List(elements)) => {
                for (value, other) in one.iter().zip(elements) {
                    if !self.is_same(value, other)? {
                        return Ok(false);
                    }
                }
                Ok(one.len() == elements.len())
            }
            (Shape::Object(one), Shape::Object(members)) => {
                for (name, value) in one {
                    match members.get(name) {
                        Some(other) if self.is_same(value, other)? => {}
                        _ => return Ok(false),
                    }
                }
                Ok(one.len() == members.len())
            }
            (one, other) => {
                self.differs_in_kind |= !is_null(one) && !is_null(other);
                Ok(false)
            }
        }
    }

    fn is_less(&mut self, one: Option<&Shape<'_>>, other: Option<&Shape<'_>>) -> Judged<bool> {
        let (Some(one), Some(other)) = (one, other) else { return Ok(false) };
        match (one, other) {
            (Shape::Number(one), Shape::Number(other)) => {
                self.pay(one.digits_count().min(other.digits_count()))?;
                Ok(one < other)
            }
            (Shape::Text(one), Shape::Text(other)) => {
                self.pay(one.len().min(other.len()))?;
                Ok(one < other)
            }
            (one, other) => {
                self.differs_in_kind |= !is_null(one) && !is_null(other);
                Ok(false)
            }
        }
    }
}

/// What one member or element leads to.
fn child<'s>(step: &Step, at: &'s Shape<'s>) -> Option<&'s Shape<'s>> {
    match (step, at) {
        (Step::Member(name), Shape::Object(members)) => members.get(&**name),
        (Step::Element(index), Shape::List(elements)) => {
            let from_front = usize::try_from(*index).ok();
            let from_end = || elements.len().checked_sub(usize::try_from(index.unsigned_abs()).ok()?);
            elements.get(from_front.or_else(from_end)?)
        }
        _ => None,
    }
}

fn is_null(value: &Shape<'_>) -> bool {
    matches!(value, Shape::Word("null"))
}
