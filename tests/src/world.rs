//! One life of the program with one scripted receiver, and short ways to the things that most tests need.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::api::{Answer, Api};
use crate::postgres::Database;
use crate::program::{Ended, OPERATOR_KEY, Program, Setup};
use crate::receiver::Receiver;
use crate::wait::until;

/// What the program keeps its data in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// The embedded one.
    Sqlite,
    /// A database of the test's own.
    Postgres,
}

/// Makes of each named `async fn(Store)` a test on each store.
#[macro_export]
macro_rules! on_each_store {
    ($($test:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test($crate::world::Store::Sqlite).await;
            })+
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test($crate::world::Store::Postgres).await;
            })+
        }
    };
}

/// Where the program's data is, and goes when this is dropped.
#[derive(Debug)]
pub struct Data {
    /// How a program is started on it.
    pub setup: Setup,
    /// The database, where it is one.
    pub database: Option<Database>,
    _folder: TempDir,
}

impl Data {
    /// None yet, in a store of this kind.
    #[must_use]
    pub fn none_in(store: Store) -> Self {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let setup = Setup::new(&folder.path().join("data"));
        let (setup, database) = match store {
            Store::Sqlite => (setup, None),
            Store::Postgres => {
                let database = Database::create();
                (setup.on_database(&database.url()), Some(database))
            }
        };
        Data { setup, database, _folder: folder }
    }
}

/// A program with its data, and a receiver.
#[derive(Debug)]
pub struct World {
    /// How the program was started, and is again.
    pub setup: Setup,
    /// The program.
    pub program: Program,
    /// The API with the operator key.
    pub api: Api,
    /// The receiver.
    pub receiver: Receiver,
    /// Its data; dropped after the program.
    pub data: Data,
}

impl World {
    /// On the embedded store, with the usual settings.
    pub async fn start() -> Self {
        Self::start_on(Store::Sqlite).await
    }

    /// On the embedded store, with changed settings.
    pub async fn with(change: impl FnOnce(Setup) -> Setup) -> Self {
        Self::with_on(Store::Sqlite, change).await
    }

    /// On a store of this kind, with the usual settings.
    pub async fn start_on(store: Store) -> Self {
        Self::with_on(store, |setup| setup).await
    }

    /// On a store of this kind, with changed settings.
    pub async fn with_on(store: Store, change: impl FnOnce(Setup) -> Setup) -> Self {
        let mut data = Data::none_in(store);
        data.setup = change(data.setup);
        Self::again(data, Receiver::start().await).await
    }

    /// The program killed and started again on the same data.
    pub async fn killed_and_started(self) -> Self {
        self.killed_and_started_after(|| {}).await
    }

    /// The same; this is done when it is dead.
    pub async fn killed_and_started_after(self, between: impl FnOnce()) -> Self {
        let World { program, receiver, data, .. } = self;
        program.kill().await;
        between();
        Self::again(data, receiver).await
    }

    /// The program stopped in good order and started again on the same data.
    pub async fn stopped_and_started(self) -> Self {
        self.stopped_and_started_while(|| {}).await
    }

    /// The same; this is done right after it was asked to stop.
    pub async fn stopped_and_started_while(self, meanwhile: impl FnOnce()) -> Self {
        let World { program, receiver, data, .. } = self;
        program.terminate();
        meanwhile();
        let ended = program.ended().await;
        assert_eq!(ended.status, Some(0), "{ended:?}");
        Self::again(data, receiver).await
    }

    async fn again(data: Data, receiver: Receiver) -> Self {
        let program = data.setup.start().await;
        let api = Api::new(program.address, Some(OPERATOR_KEY));
        World { setup: data.setup.clone(), program, api, receiver, data }
    }

    /// The program stopped in good order; what it left, and its data, which goes when it is dropped.
    pub async fn stop(self) -> (Ended, Setup, Data) {
        let World { setup, program, data, .. } = self;
        (program.stop().await, setup, data)
    }

    /// A new organisation under a contract. Where the contract has plans, it is on one of them.
    pub async fn organization(&self, contract: &str) -> Organization {
        let mut body = json!({"name": format!("Organization on {contract}"), "contract": contract});
        let plans = self.api.get(&format!("/v1/contracts/{contract}")).await.expect(200)["plans"].clone();
        if let Some(plan) = first_plan(&plans) {
            body["plan"] = json!(plan);
        }
        let id = self.api.post("/v1/organizations", &body).await.expect(201)["id"].clone();
        Organization { api: self.api.clone(), id: text(&id) }
    }

