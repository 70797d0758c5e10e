//! Counts and times of requests, by route. Labels come from the routes alone: never a URL, an id or anything that a caller wrote.

use std::collections::HashMap;
use std::time::Duration;

use http::{Method, StatusCode};
use metrics::{Counter, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use postrider_domain::{FailReason, NoticeKind};
use postrider_store::StoreError;

const REQUESTS: &str = "postrider_http_requests_total";
const SECONDS: &str = "postrider_http_request_seconds";
/// Set when somebody asks for the metrics.
pub(crate) const OPEN_DELIVERIES: &str = "postrider_open_deliveries";
/// Set when somebody asks for the metrics.
pub(crate) const STORE_BYTES: &str = "postrider_store_bytes";
/// Set when somebody asks for the metrics.
pub(crate) const READY: &str = "postrider_ready";
/// Set when a JWK Set's file is read: 1 when it can be used, 0 when its last good keys are kept. Absent without such a file.
pub(crate) const JWKS_USABLE: &str = "postrider_jwks_usable";
const BUILD: &str = "postrider_build_info";
/// What the engine counts. Told as zero from the start, since Prometheus sees no rise in a counter that appears with its first count.
const ENGINE: [(&str, &str); 11] = [
    ("postrider_events_accepted_total", "Events that were answered with 202 for the first time"),
    ("postrider_filters_too_costly_total", "Events that passed a filter because judging them would have cost too much"),
    ("postrider_lanes_taken_total", "Lanes that this node took"),
    ("postrider_lanes_released_total", "Lanes that this node gave away"),
    ("postrider_lease_losses_total", "Times that this node found its lease revoked"),
    (
        "postrider_lease_renewals_unanswered_total",
        "Renewals of this node's lease that were refused or not answered in time",
    ),
    ("postrider_leases_revoked_total", "Leases of other nodes that had run out and that this node revoked"),
    ("postrider_outcomes_stale_total", "Outcomes of attempts that came too late to be recorded"),
    ("postrider_hints_heard_total", "Hints of other nodes that this node heard"),
    ("postrider_retention_rows_dropped_total", "Rows that retention dropped"),
    ("postrider_statistics_lost_total", "Attempts that are missing in statistics because too much waited to be stored"),
];
const ATTEMPTS: &str = "postrider_attempts_total";
const STORE_ERRORS: &str = "postrider_store_errors_total";
const ENDPOINT_STEPS: &str = "postrider_endpoint_steps_total";
const NOTICES: &str = "postrider_notices_total";
const OPERATIONAL_EVENTS: &str = "postrider_operational_events_total";
const NETWORK_OUTAGE: &str = "postrider_network_outage";
const LANES_HELD: &str = "postrider_lanes_held";
const OLDEST_DUE: &str = "postrider_oldest_due_seconds";
/// What the engine measures; each appears with the first that is measured.
const ENGINE_SECONDS: [(&str, &str); 3] = [
    (
        "postrider_attempt_seconds",
        "Time of attempts from the first connection to the answer's end, by whether there was an answer",
    ),
    ("postrider_claim_seconds", "Time to read due deliveries of one endpoint from the store"),
    ("postrider_commit_seconds", "Time until events and their deliveries were safe in the store"),
];
/// Answers are done, refused, or failed; there are no redirects.
const CLASSES: [&str; 3] = ["2xx", "4xx", "5xx"];
/// From a quarter of a millisecond to half a minute, in seconds.
const SECONDS_BUCKETS: [f64; 14] =
    [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
/// How often what has been measured is put into its buckets, whether or not anyone asks for it.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Installs the recorder of the whole process and keeps it in order. Call once, within the runtime, before [`crate::router`].
///
/// # Errors
/// When there is a recorder already.
pub fn install_metrics() -> Result<PrometheusHandle, BuildError> {
    let matcher = Matcher::Suffix("_seconds".to_owned());
    let handle = PrometheusBuilder::new().set_buckets_for_metric(matcher, &SECONDS_BUCKETS)?.install_recorder()?;
    let kept = handle.clone();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(UPKEEP_EVERY);
        loop {
            ticks.tick().await;
            kept.run_upkeep();
        }
    });
    Ok(handle)
}

/// What is measured of one method of one route.
struct Meter {
    method: Method,
    by_class: [Counter; 3],
    seconds: Histogram,
}

