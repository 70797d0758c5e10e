//! The codes of mistakes: each is produced, each is explained, and what it tells beside is what its explanation names.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use http::Method;
use postrider_contract::{Contract, SecretRules};
use postrider_egress::{UrlRules, judge_url};
use serde_json::{Map, Value, json};

use super::world::{Answer, OPERATOR, World};
use crate::code::Code;
use crate::fields::read_body;
use crate::problem::Problem;
use crate::wire::endpoint::{NewEndpoint, Rules};
use crate::wrong::Wrong;

const ORGANIZATIONS: &str = "/v1/organizations";
const EVENTS: &str = "/v1/organizations/acme/events";
const ENDPOINTS: &str = "/v1/organizations/acme/endpoints";

/// What was produced: each code with the parameters that were ever told with it.
#[derive(Default)]
struct Found(BTreeMap<String, Vec<Map<String, Value>>>);

impl Found {
    fn note(&mut self, errors: &Value) {
        for error in errors.as_array().unwrap_or_else(|| panic!("no errors: {errors}")) {
            let code = error["code"].as_str().unwrap_or_else(|| panic!("no code: {error}"));
            let params = error.get("params").map(|params| params.as_object().unwrap().clone()).unwrap_or_default();
            self.0.entry(code.to_owned()).or_default().push(params);
        }
    }

    #[track_caller]
    fn answer(&mut self, answer: &Answer, expected: &[&str]) {
        let problem = answer.json();
        let codes: Vec<_> = problem["errors"].as_array().into_iter().flatten().map(|error| &error["code"]).collect();
        assert_eq!(codes, expected, "{problem}");
        self.note(&problem["errors"]);
    }

    #[track_caller]
    fn problem(&mut self, problem: &Problem, expected: &[&str]) {
        let errors = serde_json::to_value(&problem.mistakes).unwrap();
        let codes: Vec<_> = errors.as_array().unwrap().iter().map(|error| &error["code"]).collect();
        assert_eq!(codes, expected, "{errors}");
        self.note(&errors);
    }
}

