//! JSONPath, as the library has read it, into what is judged.

use jsonpath_rust::parser::errors::JsonPathError;
use jsonpath_rust::parser::model;
use jsonpath_rust::parser::parse_json_path;

use super::words::Read;
use super::{FilterError, PARTS, Part};
use crate::same::{Decimal, Shape};

/// What an event, or a value inside it, is asked.
#[derive(Debug)]
pub(super) enum Condition {
    Any(Vec<Condition>),
    All(Vec<Condition>),
    Not(Box<Condition>),
    /// Whether a path leads to anything.
    Has(Path),
    Compare {
        one: Operand,
        by: Comparison,
        other: Operand,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
}

/// Where a path begins, and how it goes on.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) from: From,
    pub(super) steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// A part of the event.
    Event(Part),
    /// The value that a condition in brackets is about.
    Current,
}

#[derive(Debug)]
pub(super) enum Step {
    Member(Box<str>),
    /// From the front, or from the end where it is negative.
    Element(i64),
    /// Every member or element.
    Each,
    /// Every member or element for which the condition holds.
    EachWhere(Condition),
}

#[derive(Debug)]
pub(super) enum Operand {
    /// What a path leads to; it has members and elements alone.
    Path(Path),
    /// A number, a text, `null`, `true` or `false`.
    Literal(Shape<'static>),
}

/// The condition that a filter is.
pub(super) fn condition(read: &Read) -> Result<Condition, FilterError> {
    let query = parse_json_path(&read.path).map_err(|error| mistake(read, &error))?;
    match query.segments.into_iter().next() {
        Some(model::Segment::Selector(model::Selector::Filter(filter))) => of_filter(filter),
        _ => Err(at_start("the filter is no condition", "write one such as changes.stage")),
    }
}

/// Where the library gave up.
fn mistake(read: &Read, error: &JsonPathError) -> FilterError {
    let JsonPathError::PestError(error) = error else {
        return at_start(&format!("the filter is not understood ({error})"), "correct it");
    };
    let byte = match error.location {
        pest::error::InputLocation::Pos(byte) | pest::error::InputLocation::Span((byte, _)) => byte,
    };
    let problem = "the filter does not go on as it may".to_owned();
    let advice =
        "write conditions such as data.amount > 1000, joined by `and` or `or`; `not` stands before a path or before \
                  parentheses"
            .to_owned();
    FilterError { at: read.place(byte), problem, advice }
}

/// A mistake that the library leaves no place of.
fn at_start(problem: &str, advice: &str) -> FilterError {
    FilterError { at: 1, problem: problem.to_owned(), advice: advice.to_owned() }
}

fn of_filter(filter: model::Filter) -> Result<Condition, FilterError> {
    let all = |filters: Vec<model::Filter>| filters.into_iter().map(of_filter).collect::<Result<Vec<_>, _>>();
    match filter {
        model::Filter::Or(filters) => Ok(Condition::Any(all(filters)?)),
        model::Filter::And(filters) => Ok(Condition::All(all(filters)?)),
        model::Filter::Atom(model::FilterAtom::Filter { expr, not }) => Ok(negated(of_filter(*expr)?, not)),
        model::Filter::Atom(model::FilterAtom::Test { expr, not }) => Ok(negated(of_test(*expr)?, not)),
        model::Filter::Atom(model::FilterAtom::Comparison(comparison)) => of_comparison(*comparison),
    }
}

fn negated(condition: Condition, not: bool) -> Condition {
    if not { Condition::Not(Box::new(condition)) } else { condition }
}

fn of_test(test: model::Test) -> Result<Condition, FilterError> {
    let path = match test {
        model::Test::RelQuery(segments) => Path { from: From::Current, steps: steps(segments)? },
        model::Test::AbsQuery(query) => {
            let mut steps = steps(query.segments)?;
            let first = (!steps.is_empty()).then(|| steps.remove(0));
            Path { from: part(first)?, steps }
        }
        model::Test::Function(_) => return Err(at_start("functions are not part of filters", "compare paths")),
    };
    Ok(Condition::Has(path))
}

fn part(first: Option<Step>) -> Result<From, FilterError> {
    let part = match &first {
        Some(Step::Member(name)) => Part::named(name),
        _ => None,
    };
    part.map(From::Event).ok_or_else(|| at_start("a path begins with `$` and no part of an event", PARTS))
}

fn steps(segments: Vec<model::Segment>) -> Result<Vec<Step>, FilterError> {
    let step = |segment| match segment {
        model::Segment::Selector(model::Selector::Name(name)) => Ok(Step::Member(name.into())),
        model::Segment::Selector(model::Selector::Index(index)) => Ok(Step::Element(index)),
        model::Segment::Selector(model::Selector::Wildcard) => Ok(Step::Each),
        model::Segment::Selector(model::Selector::Filter(filter)) => Ok(Step::EachWhere(of_filter(filter)?)),
        _ => {
            Err(at_start("slices, `..` and several selectors in one bracket are not part of filters", "write one path"))
        }
    };
    segments.into_iter().map(step).collect()
}

fn of_comparison(comparison: model::Comparison) -> Result<Condition, FilterError> {
    use model::Comparison as Read;
    let (one, by, other) = match comparison {
        Read::Eq(one, other) => (one, Comparison::Equal, other),
        Read::Ne(one, other) => (one, Comparison::NotEqual, other),
        Read::Lt(one, other) => (one, Comparison::Less, other),
        Read::Lte(one, other) => (one, Comparison::LessOrEqual, other),
        Read::Gt(one, other) => (other, Comparison::Less, one),
        Read::Gte(one, other) => (other, Comparison::LessOrEqual, one),
    };
    Ok(Condition::Compare { one: operand(one)?, by, other: operand(other)? })
}

fn operand(comparable: model::Comparable) -> Result<Operand, FilterError> {
    let literal = match comparable {
        model::Comparable::SingularQuery(query) => return singular(query).map(Operand::Path),
        model::Comparable::Function(_) => return Err(at_start("functions are not part of filters", "compare paths")),
        model::Comparable::Literal(literal) => literal,
    };
    let number = |written: String| {
        let inexact = || at_start("a number is not kept exactly", "write a JSON number of at most 15 digits");
        Decimal::of(&written).map(Shape::Number).ok_or_else(inexact)
    };
    Ok(Operand::Literal(match literal {
        model::Literal::Int(whole) => number(whole.to_string())?,
        model::Literal::Float(float) => number(float.to_string())?,
        model::Literal::String(text) => Shape::Text(text.into()),
        model::Literal::Bool(true) => Shape::Word("true"),
        model::Literal::Bool(false) => Shape::Word("false"),
        model::Literal::Null => Shape::Word("null"),
    }))
}

fn singular(query: model::SingularQuery) -> Result<Path, FilterError> {
    let steps = |segments: Vec<model::SingularQuerySegment>| {
        segments.into_iter().map(|segment| match segment {
            model::SingularQuerySegment::Name(name) => Step::Member(name.into()),
            model::SingularQuerySegment::Index(index) => Step::Element(index),
        })
    };
    match query {
        model::SingularQuery::Current(segments) => Ok(Path { from: From::Current, steps: steps(segments).collect() }),
        model::SingularQuery::Root(segments) => {
            let mut steps = steps(segments);
            let from = part(steps.next())?;
            Ok(Path { from, steps: steps.collect() })
        }
    }
}