/// The meters of all routes, made once.
pub(crate) struct Meters {
    by_route: HashMap<String, Vec<Meter>>,
    other: Meter,
}

impl Meters {
    /// For these methods of these routes.
    pub(crate) fn new(routes: impl IntoIterator<Item = (Method, String)>) -> Self {
        describe_counter!(REQUESTS, "Requests answered, by route and class of status");
        describe_histogram!(SECONDS, "Time from a request's head to its answer, by route");
        describe_gauge!(OPEN_DELIVERIES, "Deliveries that are pending");
        describe_gauge!(STORE_BYTES, "Bytes that the store takes on disk");
        describe_gauge!(READY, "1 when an event would be stored now, else 0; what /readyz says");
        describe_gauge!(BUILD, "1; the label is the version");
        gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        describe_engine();
        let mut by_route: HashMap<String, Vec<Meter>> = HashMap::new();
        for (method, route) in routes {
            let meter = Meter::new(method, &route);
            by_route.entry(route).or_default().push(meter);
        }
        Meters { by_route, other: Meter::new(Method::GET, "other") }
    }

    /// Notes an answer; what matched no route, or no method of it, counts as `other`.
    pub(crate) fn note(&self, method: &Method, route: Option<&str>, status: StatusCode, took: Duration) {
        let meters = route.and_then(|route| self.by_route.get(route));
        let meter = meters.and_then(|meters| meters.iter().find(|m| m.method == *method)).unwrap_or(&self.other);
        let class = match status.as_u16() {
            500.. => 2,
            400..=499 => 1,
            _ => 0,
        };
        meter.by_class[class].increment(1);
        meter.seconds.record(took.as_secs_f64());
    }
}

fn describe_engine() {
    for (name, about) in ENGINE {
        describe_counter!(name, about);
        counter!(name).increment(0);
    }
    describe_counter!(ATTEMPTS, "Attempts that were recorded, by what they made of their delivery");
    let ends = [FailReason::Exhausted, FailReason::Gone].map(FailReason::as_str);
    for result in ["succeeded", "retry"].into_iter().chain(ends) {
        counter!(ATTEMPTS, "result" => result).increment(0);
    }
    describe_counter!(STORE_ERRORS, "Faults of the store that this node met, by kind");
    for kind in StoreError::FAULTS {
        counter!(STORE_ERRORS, "kind" => kind).increment(0);
    }
    describe_counter!(
        ENDPOINT_STEPS,
        "Endpoints that kept failing and whose owners were warned, or that were disabled"
    );
    for kind in NoticeKind::ALL.map(NoticeKind::as_str) {
        counter!(ENDPOINT_STEPS, "kind" => kind).increment(0);
    }
    describe_counter!(
        NOTICES,
        "Mails to owners that were tried: `settled` is sent or given up, `retry` is tried again"
    );
    for result in ["settled", "retry"] {
        counter!(NOTICES, "result" => result).increment(0);
    }
    describe_counter!(
        OPERATIONAL_EVENTS,
        "Operational events that were claimed: `settled` is published or given up, `retry` is tried again"
    );
    for result in ["settled", "retry"] {
        counter!(OPERATIONAL_EVENTS, "result" => result).increment(0);
    }
    describe_gauge!(
        NETWORK_OUTAGE,
        "1 while so many hosts cannot be reached from this node that their failures are not counted, else 0"
    );
    gauge!(NETWORK_OUTAGE).set(0.0);
    describe_gauge!(LANES_HELD, "Lanes that this node holds");
    describe_gauge!(
        OLDEST_DUE,
        "Seconds for which the oldest delivery in lanes of this node has been due; 0 when none is"
    );
    gauge!(OLDEST_DUE).set(0.0);
    for (name, about) in ENGINE_SECONDS {
        describe_histogram!(name, about);
    }
}

impl Meter {
    fn new(method: Method, route: &str) -> Self {
        let name = if route == "other" { "any".to_owned() } else { method.to_string() };
        let by_class = CLASSES
            .map(|class| counter!(REQUESTS, "method" => name.clone(), "route" => route.to_owned(), "status" => class));
        let seconds = histogram!(SECONDS, "method" => name, "route" => route.to_owned());
        Meter { method, by_class, seconds }
    }
}
