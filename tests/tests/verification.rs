//! Receivers' code (`GET /v1/contracts/{name}/verification`), run as it is written: real deliveries arrive at it, and what is not authentic
//! is refused.

use postrider_tests::snippet::Snippet;
use postrider_tests::world::{Endpoint, Organization, World, items, text};
use serde_json::{Value, json};
use tempfile::TempDir;

const CONTRACTS: [&str; 6] = ["standard", "salessheet", "salesos", "sendpilot", "webhook-system", "suresend"];

/// What an endpoint signs with, and what its receiver verifies with.
#[derive(Clone, Copy)]
struct Pair {
    secret: &'static str,
    verifier: &'static str,
}

/// Keys of 24 bytes for the contract that decodes them; to all others, they are text.
const OLD: Pair = Pair::symmetric("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
const NEW: Pair = Pair::symmetric("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
/// RFC 8032, section 7.1, TEST 1 and TEST 2.
const OLD_ED25519: Pair = Pair {
    secret: "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=",
    verifier: "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
};
const NEW_ED25519: Pair = Pair {
    secret: "whsk_TM0Imyj/ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U+4pvs=",
    verifier: "whpk_PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=",
};

/// A contract of an operator's own that uses every way to sign.
const ODD: &str = include_str!("../../crates/contract/src/verification/odd.toml");
const ODD_OLD: Pair = Pair::symmetric("k\"$_31c29abdb25d9f9d3c5c1b6a8b0c7c2e62a57b6ab5a0b6c1");
const ODD_NEW: Pair = Pair::symmetric("k\"$_0b7a15b1005c3b5b2f6c6b0f1a5c0d2e9c4b1f3a7d8e6f50");

impl Pair {
    const fn symmetric(secret: &'static str) -> Self {
        Pair { secret, verifier: secret }
    }
}

#[tokio::test]
async fn receivers_in_node_verify_what_is_delivered_and_refuse_the_rest() {
    walk("node").await;
}

#[tokio::test]
async fn receivers_in_python_verify_what_is_delivered_and_refuse_the_rest() {
    walk("python").await;
}

#[tokio::test]
async fn receivers_in_ruby_verify_what_is_delivered_and_refuse_the_rest() {
    walk("ruby").await;
}

#[tokio::test]
async fn receivers_in_go_verify_what_is_delivered_and_refuse_the_rest() {
    walk("go").await;
}

#[tokio::test]
async fn a_kind_of_secret_that_the_contract_lacks_is_refused_with_those_that_it_has() {
    let world = World::start().await;
    let wrong = world.api.get("/v1/contracts/standard/verification?secret_kind=sk_").await;
    assert_eq!(wrong.pointers(400), ["/secret_kind"]);
    assert!(wrong.text().contains("whsec_") && wrong.text().contains("whsk_"), "{}", wrong.text());
    world.api.get("/v1/contracts/none/verification").await.problem(404);
    let written = world.api.get("/v1/contracts/standard/verification").await.expect(200);
    let languages: Vec<_> = items(&written["data"]).iter().map(|one| text(&one["language"])).collect();
    assert_eq!(languages, ["node", "python", "ruby", "go", "php", "java", "csharp", "rust"]);
}

/// One contract's receivers in one language, for one kind of secret: one that holds the old secret and one that holds the new.
struct Walk<'w> {
    world: &'w World,
    contract: &'static str,
    organization: Organization,
    holders: [Held; 2],
    new: Pair,
    _folders: [TempDir; 2],
}

/// A receiver with the endpoint that delivers to it.
struct Held {
    receiver: Snippet,
    endpoint: Endpoint,
}

async fn walk(language: &str) {
    let own = tempfile::tempdir().unwrap();
    std::fs::write(own.path().join("odd.toml"), ODD).unwrap();
    let world = World::with(|setup| setup.env("POSTRIDER_CONTRACTS", &own.path().to_string_lossy())).await;
    let mut walks = vec![];
    for contract in CONTRACTS {
        walks.push(Walk::new(&world, language, contract, "", OLD, NEW).await);
    }
    walks.push(Walk::new(&world, language, "standard", "?secret_kind=whsk_", OLD_ED25519, NEW_ED25519).await);
    walks.push(Walk::new(&world, language, "odd", "", ODD_OLD, ODD_NEW).await);
    for walk in &walks {
        walk.before_a_rotation().await;
        walk.during_a_rotation().await;
    }
    // From now on attempts are made an hour later than the receivers' own clocks say.
    world.advance_ms(3_600_000).await;
    for walk in &walks {
        walk.at_another_time().await;
    }
}

impl<'w> Walk<'w> {
    async fn new(world: &'w World, language: &str, contract: &'static str, kind: &str, old: Pair, new: Pair) -> Self {
        let path = format!("/v1/contracts/{contract}/verification{kind}");
        let written = items(&world.api.get(&path).await.expect(200)["data"]);
        let written = written.iter().find(|one| one["language"] == language).expect("that language").clone();
        let organization = world.organization(contract).await;
        let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let hold = async |folder: &TempDir, pair: Pair| {
            let (file, code) = (text(&written["file"]), text(&written["code"]));
            let receiver = Snippet::start(language, folder.path(), &file, &code, pair.verifier).await;
            let endpoint = organization.endpoint(&receiver.url, json!({"secret": old.secret})).await;
            Held { receiver, endpoint }
        };
        let holders = [hold(&folders[0], old).await, hold(&folders[1], new).await];
        Walk { world, contract, organization, holders, new, _folders: folders }
    }

    /// Publishes an event and returns its deliveries to the two receivers, each with its first attempt made.
    async fn delivered(&self) -> [Value; 2] {
        let types = &self.world.api.get(&format!("/v1/contracts/{}", self.contract)).await.expect(200)["event_types"];
        let event = json!({"type": types[0]["name"], "data": {"id": "1", "text": "naïve ✓", "n": 1.50}});
        let event = self.organization.publish(&event).await;
        let found = self.organization.deliveries(&format!("event={event}")).await;
        let mut deliveries = [Value::Null, Value::Null];
        for (delivery, held) in deliveries.iter_mut().zip(&self.holders) {
            let row = found.iter().find(|row| row["endpoint"] == held.endpoint.id).expect("a delivery to it");
            *delivery = self.organization.attempted(&text(&row["id"]), 1).await;
        }
        deliveries
    }

    fn is_accepted(&self, delivery: &Value, moment: &str) {
        assert_eq!(delivery["status"], "succeeded", "{}, {moment}: {delivery}", self.contract);
    }

    fn is_refused(&self, delivery: &Value, moment: &str) {
        assert_eq!(delivery["last_status_code"], 401, "{}, {moment}: {delivery}", self.contract);
    }

    async fn before_a_rotation(&self) {
        let [to_old, to_new] = self.delivered().await;
        self.is_accepted(&to_old, "its secret");
        self.is_refused(&to_new, "a wrong secret");

        let request = &to_old["request"];
        let body = text(&request["body"]).into_bytes();
        // What the client sets itself is left out.
        let is_sent = |name: &str| !["content-type", "host", "content-length", "user-agent"].contains(&name);
        let headers = request["headers"].as_object().unwrap().iter();
        let headers = headers.filter(|(name, _)| is_sent(&name.to_lowercase()));
        let headers: Vec<_> = headers.map(|(name, value)| (name.clone(), text(value))).collect();
        let receiver = &self.holders[0].receiver;
        let accepted = receiver.answers(&headers, &body).await;
        assert!((200..300).contains(&accepted), "{}: the same request again: {accepted}", self.contract);
        let mut flipped = body.clone();
        let at = flipped.iter().rposition(u8::is_ascii_digit).unwrap();
        flipped[at] ^= 1;
        assert_eq!(receiver.answers(&headers, &flipped).await, 401, "{}: one bit flipped", self.contract);
        assert_eq!(receiver.answers(&[], &body).await, 401, "{}: no headers", self.contract);
    }

    async fn during_a_rotation(&self) {
        for held in &self.holders {
            let path = self.organization.path(&format!("/endpoints/{}/secret/rotate", held.endpoint.id));
            self.world.api.post(&path, &json!({"secret": self.new.secret})).await.expect(200);
        }
        for delivery in self.delivered().await {
            self.is_accepted(&delivery, "rotated");
        }
        for held in &self.holders {
            let path = self.organization.path(&format!("/endpoints/{}/secret/confirm", held.endpoint.id));
            self.world.api.post(&path, &json!({})).await.expect(204);
        }
        for delivery in self.delivered().await {
            self.is_accepted(&delivery, "confirmed");
        }
    }

    async fn at_another_time(&self) {
        let signs_the_time = ["standard", "sendpilot", "odd"].contains(&self.contract);
        for delivery in self.delivered().await {
            if signs_the_time {
                self.is_refused(&delivery, "a timestamp of another hour");
            } else {
                self.is_accepted(&delivery, "no timestamp is signed");
            }
        }
    }
}
