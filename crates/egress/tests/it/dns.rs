//! Names: judged at each attempt, looked up within bounds, by a scripted resolver and by the real one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, CNAME};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use postrider_egress::resolve::{Answer, Resolve, ResolveError, SystemResolver};
use postrider_egress::{AttemptErrorKind, Client, ClientSettings, Limits, UrlRules};
use tokio::net::UdpSocket;

use crate::support::*;

fn resolving(script: &Arc<Script>, limits: Limits) -> Client {
    let resolver: Arc<dyn Resolve> = Arc::clone(script) as _;
    Client::new(ClientSettings { resolver: Some(resolver), limits, ..loopback_settings() }).unwrap()
}

/// Limits under which an answer with TTL 0 is not kept at all.
fn unclamped() -> Limits {
    Limits { dns_ttl_ms_min: 0, dns_failure_ttl_ms: 0, ..Limits::default() }
}

fn with_ttl(list: &[&str], ttl_s: u64) -> Result<Answer, ResolveError> {
    addresses(list).map(|answer| Answer { ttl: Duration::from_secs(ttl_s), ..answer })
}

#[tokio::test]
async fn a_name_that_turns_private_after_it_was_saved_is_refused_at_the_attempt() {
    let receiver = answering(OK, true).await;
    let turns = vec![with_ttl(&["127.0.0.1"], 0), with_ttl(&["10.0.0.1"], 0)];
    let script = Script::new([("ttl0.example.com", turns)]);
    let client = resolving(&script, unclamped());
    let url = format!("http://ttl0.example.com:{}/", receiver.address.port());
    assert_eq!(answered(post(&client, &url).await).status, 200);
    assert_eq!(client.stats().idle_connections, 1);
    for _ in 0..3 {
        let attempt = post(&client, &url).await;
        assert_failed(&attempt, AttemptErrorKind::AddressRefused, "not_public");
        assert!(attempt.addresses_tried.is_empty());
    }
    assert_eq!(receiver.requests(), 1);
}

#[tokio::test]
async fn an_idle_connection_to_an_address_that_the_name_has_left_is_not_used() {
    let receiver = answering(OK, true).await;
    let turns = vec![with_ttl(&["127.0.0.1"], 0), with_ttl(&["127.0.0.2"], 0)];
    let client = resolving(&Script::new([("moved.example.com", turns)]), unclamped());
    let url = format!("http://moved.example.com:{}/", receiver.address.port());
    answered(post(&client, &url).await);
    // Nobody listens at the new address; the point is that the old connection does not serve it.
    let attempt = post(&client, &url).await;
    assert_failed(&attempt, AttemptErrorKind::Connect, "connection_refused");
    assert_eq!(attempt.addresses_tried, [SocketAddr::from(([127, 0, 0, 2], receiver.address.port()))]);
}

#[tokio::test]
async fn one_bad_address_among_many_refuses_the_attempt() {
    let mut many: Vec<String> = (0..999).map(|n| format!("127.0.{}.{}", n / 250, n % 250 + 1)).collect();
    many.push("10.0.0.1".to_owned());
    let all: Vec<&str> = many.iter().map(String::as_str).collect();
    let sixty_four: Vec<&str> = all.iter().copied().skip(1_000 - 64).collect();
    let script = Script::new([
        ("many.example.com", vec![addresses(&all)]),
        ("sixty-four.example.com", vec![addresses(&sixty_four)]),
        ("too-many.example.com", vec![addresses(&all[..65])]),
    ]);
    let client = resolving(&script, Limits::default());
    let attempt = post(&client, "http://many.example.com/").await;
    assert_failed(&attempt, AttemptErrorKind::AddressRefused, "too_many_addresses");
    let attempt = post(&client, "http://sixty-four.example.com/").await;
    assert_failed(&attempt, AttemptErrorKind::AddressRefused, "not_public");
    let attempt = post(&client, "http://too-many.example.com/").await;
    assert_failed(&attempt, AttemptErrorKind::AddressRefused, "too_many_addresses");
}

