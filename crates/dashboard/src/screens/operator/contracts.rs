//! Contracts, rendered for people: what receivers are promised.

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use http::{StatusCode, Uri};

use super::{plans, references};
use crate::api::{Contract, EventType, List, ListedContract, SignatureScheme, Verification, Verifications};
use crate::app::App;
use crate::form::Form;
use crate::page::{Page, Place, html};
use crate::refusal::Refusal;
use crate::say::Say;
use crate::viewer::{Viewer, segment};

/// All of them.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/operator/contracts", get(list)).route("/operator/contracts/{name}", get(read))
}

#[derive(Template)]
#[template(path = "operator/contracts.html")]
struct Contracts {
    page: Page,
    rows: Vec<ListedContract>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "operator/contract.html")]
struct Screen {
    page: Page,
    contract: Contract,
    categories: Vec<Category>,
    references: Vec<references::Meaning>,
    codes: Vec<Verification>,
}

/// Event types under one heading.
struct Category {
    name: String,
    types: Vec<EventType>,
}

impl Screen {
    fn span(&self, ms: &u64) -> String {
        short_span(self.page.say, *ms)
    }

    /// Until the last retry, without what is added at random.
    fn retried_for(&self) -> String {
        let retries = &self.contract.retries;
        let steps = &retries.steps_ms;
        let last = if retries.kind == "at" {
            steps.last().copied()
        } else {
            steps.iter().copied().reduce(u64::saturating_add)
        };
        self.span(&last.unwrap_or_default())
    }

    fn jitter_words(&self) -> String {
        let say = self.page.say;
        say.with("contract-jitter-words", "share", say.percent(self.contract.retries.jitter))
    }

    fn yes_or_no(&self, is_so: &bool) -> String {
        self.page.say.text(if *is_so { "contract-yes" } else { "contract-no" })
    }

    /// How the keys of one way of signing are written.
    fn key_words(&self, scheme: &SignatureScheme) -> String {
        let say = self.page.say;
        match scheme.key.as_str() {
            "text" => say.text("contract-key-text"),
            encoding if scheme.prefix.is_empty() => encoding.to_owned(),
            encoding => say.with2("contract-key-encoded", "encoding", encoding, "prefix", scheme.prefix.as_str()),
        }
    }

    fn swap_words(&self, statuses: &[u16]) -> String {
        let statuses: Vec<_> = statuses.iter().map(u16::to_string).collect();
        self.page.say.with("contract-swap-words", "statuses", statuses.join(", "))
    }

    /// Whose signatures stand in the header while two secrets work.
    fn overlap_words(&self, overlap: &[String]) -> String {
        let say = self.page.say;
        say.text(if overlap.iter().any(|which| which == "secondary") {
            "contract-signs-both"
        } else {
            "contract-signs-one"
        })
    }

    fn at_most(&self, max: &Option<u32>) -> String {
        max.map_or_else(|| self.page.say.text("contract-no-limit"), |max| self.page.say.number(max))
    }
}

/// A span of time in its two largest units, as schedules are written: `2 h 30 min`.
fn short_span(say: Say, ms: u64) -> String {
    let seconds = ms / 1_000;
    if seconds == 0 {
        return say.milliseconds(ms);
    }
    let all = [
        ("contract-days", seconds / 86_400),
        ("contract-hours", seconds / 3_600 % 24),
        ("contract-minutes", seconds / 60 % 60),
        ("contract-seconds", seconds % 60),
    ];
    let first = all.iter().position(|(_, number)| *number > 0).unwrap_or_default();
    let told = all.into_iter().skip(first).take(2).filter(|(_, number)| *number > 0);
    told.map(|(name, number)| say.with(name, "number", say.number(number))).collect::<Vec<_>>().join(" ")
}

/// In the order of the catalogue.
fn by_category(types: Vec<EventType>) -> Vec<Category> {
    let mut categories: Vec<Category> = Vec::new();
    for one in types {
        match categories.iter_mut().find(|known| known.name == one.category) {
            Some(category) => category.types.push(one),
            None => categories.push(Category { name: one.category.clone(), types: vec![one] }),
        }
    }
    categories
}

async fn list(viewer: Viewer, uri: Uri) -> Result<Response, Refusal> {
    let page = viewer.enter_as_operator(Place::Contracts, "menu-contracts")?;
    let query = Form::read(uri.query().unwrap_or_default().as_bytes());
    let cursor = query.text("cursor").map(|cursor| format!("?cursor={}", segment(cursor))).unwrap_or_default();
    let found: List<ListedContract> = viewer.asker.get(&format!("/v1/contracts{cursor}")).await?;
    let next = found.next_cursor.map(|cursor| format!("/operator/contracts?cursor={}", segment(&cursor)));
    Ok(html(StatusCode::OK, &Contracts { page, rows: found.data, next }))
}

async fn read(viewer: Viewer, Path(name): Path<String>) -> Result<Response, Refusal> {
    let page = viewer.enter_as_operator(Place::Contracts, "menu-contracts")?;
    let mut contract = plans::of(&viewer, &name).await?;
    let path = format!("/v1/contracts/{}/verification", segment(&name));
    let codes: Verifications = viewer.asker.get(&path).await?;
    let page = page.titled(contract.title.clone());
    let categories = by_category(std::mem::take(&mut contract.event_types));
    let references = references::of(page.say, &contract);
    Ok(html(StatusCode::OK, &Screen { page, contract, categories, references, codes: codes.data }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_the_two_largest_units() {
        let en = Say::new("en");
        let told =
            [(250, "250 ms"), (5_000, "5 s"), (300_000, "5 min"), (9_000_000, "2 h 30 min"), (172_800_000, "2 d")];
        for (ms, text) in told {
            assert_eq!(short_span(en, ms), text);
        }
        assert_eq!(short_span(en, 86_405_000), "1 d");
    }
}
