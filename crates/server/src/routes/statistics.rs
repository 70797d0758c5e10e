//! What was counted of endpoints, hour by hour.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use postrider_domain::{Buckets, EndpointId, Hour, Millis, OrganizationId, Scope};
use postrider_store::{PageOf, PageRequest, search_endpoints};

use crate::call::{Call, json};
use crate::code::Code;
use crate::paging::Query;
use crate::problem::Problem;
use crate::state::{App, Running};
use crate::wire::statistics::{EndpointStatisticsBody, StatisticsPage};

const FILTERS: &[&str] = &["since", "until", "endpoint", "search", "limit", "cursor"];
const HOURS_DEFAULT: i64 = 24;
/// A longer span is shown by days.
const HOURS_BY_HOUR_MAX: i64 = 7 * 24;
const DAYS_MAX: i64 = 31;

/// Read statistics
///
/// What was counted of each endpoint: attempts, deliveries that ended, and how long answers took, in whole hours of UTC (in whole days where the span is longer than 7
/// days). An attempt counts in the hour in which it ended; tests never count. Percentiles are estimates. The last seconds may be missing: always those of other
/// nodes, and after a crash for good. Newest endpoint first. Needs `deliveries:read`.
#[utoipa::path(get, path = "/v1/organizations/{org}/statistics", operation_id = "readStatistics", tag = "Deliveries",
    params(
        ("org" = String, Path, description = "The organisation's id"),
        ("since" = Option<String>, Query, description = "From the hour on in which this moment lies (RFC 3339); 24 hours before `until` when left out"),
        ("until" = Option<String>, Query, description = "Until the end of the hour in which the last moment before this one lies (RFC 3339); now when left out. At most 31 days after `since`"),
        ("endpoint" = Option<String>, Query, description = "Of this endpoint"),
        ("search" = Option<String>, Query, description = "Of the endpoints that this text finds in their list, page by page with it; not beside `endpoint`"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 250), ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "A page", body = StatisticsPage)))]
pub(crate) async fn read(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let organization = call.organization(Scope::DeliveriesRead)?;
    let mut query = Query::read(call.query(), FILTERS);
    let endpoint = query.parsed("endpoint", str::parse::<EndpointId>);
    let text = match endpoint {
        None => query.searched(),
        Some(_) => query.parsed::<String, _>("search", |_| {
            Err(Code::FieldConflict.says("cannot stand beside `endpoint`").with("other", "endpoint"))
        }),
    };
    let buckets = read_span(&mut query, app.now());
    let place = query.place("statistics");
    query.finish()?;
    let request = place.request()?;
    app.organization(&organization).await?;
    let endpoints = endpoints(&app, &organization, (endpoint, text), request).await?;
    let found = app.engine().statistics(&organization, &endpoints.rows, buckets).await?;
    let page = place.page(&PageOf { rows: found, next: endpoints.next }, EndpointStatisticsBody::new);
    let bucket_seconds = i64::from(buckets.hours) * Hour::MS / 1_000;
    json(StatusCode::OK, &StatisticsPage { data: page.data, next_cursor: page.next_cursor, bucket_seconds })
}

/// Which endpoints the page is about.
async fn endpoints(
    app: &Running,
    organization: &OrganizationId,
    (one, text): (Option<EndpointId>, Option<String>),
    page: PageRequest,
) -> Result<PageOf<EndpointId>, Problem> {
    let Some(id) = one else {
        let found = match text {
            Some(text) => search_endpoints(app.store(), organization, &text, page).await?,
            None => app.store().endpoints(organization, page).await?,
        };
        return Ok(PageOf { rows: found.rows.iter().map(|endpoint| endpoint.id).collect(), next: found.next });
    };
    let found = app.store().endpoint(organization, id).await?;
    Ok(PageOf { rows: found.iter().map(|endpoint| endpoint.id).collect(), next: None })
}

fn read_span(query: &mut Query<'_>, now: Millis) -> Buckets {
    let (given_since, given_until) = (query.moment("since"), query.moment("until"));
    let until = given_until.unwrap_or(now);
    let since = given_since.unwrap_or(Millis(until.0.saturating_sub(HOURS_DEFAULT * Hour::MS)));
    let lasts_ms = until.0.saturating_sub(since.0);
    // Where `since` is left out, no span is wrong.
    if lasts_ms <= 0 && given_until.is_some() {
        query.parsed::<(), _>("since", |_| Err(Code::TimeOrder.says("must be before `until`").with("other", "until")));
    } else if lasts_ms <= 0 {
        query.parsed::<(), _>("since", |_| {
            Err(Code::TimeNotPast.says("must be in the past, where `until` is left out"))
        });
    } else if lasts_ms > DAYS_MAX * 24 * Hour::MS {
        let detail = format!("must be at most {DAYS_MAX} days before `until`, which is now when it is left out");
        query.parsed::<(), _>("since", |_| Err(Code::TimeSpan.says(detail).with("days_max", DAYS_MAX.unsigned_abs())));
    }
    Buckets::holding(since, until, if lasts_ms > HOURS_BY_HOUR_MAX * Hour::MS { 24 } else { 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_800_000_000_000);

    fn span(text: &str) -> Result<Buckets, Vec<String>> {
        let mut query = Query::read(text, FILTERS);
        let buckets = read_span(&mut query, NOW);
        match query.finish() {
            Ok(()) => Ok(buckets),
            Err(problem) => Err(problem.mistakes.into_iter().map(|mistake| mistake.detail).collect()),
        }
    }

    #[test]
    fn the_last_day_is_shown_by_hours_and_more_than_a_week_by_days() {
        // Ten past eight in the morning of 15 January 2027.
        let day = span("").unwrap();
        assert_eq!((day.hours, day.each().count()), (1, 24));
        assert_eq!(span("since=2027-01-08T08:00:00Z").unwrap().each().count(), 7 * 24);
        let days = span("since=2027-01-08T07:59:59Z").unwrap();
        assert_eq!((days.hours, days.each().count()), (24, 8));
        let month = span("since=2026-11-15T23:30:00Z&until=2026-12-16T23:30:00Z").unwrap();
        assert_eq!(month.each().count(), 32, "31 days that begin and end within one");
        let half = span("since=2027-01-15T07:30:00Z&until=2027-01-15T07:30:00.001Z").unwrap();
        assert_eq!(half.each().count(), 1);
    }

    #[test]
    fn a_span_that_ends_before_it_begins_or_is_too_long_is_refused() {
        for query in [
            "since=2027-01-15T08:00:00Z",
            "since=2027-01-15T09:00:00Z",
            "since=2026-12-15T07:59:59Z",
            "since=0000-01-01T00:00:00Z&until=9999-12-30T00:00:00Z",
        ] {
            assert_eq!(span(query).unwrap_err().len(), 1, "{query}");
        }
        assert!(span("until=1969-01-01T00:00:00Z").is_ok());
        assert_eq!(span("since=x").unwrap_err().len(), 1);
    }
}
