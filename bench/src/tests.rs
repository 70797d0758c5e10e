//! The whole benchmark against a server that is made up. No figure is judged here: they are the machine's.

use std::path::Path;
use std::time::Duration;

use crate::{BenchOptions, Progress, Report, Scenario, Target, Unit, fake, run};

/// A run so short that its figures mean nothing.
async fn short_run(directory: &Path, scenarios: &[Scenario]) -> anyhow::Result<Report> {
    let options = BenchOptions {
        duration: Duration::from_millis(200),
        scenarios: scenarios.to_vec(),
        data_parent: Some(directory.to_owned()),
        connections: 4,
        latency_events_per_s: 200,
        neighbours: 25,
        pending_deliveries: 2_000,
        ..BenchOptions::new(fake::executable(directory), fake::CONTRACT.to_owned())
    };
    run(options, Progress::hidden()).await
}

/// For what ends before anything is started.
fn nowhere() -> BenchOptions {
    BenchOptions::new("/nowhere/postrider".into(), fake::CONTRACT.to_owned())
}

fn value(report: &Report, scenario: Scenario, name: &str) -> f64 {
    let found = report.figures.iter().find(|f| f.scenario == scenario.name() && f.name.ends_with(name));
    found.unwrap_or_else(|| panic!("no figure {name:?} in\n{}", report.table())).value
}

/// What the benchmark leaves in the directory beside the program.
fn left_over(directory: &Path) -> usize {
    std::fs::read_dir(directory).unwrap().count() - 1
}

#[tokio::test]
async fn the_ceiling_needs_no_server() {
    let directory = tempfile::tempdir().unwrap();
    let report = short_run(directory.path(), &[Scenario::Ceiling]).await.unwrap();
    assert!(value(&report, Scenario::Ceiling, "requests, 16 connections") > 0.0);
    assert!(report.figures.iter().all(|figure| figure.value.is_finite()));
    assert_eq!(left_over(directory.path()), 0);
}

#[tokio::test]
async fn throughput_counts_every_delivery_and_stands_beside_the_ceiling() {
    let directory = tempfile::tempdir().unwrap();
    let report = short_run(directory.path(), &[Scenario::Fanout, Scenario::Single]).await.unwrap();
    for scenario in [Scenario::Single, Scenario::Fanout] {
        assert_eq!(value(&report, scenario, "lost deliveries"), 0.0);
        assert_eq!(value(&report, scenario, "duplicates"), 0.0);
        let ceiling = value(&report, Scenario::Ceiling, "requests, 16 connections");
        let share = value(&report, scenario, "share of the ceiling");
        assert_eq!(share, value(&report, scenario, "deliveries") / ceiling);
    }
    assert_eq!(report.figures[0].unit, Unit::Share);
    assert_eq!(left_over(directory.path()), 0);
}

#[tokio::test]
async fn latency_is_that_of_every_event() {
    let directory = tempfile::tempdir().unwrap();
    let report = short_run(directory.path(), &[Scenario::Latency]).await.unwrap();
    assert_eq!(value(&report, Scenario::Latency, "lost deliveries"), 0.0);
    let at = |name| value(&report, Scenario::Latency, name);
    assert!(at("p50") <= at("p99") && at("p99") <= at("longest"), "{}", report.table());
}

#[tokio::test]
async fn neighbours_hold_their_attempts_while_the_healthy_one_is_measured() {
    let directory = tempfile::tempdir().unwrap();
    let report = short_run(directory.path(), &[Scenario::Isolation]).await.unwrap();
    for behaviour in ["hang", "trickle"] {
        let name = |what: &str| format!("25 neighbours that {behaviour}: {what}");
        assert!(value(&report, Scenario::Isolation, &name("attempts they held")) >= 25.0);
        assert_eq!(value(&report, Scenario::Isolation, &name("lost by the healthy one")), 0.0);
    }
    let ratio = report.figures.iter().find(|figure| figure.unit == Unit::Times).unwrap();
    assert_eq!(ratio.target, Some(Target::Below(2.0)));
}

#[tokio::test]
async fn a_backlog_is_measured_before_and_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let report = short_run(directory.path(), &[Scenario::Pending, Scenario::Idle]).await.unwrap();
    assert!(value(&report, Scenario::Pending, "2000 pending: resident memory") > 0.0);
    assert!(value(&report, Scenario::Pending, "start to listening") > 0.0);
    assert!(value(&report, Scenario::Idle, "resident memory") > 0.0);
    assert_eq!(left_over(directory.path()), 0);
}

#[tokio::test]
async fn what_the_server_refuses_is_the_error_and_nothing_is_left_over() {
    let directory = tempfile::tempdir().unwrap();
    let options = BenchOptions {
        scenarios: vec![Scenario::Latency],
        data_parent: Some(directory.path().to_owned()),
        ..BenchOptions::new(fake::executable(directory.path()), "unheard-of".to_owned())
    };
    let error = format!("{:#}", run(options, Progress::hidden()).await.unwrap_err());
    assert!(error.contains("scenario latency") && error.contains("There is no such contract"), "{error}");
    assert_eq!(left_over(directory.path()), 0);
}

#[tokio::test]
async fn a_missing_directory_for_data_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    let options = BenchOptions { data_parent: Some(missing), ..nowhere() };
    let error = format!("{:#}", run(options, Progress::hidden()).await.unwrap_err());
    assert!(error.contains("missing"), "{error}");
}

#[tokio::test]
async fn options_out_of_bounds_are_refused_before_anything_starts() {
    let options = BenchOptions { connections: 0, ..nowhere() };
    assert!(run(options, Progress::hidden()).await.unwrap_err().to_string().contains("connections"));
}

#[tokio::test]
async fn several_nodes_need_a_database_to_share() {
    let error = run(BenchOptions { nodes: 2, ..nowhere() }, Progress::hidden()).await.unwrap_err().to_string();
    assert!(error.contains("share a Postgres"), "{error}");
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_named_without_its_password() {
    // A port that was free a moment ago.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let database = Some(format!("postgres://ann:hidden@{closed}/crm").parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let options = BenchOptions { database, data_parent: Some(directory.path().to_owned()), ..nowhere() };
    let error = format!("{:#}", run(options, Progress::hidden()).await.unwrap_err());
    assert!(error.contains(&format!("Postgres at {closed}/crm")) && !error.contains("hidden"), "{error}");
}

#[test]
fn scenarios_are_known_by_name() {
    for scenario in Scenario::ALL {
        assert_eq!(scenario.name().parse(), Ok(scenario));
    }
    let error = "fast".parse::<Scenario>().unwrap_err().to_string();
    assert!(error.contains("\"fast\"") && error.contains("isolation"));
}