async fn organizations(world: &World, found: &mut Found) {
    let cases = [
        (json!({}), "field.missing"),
        (json!({"name": null}), "field.null"),
        (json!({"name": 7}), "field.type"),
        (json!({"name": ""}), "text.empty"),
        (json!({"name": "x".repeat(201)}), "text.too_long"),
        (json!({"name": "a\u{1}"}), "text.control_character"),
        (json!({"name": "a", "nam": 1}), "field.unknown"),
        (json!({"name": "a", "id": "a b"}), "id.invalid"),
        (json!({"name": "a", "contract": "none"}), "contract.unknown"),
        (json!({"name": "a", "plan": "pro"}), "plan.none"),
        (json!({"name": "a", "contract": "salessheet", "plan": "none"}), "plan.unknown"),
        (json!({"name": "a", "owner_email": "a"}), "email.invalid"),
        (json!({"name": "a", "locale": "pt_BR"}), "locale.invalid"),
        (json!({"name": "a", "event_validation": "on"}), "choice.unknown"),
        (json!({"name": "a", "frame_ancestors": ["http://crm.example"]}), "origin.invalid"),
    ];
    for (body, code) in cases {
        found.answer(&world.post(ORGANIZATIONS, body).await, &[code]);
    }
    for (body, code) in [(r#"{"name":"\ud800"}"#, "text.escape"), (r#"{"name":"a","name":"b"}"#, "field.twice")] {
        found.answer(&world.ask(OPERATOR, Method::POST, ORGANIZATIONS, body).await, &[code]);
    }
    let other = world.put("/v1/organizations/new", json!({"id": "other", "name": "a"})).await;
    found.answer(&other, &["field.id_of_path"]);
    let key = json!({"name": "k", "scopes": ["events:write"], "expires_at": "2000-01-01T00:00:00Z"});
    found.answer(&world.post("/v1/organizations/acme/keys", key).await, &["time.not_future"]);
    let record = world.post("/v1/organizations/acme/erasures", json!({"resource": "contact"})).await;
    found.answer(&record, &["resource.invalid"]);
    found.answer(&world.get(&format!("{ENDPOINTS}?cursor=x&limit=0")).await, &["number.range", "cursor.invalid"]);
    found.answer(&world.get(&format!("{EVENTS}?since=now")).await, &["time.invalid"]);
    let long = "/v1/organizations/acme/statistics?since=2000-01-01T00:00:00Z";
    found.answer(&world.get(long).await, &["time.span"]);
}

async fn events(world: &World, found: &mut Found) {
    let about = |resource: Value| json!({"type": "deal.won", "data": {}, "resource": resource});
    let cases = [
        (about(json!({"type": "a", "id": "1", "ids": ["2"]})), "field.conflict"),
        (about(json!({"type": "a:b", "id": "1"})), "resource.colon"),
        (about(json!({"type": "a", "id": "é".repeat(200)})), "text.too_many_bytes"),
        (about(json!({"type": "a", "ids": []})), "list.size"),
        (json!({"type": "deal.won", "data": {}, "previous": {}, "changes": {}}), "field.conflict"),
        (json!({"type": "deal.won", "data": {}, "changes": {"a": 1}}), "event.changes"),
        (json!({"type": "a b", "data": {}}), "events.unknown"),
    ];
    for (body, code) in cases {
        found.answer(&world.post(EVENTS, body).await, &[code]);
    }
    let deep = format!(r#"{{"type":"deal.won","data":{{"a":{}{}}}}}"#, "[".repeat(100), "]".repeat(100));
    found.answer(&world.ask(OPERATOR, Method::POST, EVENTS, deep).await, &["event.too_deep"]);
    let large = json!({"events": [{"type": "deal.won", "data": {"text": "x".repeat(256 * 1024)}}]});
    found.answer(&world.post(&format!("{EVENTS}/batch"), large).await, &["event.too_large"]);
    let event = |data: Value| json!({"type": "deal.won", "id": "one", "data": data});
    world.post(EVENTS, event(json!({}))).await.expect(202);
    found.answer(&world.post(EVENTS, event(json!({"a": 1}))).await, &["event.id_reused"]);
    world.patch("/v1/organizations/acme", json!({"event_validation": "enforce"})).await.expect(200);
    let misfit = json!({"type": "deal.won", "data": {"id": {"not": "an id"}}});
    let refused = world.post(EVENTS, misfit).await;
    let errors = refused.json()["errors"].clone();
    assert!(errors.as_array().unwrap().iter().all(|error| error["code"] == "event.data"), "{errors}");
    found.note(&errors);
}

fn endpoint(more: Value) -> Value {
    let mut body = json!({"name": "e", "url": "https://example.com/in", "events": ["*"]});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

async fn endpoints(world: &World, found: &mut Found) {
    let header = |name: &str, value: String| json!({"headers": {name: value}});
    let many: Map<String, Value> = (0..101).map(|number| (format!("X-{number}"), json!("1"))).collect();
    let long: Map<String, Value> = (0..12).map(|number| (format!("X-{number}"), json!("x".repeat(4_000)))).collect();
    let strange = format!("whsk_{}", BASE64.encode(&[[7; 32], [1; 32]].concat()));
    let cases = [
        (json!({"rate_limit": 0}), "number.range"),
        (json!({"enabled": "yes"}), "field.type"),
        (json!({"ordering": "strict"}), "choice.unknown"),
        (json!({"filter": "data.amount >"}), "filter.invalid"),
        (json!({"url": "ftp://example.com"}), "url.scheme"),
        (json!({"events": ["a b"]}), "events.invalid"),
        (json!({"contract": "salessheet", "events": ["no.such"]}), "events.unknown"),
        (json!({"contract": "salessheet", "events": ["no.*"]}), "events.unknown_prefix"),
        (json!({"contract": "salessheet", "events": ["people.created"]}), "events.renamed"),
        (json!({"headers": many}), "object.too_many_members"),
        (json!({"headers": {"X-A": "1", "x-a": "2"}}), "headers.twice"),
        (header("a b", "1".into()), "headers.name"),
        (header("X-A", " 1".into()), "headers.value"),
        (header("Host", "1".into()), "headers.owned"),
        (json!({"secret": "password"}), "secret.prefix"),
        (json!({"secret": "whsec_***"}), "secret.encoding"),
        (json!({"secret": "whsec_AAAA"}), "secret.key_length"),
        (json!({"secret": "whsk_AAAA"}), "secret.seed_length"),
        (json!({"secret": strange}), "secret.pair"),
        (json!({"secret": " whsec_AAAA"}), "secret.characters"),
        (json!({"secret": "x".repeat(1_000)}), "secret.length"),
    ];
    for (more, code) in cases {
        found.answer(&world.post(ENDPOINTS, endpoint(more)).await, &[code]);
    }
    for headers in [json!(long), Value::Object(many.into_iter().take(100).collect())] {
        let refused = world.post(ENDPOINTS, endpoint(json!({"headers": headers}))).await;
        refused.problem(422);
        found.note(&refused.json()["errors"]);
    }
}

async fn changes_and_rotations(world: &World, found: &mut Found) {
    let made = world.post(ENDPOINTS, endpoint(json!({}))).await.expect(201);
    let one = format!("{ENDPOINTS}/{}", made["id"].as_str().unwrap());
    found.answer(&world.patch(&one, json!({"contract": "suresend"})).await, &["field.fixed"]);
    found.answer(&world.patch(&one, json!({"secret": "whsec_"})).await, &["secret.rotate"]);
    found.answer(&world.patch(&one, json!({"secret": null})).await, &["secret.kept"]);
    let rotate = format!("{one}/secret/rotate");
    let link = json!({"role": "viewer", "endpoint": "ep_00000000000000000000000001"});
    found.answer(&world.post("/v1/organizations/acme/portal-links", link).await, &["endpoint.unknown"]);
    found.answer(&world.post(&rotate, json!({"secret": made["secret"]})).await, &["secret.same"]);
    found.answer(&world.post(&rotate, json!({"overlap": "31d"})).await, &["duration.invalid"]);
    let recover = format!("{one}/recover");
    found.answer(&world.post(&recover, json!({"since": "2999-01-01T00:00:00Z"})).await, &["time.not_past"]);
    let backwards = json!({"since": "1970-01-01T00:00:00Z", "until": "1969-01-01T00:00:00Z"});
    let backwards = world.post(&recover, backwards).await.json()["errors"].clone();
    assert!(backwards.as_array().unwrap().iter().any(|error| error["code"] == "time.order"), "{backwards}");
    found.note(&backwards);
    found.answer(&world.get(&format!("{one}/stream?after=x")).await, &["position.invalid"]);
    found.answer(&world.post(&format!("{one}/test"), json!({"type": "a b"})).await, &["events.unknown"]);
    found.answer(&world.ask(OPERATOR, Method::DELETE, &one, r#"{"a":1}"#).await, &["body.unexpected"]);

    let chosen = json!({"contract": "salessheet", "events": ["deal.won"]});
    let chosen = world.post(ENDPOINTS, endpoint(chosen)).await.expect(201);
    let rotate = format!("{ENDPOINTS}/{}/secret/rotate", chosen["id"].as_str().unwrap());
    found.answer(&world.post(&rotate, json!({})).await, &["secret.required"]);
}

async fn limits(world: &World, found: &mut Found) {
    world.post(ORGANIZATIONS, json!({"id": "free", "name": "f", "contract": "salessheet"})).await.expect(201);
    let refused = world.post("/v1/organizations/free/endpoints", endpoint(json!({"events": ["deal.won"]}))).await;
    found.answer(&refused, &["limit.reached"]);
    let system = endpoint(json!({"contract": "suresend", "events": ["peopleCreated"], "system": "crm"}));
    for _ in 0..2 {
        world.post(ENDPOINTS, system.clone()).await.expect(201);
    }
    let refused = world.post(ENDPOINTS, system).await;
    assert_eq!(
        refused.json()["errors"][0]["params"],
        json!({"max": 2, "event": "peopleCreated", "contract": "suresend"})
    );
    found.answer(&refused, &["limit.system"]);
}

/// What only contracts of the operator's own forbid.
fn own_contracts(found: &mut Found) {
    const UNSIGNED: &str = "name = \"own\"\ntitle = \"Own\"\nenvelope = '{\"data\":\"$data\"}'\n\n[types.\"deal.won\"]\n\
        description = \"Won\"\nresource = \"deal\"\nschema = '{\"type\":\"object\"}'\nsample = '{\"id\":1}'\n";
    const GENERATED: &str =
        "[signature]\nheader = \"X-Signature\"\n[secret]\nchosen = false\n[custom_headers]\nallowed = false\n[types";
    const ALWAYS: &str =
        "[signature]\nheader = \"X-Signature\"\n[secret]\ngenerated = false\n[custom_headers]\ncount_max = 1\n[types";
    let mut read = |contract: &str, more: Value, expected: &[&str]| {
        let contract = Contract::parse(contract, "own.toml").unwrap();
        let rules = Rules { contract: Some(&contract), urls: &UrlRules::default() };
        let body = endpoint(more).to_string();
        let random = [7; SecretRules::RANDOM_BYTES];
        let read = read_body(body.as_bytes(), NewEndpoint::FIELDS, |fields| {
            NewEndpoint::read(fields, rules, &random);
        });
        found.problem(&read.unwrap_err(), expected);
    };
    let more = json!({"secret": "a secret of my own choice", "headers": {"X-A": "1"}});
    read(&UNSIGNED.replace("[types", GENERATED), more, &["secret.generated", "headers.not_allowed"]);
    let more = json!({"headers": {"X-A": "1", "X-B": "2"}});
    read(&UNSIGNED.replace("[types", ALWAYS), more, &["secret.required", "headers.too_many"]);
    let rotate = |contract: &str| {
        use crate::wire::secret::RotateRequest;
        let contract = Contract::parse(contract, "own.toml").unwrap();
        let endpoint = unsigned_endpoint();
        read_body(b"{}", RotateRequest::FIELDS, |fields| {
            RotateRequest::read(fields, &contract, &endpoint, &[7; SecretRules::RANDOM_BYTES]);
        })
    };
    found.problem(&rotate(UNSIGNED).unwrap_err(), &["secret.unsigned"]);
}

fn unsigned_endpoint() -> postrider_domain::Endpoint {
    use postrider_domain::{EndpointId, EndpointOrdering, EndpointStatus, Millis};
    postrider_domain::Endpoint {
        id: EndpointId(uuid::Uuid::from_u128(1)),
        organization: "acme".parse().unwrap(),
        name: "e".into(),
        description: None,
        url: "https://example.com".into(),
        events: Vec::new(),
        contract: "own".into(),
        secret: None,
        overlap: None,
        headers: Vec::new(),
        filter: None,
        rate_limit: None,
        ordering: EndpointOrdering::None,
        system: None,
        status: EndpointStatus::Active,
        resumed_at: None,
        created_at: Millis(0),
        updated_at: Millis(0),
    }
}

fn urls(found: &mut Found) {
    let long = format!("https://example.com/{}", "a".repeat(2_048));
    let cases = [
        (long.as_str(), "url.too_long"),
        ("https://example.com/a b", "url.character"),
        ("ftp://example.com", "url.scheme"),
        ("http://example.com", "url.http_not_allowed"),
        ("https:example.com", "url.slashes"),
        ("https://example.com\\a", "url.backslash"),
        ("https://example.com/#a", "url.fragment"),
        ("https://me@example.com", "url.user_info"),
        ("https://", "url.host"),
        ("https://exa%6Dple.com", "url.host_encoded"),
        ("https://localhost", "url.private_name"),
        ("https://printer.internal", "url.private_name"),
        ("https://name.invalid", "url.reserved_name"),
        ("https://example.com:99999", "url.port_invalid"),
        ("https://example.com:25", "url.port_refused"),
        ("https://10.0.0.1", "url.private_address"),
    ];
    // Longer than a request line's parts may be, where the operator's limit does not come first.
    let generous = UrlRules { url_bytes_max: 100_000, ..UrlRules::default() };
    let wrong = Wrong::from(judge_url(&format!("https://example.com/{}", "a".repeat(70_000)), &generous).unwrap_err());
    found.problem(&Problem::field(crate::problem::Kind::InvalidFields, "/url", wrong), &["url.path"]);
    for (url, code) in cases {
        let refusal = judge_url(url, &UrlRules::default()).unwrap_err();
        assert_eq!(refusal.code.of_field(), code, "a diagnosis tells it as a wrong field does");
        let wrong = Wrong::from(refusal);
        found.problem(&Problem::field(crate::problem::Kind::InvalidFields, "/url", wrong), &[code]);
    }
}

#[tokio::test]
async fn every_code_is_produced_with_no_other_parameters_than_its_meaning_names() {
    let world = World::new().await;
    world.organization("acme").await;
    let mut found = Found::default();
    organizations(&world, &mut found).await;
    endpoints(&world, &mut found).await;
    changes_and_rotations(&world, &mut found).await;
    limits(&world, &mut found).await;
    own_contracts(&mut found);
    urls(&mut found);
    events(&world, &mut found).await;
    let all: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let never: Vec<_> = all.iter().filter(|code| !found.0.contains_key(**code)).collect();
    assert!(never.is_empty(), "never produced: {never:?}");
    for (code, told) in &found.0 {
        let code = Code::ALL.iter().find(|known| known.as_str() == code).unwrap_or_else(|| panic!("{code}"));
        for name in told.iter().flat_map(Map::keys) {
            assert!(code.meaning().contains(&format!("`{name}`")), "{code:?} tells {name}, its meaning does not");
        }
    }
}

#[test]
fn every_code_stands_once_in_the_reference_with_its_meaning() {
    let reference = include_str!("../../../../docs/api.md");
    let (_, section) = reference.split_once("### Codes of wrong fields").unwrap();
    let listed: Vec<_> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
        .filter(|(code, _)| code.contains('.') && !code.contains([' ', '/']))
        .collect();
    let expected: Vec<_> = Code::ALL.iter().map(|code| (code.as_str(), format!("{} |", code.meaning()))).collect();
    assert_eq!(listed, expected.iter().map(|(code, meaning)| (*code, meaning.as_str())).collect::<Vec<_>>());
}
