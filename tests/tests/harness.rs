//! The tests' own Postgres and their cable to it: that they do what fault tests believe they do.

use postrider_tests::postgres::{Database, PrivateServer, Seat};
use postrider_tests::proxy::{Line, Proxy};
use postrider_tests::wait::within;

#[tokio::test]
async fn a_database_is_empty_and_another_ones() {
    let (one, two) = (Database::create(), Database::create());
    assert_eq!(one.ask("CREATE TABLE here (number int); INSERT INTO here VALUES (42); SELECT * FROM here"), "42");
    assert_eq!(two.ask("SELECT to_regclass('here') IS NULL"), "t");
    assert!(one.dump().contains("CREATE TABLE"));
}

#[tokio::test]
async fn a_server_that_was_ended_without_mercy_keeps_what_was_committed() {
    let mut server = PrivateServer::start().await;
    let database = Database::create_on(&server.url());
    assert_eq!(database.ask("CREATE TABLE here AS SELECT 42 AS number; SELECT * FROM here"), "42");
    server.stop_immediately().await;
    assert!(Seat::take(server.address()).await.is_err(), "a stopped server takes no connection");
    server.start_again().await;
    assert_eq!(database.ask("SELECT * FROM here"), "42");
    server.stop_fast().await;
    server.start_again().await;
    assert_eq!(database.ask("SELECT * FROM here"), "42");
}

#[tokio::test]
async fn a_paused_server_answers_when_it_goes_on() {
    let server = PrivateServer::start().await;
    let mut seat = Seat::take(server.address()).await.unwrap();
    server.pause();
    let waiting = tokio::spawn(async move { seat.run("SELECT 1").await });
    let later = tokio::spawn(Seat::take(server.address()));
    server.resume();
    within("the answer", waiting).await.unwrap().unwrap();
    within("the connection", later).await.unwrap().unwrap();
}

#[tokio::test]
async fn seats_can_be_taken_until_none_is_left() {
    let server = PrivateServer::with(&["max_connections=10"]).await;
    let mut seats = vec![];
    let refused = loop {
        match Seat::take(server.address()).await {
            Ok(seat) => seats.push(seat),
            Err(refused) => break refused,
        }
        assert!(seats.len() <= 10, "the server has ten");
    };
    assert!(refused.contains("too many clients"), "{refused}");
    assert!(seats[0].run("SELECT no_such_column").await.is_err_and(|error| error.contains("no_such_column")));
    seats[0].run("SELECT 1").await.unwrap();
}

#[tokio::test]
async fn a_silent_line_delays_and_a_broken_one_ends() {
    let server = PrivateServer::start().await;
    let proxy = Proxy::to(server.address()).await;
    let mut seat = Seat::take(proxy.address()).await.unwrap();
    proxy.set(Line::Silent);
    let waiting = tokio::spawn(async move { seat.run("SELECT 1").await.map(|()| seat) });
    let new = tokio::spawn(Seat::take(proxy.address()));
    // The server itself answers meanwhile.
    Seat::take(server.address()).await.unwrap().run("SELECT 1").await.unwrap();
    assert!(!waiting.is_finished() && !new.is_finished(), "a silent line let something pass");
    proxy.set(Line::Whole);
    let mut seat = within("the answer", waiting).await.unwrap().unwrap();
    within("the connection", new).await.unwrap().unwrap();

    proxy.set(Line::Broken);
    within("the end", seat.run("SELECT 1")).await.unwrap_err();
    within("the refusal", Seat::take(proxy.address())).await.unwrap_err();
    proxy.set(Line::Whole);
    within("the connection", Seat::take(proxy.address())).await.unwrap();
}