#[tokio::test]
async fn a_name_for_the_servers_own_address_and_port_is_refused() {
    let receiver = answering(OK, true).await;
    let resolver: Arc<dyn Resolve> = Script::new([("self.example.com", vec![addresses(&["127.0.0.1"])])]);
    let rules = UrlRules { own_addresses: vec![receiver.address], ..loopback_rules() };
    let client = Client::new(ClientSettings { resolver: Some(resolver), rules, ..ClientSettings::default() }).unwrap();
    let attempt = post(&client, &format!("http://self.example.com:{}/", receiver.address.port())).await;
    assert_failed(&attempt, AttemptErrorKind::AddressRefused, "own_address");
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn a_private_name_may_only_lead_to_addresses_allowed_by_hand() {
    let receiver = answering(OK, true).await;
    let script = Script::new([
        ("receiver", vec![addresses(&["127.0.0.1"])]),
        ("public.internal", vec![addresses(&["93.184.215.14"])]),
    ]);
    let client = resolving(&script, Limits::default());
    let port = receiver.address.port();
    assert_eq!(answered(post(&client, &format!("http://receiver:{port}/")).await).status, 200);
    let attempt = post(&client, &format!("http://public.internal:{port}/")).await;
    assert_failed(&attempt, AttemptErrorKind::AddressRefused, "not_allowed_by_hand");
}

#[tokio::test]
async fn localhost_asks_no_name_server() {
    let receiver = answering(OK, true).await;
    let script = Script::empty();
    let rules = UrlRules { allow_http: true, allow_cidrs: vec!["127.0.0.0/8".parse().unwrap()], ..UrlRules::default() };
    let resolver: Arc<dyn Resolve> = Arc::clone(&script) as _;
    let client = Client::new(ClientSettings { rules, resolver: Some(resolver), ..ClientSettings::default() }).unwrap();
    for host in ["localhost", "LOCALHOST", "app.localhost"] {
        let attempt = post(&client, &format!("http://{host}:{}/", receiver.address.port())).await;
        assert_eq!(answered(attempt).status, 200);
    }
    assert_eq!(script.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn at_most_three_addresses_are_tried() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let list: Vec<String> = (1..=10).map(|n| format!("127.0.0.{n}")).collect();
    let list: Vec<&str> = list.iter().map(String::as_str).collect();
    let client = resolving(&Script::new([("ten.example.com", vec![addresses(&list)])]), Limits::default());
    let attempt = post(&client, &format!("http://ten.example.com:{free}/")).await;
    assert_failed(&attempt, AttemptErrorKind::Connect, "connection_refused");
    assert_eq!(attempt.addresses_tried.len(), 3);
}

#[tokio::test]
async fn a_dead_address_is_followed_by_a_live_one() {
    let receiver = answering(OK, true).await;
    let script = Script::new([("two.example.com", vec![addresses(&["127.0.0.9", "127.0.0.1"])])]);
    let client = resolving(&script, Limits::default());
    let attempt = post(&client, &format!("http://two.example.com:{}/", receiver.address.port())).await;
    assert_eq!(attempt.addresses_tried.len(), 2);
    assert_eq!(attempt.remote_addr, Some(receiver.address));
    assert_eq!(answered(attempt).status, 200);
}

#[tokio::test]
async fn failed_look_ups_are_dns_errors_and_not_permanent() {
    let receiver = answering(OK, true).await;
    let turns = vec![
        Err(ResolveError::NoSuchName),
        Err(ResolveError::ServerFailed("SERVFAIL".to_owned())),
        addresses(&[]),
        Err(ResolveError::Other("a CNAME loop".to_owned())),
        addresses(&["127.0.0.1"]),
    ];
    let client = resolving(&Script::new([("flaky.example.com", turns)]), unclamped());
    let url = format!("http://flaky.example.com:{}/", receiver.address.port());
    for reason in ["no_such_name", "server_failed", "no_address", "lookup_failed"] {
        assert_failed(&post(&client, &url).await, AttemptErrorKind::Dns, reason);
    }
    assert_eq!(answered(post(&client, &url).await).status, 200);
}

#[tokio::test]
async fn a_silent_name_server_is_cut_by_the_look_ups_budget_or_the_deadline() {
    let limits = Limits { dns_ms_max: 50, ..Limits::default() };
    let client = resolving(&Script::silent("silent.example.com"), limits);
    let attempt = post(&client, "http://silent.example.com/").await;
    assert_failed(&attempt, AttemptErrorKind::Dns, "dns_timeout");

    let client = resolving(&Script::silent("silent.example.com"), Limits::default());
    let attempt = Post { deadline: SHORT, ..Post::to("http://silent.example.com/") }.with(&client).await;
    assert_failed(&attempt, AttemptErrorKind::Timeout, "dns");
}

#[tokio::test]
async fn answers_are_kept_for_their_clamped_time() {
    let receiver = answering(OK, true).await;
    // TTL 0 is kept for a moment, so a burst of attempts asks once.
    let script = Script::new([("zero.example.com", vec![with_ttl(&["127.0.0.1"], 0)])]);
    let client = resolving(&script, Limits { dns_ttl_ms_min: 60_000, ..Limits::default() });
    let url = format!("http://zero.example.com:{}/", receiver.address.port());
    for _ in 0..5 {
        answered(post(&client, &url).await);
    }
    assert_eq!(script.asked.load(Ordering::SeqCst), 1);
    // A year is cut to the longest time, here none.
    let script = Script::new([("year.example.com", vec![with_ttl(&["127.0.0.1"], 31_536_000)])]);
    let client = resolving(&script, Limits { dns_ttl_ms_max: 0, ..unclamped() });
    let url = format!("http://year.example.com:{}/", receiver.address.port());
    for _ in 0..2 {
        answered(post(&client, &url).await);
    }
    assert_eq!(script.asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn attempts_to_one_name_ask_once_together() {
    let receiver = answering(OK, true).await;
    let script = Script::new([("shared.example.com", vec![addresses(&["127.0.0.1"])])]);
    let client = resolving(&script, Limits::default());
    let url = format!("http://shared.example.com:{}/", receiver.address.port());
    let mut attempts = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (client, url) = (client.clone(), url.clone());
        attempts.spawn(async move { post(&client, &url).await });
    }
    while let Some(attempt) = bounded(attempts.join_next()).await {
        assert_eq!(answered(attempt.unwrap()).status, 200);
    }
    assert_eq!(script.asked.load(Ordering::SeqCst), 1);
}

/// A name server on loopback: `answer` fills in the reply to each question; `None` is silence.
async fn name_server(
    answer: impl Fn(&Name, RecordType, &mut Message) -> Option<()> + Send + 'static,
) -> SystemResolver {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut packet = [0; 1_500];
        while let Ok((length, from)) = socket.recv_from(&mut packet).await {
            let question = Message::from_vec(&packet[..length]).unwrap();
            let query = question.queries[0].clone();
            let mut reply = Message::response(question.metadata.id, question.metadata.op_code);
            reply.metadata.message_type = MessageType::Response;
            reply.metadata.recursion_available = true;
            reply.add_query(query.clone());
            if answer(query.name(), query.query_type(), &mut reply).is_some() {
                socket.send_to(&reply.to_vec().unwrap(), from).await.unwrap();
            }
        }
    });
    SystemResolver::with_name_servers(&[address]).unwrap()
}

fn address_record(name: &Name, ttl_s: u32, address: Ipv4Addr) -> Record {
    Record::from_rdata(name.clone(), ttl_s, RData::A(A(address)))
}

#[tokio::test]
async fn the_real_resolver_reads_addresses_and_their_smallest_ttl() {
    let resolver = name_server(|name, kind, reply| {
        assert!(name.is_fqdn());
        if kind == RecordType::A {
            reply.add_answer(address_record(name, 300, Ipv4Addr::new(127, 0, 0, 1)));
            reply.add_answer(address_record(name, 7, Ipv4Addr::new(127, 0, 0, 2)));
        }
        Some(())
    })
    .await;
    let answer = bounded(resolver.resolve("two.example.com")).await.unwrap();
    let mut found = answer.addresses;
    found.sort();
    assert_eq!(found, ["127.0.0.1", "127.0.0.2"].map(|ip| ip.parse::<IpAddr>().unwrap()));
    assert_eq!(answer.ttl, Duration::from_secs(7));
}

#[tokio::test]
async fn the_real_resolver_names_each_failure() {
    for (code, expected) in
        [(ResponseCode::NXDomain, ResolveError::NoSuchName), (ResponseCode::NoError, ResolveError::NoAddress)]
    {
        let resolver = name_server(move |_, _, reply| {
            reply.metadata.response_code = code;
            Some(())
        })
        .await;
        assert_eq!(bounded(resolver.resolve("none.example.com")).await.unwrap_err(), expected);
    }
    let resolver = name_server(|_, _, reply| {
        reply.metadata.response_code = ResponseCode::ServFail;
        Some(())
    })
    .await;
    let error = bounded(resolver.resolve("broken.example.com")).await.unwrap_err();
    assert!(matches!(error, ResolveError::ServerFailed(_)), "{error:?}");
}

#[tokio::test]
async fn the_real_resolver_ends_on_a_cname_loop() {
    let resolver = name_server(|name, _, reply| {
        let other = if name.to_ascii().starts_with("a.") { "b.example.com." } else { "a.example.com." };
        reply.add_answer(Record::from_rdata(name.clone(), 60, RData::CNAME(CNAME(other.parse().unwrap()))));
        Some(())
    })
    .await;
    assert!(bounded(resolver.resolve("a.example.com")).await.is_err());
}

#[tokio::test]
async fn the_real_resolver_serves_an_attempt_end_to_end() {
    let receiver = answering(OK, true).await;
    let resolver = name_server(|name, kind, reply| {
        if kind == RecordType::A {
            reply.add_answer(address_record(name, 60, Ipv4Addr::LOCALHOST));
        }
        Some(())
    })
    .await;
    let client = Client::new(ClientSettings { resolver: Some(Arc::new(resolver)), ..loopback_settings() }).unwrap();
    let attempt = post(&client, &format!("http://receiver.example.com:{}/", receiver.address.port())).await;
    assert_eq!(answered(attempt).status, 200);
}

#[tokio::test]
async fn the_real_resolver_is_cut_by_the_budget_when_nobody_answers() {
    let resolver = name_server(|_, _, _| None).await;
    let limits = Limits { dns_ms_max: 100, ..Limits::default() };
    let settings = ClientSettings { resolver: Some(Arc::new(resolver)), limits, ..loopback_settings() };
    let attempt = post(&Client::new(settings).unwrap(), "http://silent.example.com/").await;
    assert_failed(&attempt, AttemptErrorKind::Dns, "dns_timeout");
}

#[tokio::test]
async fn an_examination_tells_the_verdict_on_each_address_and_connects_to_accepted_ones_alone() {
    let receiver = answering(OK, true).await;
    let found = addresses(&["127.0.0.1", "10.0.0.1", "127.0.0.2"]);
    let script =
        Script::new([("mixed.example.com", vec![found]), ("none.example.com", vec![Err(ResolveError::NoSuchName)])]);
    let client = resolving(&script, Limits::default());
    let within = Duration::from_secs(5);
    let url = client.judge_url(&format!("http://mixed.example.com:{}/", receiver.address.port())).unwrap();
    let examination = client.examine(&url, within).await;
    let verdicts: Vec<_> =
        examination.addresses.unwrap().into_iter().map(|f| (f.address.to_string(), f.verdict.is_ok())).collect();
    let expected = [("127.0.0.1", true), ("10.0.0.1", false), ("127.0.0.2", true)];
    assert_eq!(verdicts, expected.map(|(address, is_accepted)| (address.to_owned(), is_accepted)));
    let connections: Vec<_> =
        examination.connections.iter().map(|f| (f.address.ip().to_string(), f.tcp.is_ok())).collect();
    assert_eq!(connections, [("127.0.0.1".to_owned(), true), ("127.0.0.2".to_owned(), false)]);
    assert_eq!(receiver.requests(), 0, "nothing is sent");

    let url = client.judge_url("https://none.example.com/").unwrap();
    let examination = client.examine(&url, within).await;
    assert_eq!(examination.addresses.unwrap_err().kind, AttemptErrorKind::Dns);
    assert!(examination.connections.is_empty());
}
