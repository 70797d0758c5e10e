//! Finding endpoints and organisations by a part of what people call them.
//!
//! URLs are sealed and names are in any script, so rows are looked at one by one, newest first, a bounded number at once: a page that has a `next` may
//! hold few rows or none, and there is more to look at.

use postrider_domain::{Endpoint, EndpointId, Organization, OrganizationId};

use crate::error::Result;
use crate::limits::{SEARCHED_AT_ONCE, SEARCHED_ROWS_MAX};
use crate::model::{PageOf, PageRequest};
use crate::store::Store;

/// Organisations that were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundOrganizations {
    /// Newest first.
    pub rows: Vec<Organization>,
    /// Where to go on: what was made before this one has not been looked at.
    pub next: Option<OrganizationId>,
}

/// A page of the endpoints in whose name or URL a text is, in either case of letters; or the one that has it as its id.
///
/// # Errors
/// When the store cannot be read.
pub async fn search_endpoints(
    store: &dyn Store,
    organization: &OrganizationId,
    text: &str,
    page: PageRequest,
) -> Result<PageOf<Endpoint>> {
    if let Ok(id) = text.parse::<EndpointId>() {
        let one = if page.before.is_none() { store.endpoint(organization, id).await? } else { None };
        return Ok(PageOf { rows: one.into_iter().collect(), next: None });
    }
    let sought = text.to_lowercase();
    let fits = |endpoint: &Endpoint| has(&endpoint.name, &sought) || has(&endpoint.url, &sought);
    let (mut rows, mut before) = (Vec::new(), page.before);
    for _ in 0..SEARCHED_ROWS_MAX / SEARCHED_AT_ONCE {
        let some = store.endpoints(organization, PageRequest { limit: SEARCHED_AT_ONCE, before }).await?;
        let last = some.rows.last().map(|endpoint| endpoint.id);
        for endpoint in some.rows.into_iter().filter(fits) {
            let id = endpoint.id;
            rows.push(endpoint);
            if rows.len() >= page.limit {
                let is_end = Some(id) == last && some.next.is_none();
                return Ok(PageOf { rows, next: (!is_end).then_some(id.0) });
            }
        }
        before = some.next;
        if before.is_none() {
            break;
        }
    }
    Ok(PageOf { rows, next: before })
}

/// The organisations in whose name or id a text is, in either case of letters, that were made before `after`.
///
/// # Errors
/// When the store cannot be read.
pub async fn search_organizations(
    store: &dyn Store,
    text: &str,
    after: Option<&OrganizationId>,
    limit: usize,
) -> Result<FoundOrganizations> {
    let sought = text.to_lowercase();
    let fits = |one: &Organization| has(&one.name, &sought) || has(one.id.as_str(), &sought);
    let mut rows = Vec::new();
    let mut next = after.cloned();
    for _ in 0..SEARCHED_ROWS_MAX / SEARCHED_AT_ONCE {
        let some = store.organizations(next.as_ref(), SEARCHED_AT_ONCE).await?;
        let is_end = some.len() < SEARCHED_AT_ONCE;
        let last = some.last().map(|one| one.id.clone());
        for one in some.into_iter().filter(fits) {
            let id = one.id.clone();
            rows.push(one);
            if rows.len() >= limit {
                let is_over = is_end && Some(&id) == last.as_ref();
                return Ok(FoundOrganizations { rows, next: (!is_over).then_some(id) });
            }
        }
        next = last.filter(|_| !is_end);
        if next.is_none() {
            break;
        }
    }
    Ok(FoundOrganizations { rows, next })
}

fn has(text: &str, sought: &str) -> bool {
    text.to_lowercase().contains(sought)
}