    /// Moves the program's clock forward.
    pub async fn advance_ms(&self, ms: i64) {
        self.api.post("/test-clock/advance", &json!({"ms": ms})).await.expect(200);
    }
}

/// Plans are shown as an object by name or as a list of objects.
fn first_plan(plans: &Value) -> Option<String> {
    match plans {
        Value::Object(by_name) => by_name.keys().next().cloned(),
        Value::Array(list) => list.first().map(|plan| text(plan.get("name").unwrap_or(plan))),
        _ => None,
    }
}

/// A JSON string's text.
///
/// # Panics
/// When it is not a string.
#[must_use]
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a string: {value}")).to_owned()
}

/// A JSON list's items.
///
/// # Panics
/// When it is not a list.
#[must_use]
pub fn items(value: &Value) -> Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("not a list: {value}")).clone()
}

/// An endpoint as it was created.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its id.
    pub id: String,
    /// What signs its deliveries; empty where there is none.
    pub secret: String,
}

/// One organisation, through the operator key.
#[derive(Clone, Debug)]
pub struct Organization {
    /// The API.
    pub api: Api,
    /// Its id.
    pub id: String,
}

impl Organization {
    /// A path below it.
    #[must_use]
    pub fn path(&self, rest: &str) -> String {
        format!("/v1/organizations/{}{rest}", self.id)
    }

    /// An endpoint for everything, with more fields or other ones.
    pub async fn endpoint(&self, url: &str, fields: Value) -> Endpoint {
        let mut body = json!({"name": "Endpoint", "url": url, "events": ["*"]});
        for (name, value) in fields.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let made = self.api.post(&self.path("/endpoints"), &body).await.expect(201);
        Endpoint { id: text(&made["id"]), secret: made["secret"].as_str().unwrap_or_default().to_owned() }
    }

    /// Publishes an event and returns its id.
    pub async fn publish(&self, event: &Value) -> String {
        let accepted = self.try_publish(event).await.expect(202);
        text(&accepted["id"])
    }

    /// Publishes an event.
    pub async fn try_publish(&self, event: &Value) -> Answer {
        self.api.post(&self.path("/events"), event).await
    }

    /// A page of deliveries with this query, e.g. `status=failed`.
    pub async fn deliveries(&self, query: &str) -> Vec<Value> {
        items(&self.api.get(&self.path(&format!("/deliveries?{query}"))).await.expect(200)["data"])
    }

    /// The one delivery of an event, which has one.
    pub async fn delivery_of(&self, event: &str) -> String {
        let found = self.deliveries(&format!("event={event}")).await;
        assert_eq!(found.len(), 1, "{found:?}");
        text(&found[0]["id"])
    }

    /// Every delivery with this query, over all pages.
    pub async fn all_deliveries(&self, query: &str) -> Vec<Value> {
        let (mut all, mut cursor) = (vec![], String::new());
        loop {
            let path = self.path(&format!("/deliveries?limit=250&{query}{cursor}"));
            let page = self.api.get(&path).await.expect(200);
            all.extend(items(&page["data"]));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    }

    /// Waits until nothing is pending: every delivery has ended and is recorded.
    pub async fn drained(&self) {
        let drained = async || self.deliveries("status=pending&limit=1").await.is_empty().then_some(());
        until("every delivery recorded", drained).await;
    }

    /// One delivery with its attempts.
    pub async fn delivery(&self, id: &str) -> Value {
        self.api.get(&self.path(&format!("/deliveries/{id}"))).await.expect(200)
    }

    /// Waits until a delivery is as wanted, and returns it.
    pub async fn delivery_when(&self, id: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        until(what, async || Some(self.delivery(id).await).filter(|delivery| is_so(delivery))).await
    }

    /// Waits until so many attempts of a delivery are recorded, and returns it.
    pub async fn attempted(&self, id: &str, count: usize) -> Value {
        self.delivery_when(id, &format!("{count} recorded attempts"), |d| items(&d["attempts"]).len() == count).await
    }

    /// Waits until a delivery has this status, and returns it.
    pub async fn ended(&self, id: &str, status: &str) -> Value {
        self.delivery_when(id, &format!("status {status}"), |delivery| delivery["status"] == status).await
    }

    /// The API with a key of this organisation that has these scopes.
    pub async fn with_scopes(&self, scopes: &[&str]) -> Api {
        let body = json!({"name": "Key", "scopes": scopes});
        let made = self.api.post(&self.path("/keys"), &body).await.expect(201);
        self.api.with(made["key"].as_str())
    }
}
