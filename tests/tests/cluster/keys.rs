//! The two keys of a cluster are replaced as docs/operations.md says, one node after the other, while deliveries go on.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use postrider_tests::cluster::{Cluster, Tenant};
use postrider_tests::load::Load;
use postrider_tests::program::{ENCRYPTION_KEY as OLD, Ended, OPERATOR_KEY, Setup};
use postrider_tests::receiver::Request;
use postrider_tests::sign::standard_v1;
use postrider_tests::wait::until;
use serde_json::{Value, json};

/// Another master key: 32 bytes in base64.
const NEW: &str = "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXowMTIzNDU=";
const OPERATOR_KEY_NEW: &str = "another-operator-key-of-the-black-box-tests-1c";
/// A node looks up the operator key every five seconds; the rest is room for a slow machine.
const LEARNT_WITHIN: Duration = Duration::from_secs(10);

/// This master key first, and others that only open.
fn with_keys(setup: Setup, first: &str, old: Option<&str>) -> Setup {
    let setup = setup.env("POSTRIDER_ENCRYPTION_KEY", first).without("POSTRIDER_ENCRYPTION_KEYS_OLD");
    match old {
        Some(old) => setup.env("POSTRIDER_ENCRYPTION_KEYS_OLD", old),
        None => setup,
    }
}

/// The organisations made so far, and what signs the deliveries to each path.
#[derive(Default)]
struct Made {
    tenants: Vec<Tenant>,
    secrets: BTreeMap<String, String>,
}

impl Made {
    /// One more organisation, through this node.
    async fn organization(&mut self, cluster: &Cluster, node: usize) -> Tenant {
        let name = json!({"name": "Tenant", "contract": "standard"});
        let made = cluster.api(node).post("/v1/organizations", &name).await.expect(201);
        let mut tenant = Tenant { id: made["id"].as_str().unwrap().to_owned(), paths: BTreeMap::new() };
        self.endpoint(cluster, node, &mut tenant).await;
        self.tenants.push(tenant.clone());
        tenant
    }

    /// One more endpoint with a secret, through this node.
    async fn endpoint(&mut self, cluster: &Cluster, node: usize, tenant: &mut Tenant) {
        let path = format!("/in/{}", self.secrets.len());
        let endpoint = tenant.at(cluster.api(node)).endpoint(&cluster.receiver.url(&path), json!({})).await;
        tenant.paths.insert(endpoint.id, path.clone());
        assert!(!endpoint.secret.is_empty());
        self.secrets.insert(path, endpoint.secret);
    }

    /// Through each node, one more organisation, and one more endpoint of the first that was made through the other; all of them get an event.
    async fn grow_and_send(&mut self, cluster: &Cluster) {
        for node in 0..cluster.size() {
            let mut tenant = self.organization(cluster, node).await;
            self.endpoint(cluster, (node + 1) % cluster.size(), &mut tenant).await;
            self.tenants.pop();
            self.tenants.push(tenant);
        }
        self.send_to_all(cluster).await;
    }

    /// An event through each node to every endpoint there is.
    async fn send_to_all(&self, cluster: &Cluster) {
        for tenant in &self.tenants {
            let before: Vec<_> = tenant.paths.values().map(|path| (path, cluster.receiver.count_at(path))).collect();
            for node in 0..cluster.size() {
                let event = json!({"type": "deal.won", "data": {"node": node}});
                let accepted = tenant.at(cluster.api(node)).try_publish(&event).await.expect(202);
                assert_eq!(accepted["deliveries_count"], tenant.paths.len());
            }
            for (path, count) in before {
                cluster.receiver.wait_for(path, count + cluster.size()).await;
            }
        }
    }

    /// Whatever arrived was signed with the secret that its endpoint was made with.
    fn all_are_authentic(&self, arrived: &[Request]) {
        for request in arrived {
            let header = |name: &str| request.header(name).unwrap_or_default();
            let secret = &self.secrets[&request.path];
            let wanted = standard_v1(secret, header("webhook-id"), header("webhook-timestamp"), &request.body);
            assert_eq!(header("webhook-signature"), wanted, "{request:?}");
        }
    }
}

/// Restarts one node after the other with these keys; whatever each leaves to the others, they must be able to read.
async fn restart_all(cluster: &mut Cluster, made: &mut Made, load: &Load, first: &str, old: Option<&str>) {
    for node in 0..cluster.size() {
        cluster.stop(node).await;
        cluster.change(node, |setup| with_keys(setup, first, old));
        cluster.start_again(node).await;
        made.grow_and_send(cluster).await;
        load.accepts(20).await;
    }
}

async fn rotate(setup: &Setup) -> u64 {
    let ended = setup.run(&["keys", "rotate-encryption", "--json"]).await;
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert!(!format!("{ended:?}").contains(NEW) && !format!("{ended:?}").contains(OLD), "a key is shown");
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    told["rewrapped"].as_u64().unwrap()
}

fn is_refused(ended: &Ended, words: &str) {
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
    assert!(ended.stderr.contains(words), "does not say {words:?}: {}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_encryption_key_is_replaced_node_by_node_and_every_delivery_stays_signed() {
    let mut cluster = Cluster::start(2).await;
    let mut made = Made::default();
    let steady = [made.organization(&cluster, 0).await, made.organization(&cluster, 1).await];
    let load = Load::begin(&cluster.front, &steady, 20);
    made.grow_and_send(&cluster).await;
    restart_all(&mut cluster, &mut made, &load, OLD, Some(NEW)).await;
    restart_all(&mut cluster, &mut made, &load, NEW, Some(OLD)).await;
    let operating = cluster.setup(0).clone();
    assert!(rotate(&operating).await > 0, "the old key had encrypted something");
    assert_eq!(rotate(&operating).await, 0, "all of it was done the first time");
    restart_all(&mut cluster, &mut made, &load, NEW, None).await;
    made.send_to_all(&cluster).await;

    let with_old_alone = with_keys(operating, OLD, None).run(&["serve"]).await;
    is_refused(&with_old_alone, "give the right key");
    assert!(!with_old_alone.stderr.contains(OLD), "a key is in the log");
    let account = load.settled(&cluster).await;
    account.has_no_duplicates();
    made.all_are_authentic(&cluster.receiver.all());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_operator_key_holds_on_every_node_that_runs() {
    let cluster = Cluster::start(2).await;
    let with_new = cluster.setup(0).clone().env("POSTRIDER_OPERATOR_KEY", OPERATOR_KEY_NEW);
    let is_taken =
        async |node: usize, key: &str| cluster.api(node).with(Some(key)).get("/v1/organizations").await.status == 200;
    for node in 0..2 {
        assert!(is_taken(node, OPERATOR_KEY).await && !is_taken(node, OPERATOR_KEY_NEW).await);
    }
    for expected in [true, false] {
        let ended = with_new.run(&["keys", "operator", "--json"]).await;
        assert_eq!(ended.status, Some(0), "{ended:?}");
        let told: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(told, json!({"replaced": expected}), "the second time there is nothing to do");
    }
    let replaced = Instant::now();
    for node in 0..2 {
        until("the new key is taken", async || is_taken(node, OPERATOR_KEY_NEW).await.then_some(())).await;
        assert!(!is_taken(node, OPERATOR_KEY).await, "the old one is taken still");
    }
    assert!(replaced.elapsed() < LEARNT_WITHIN, "the old key worked for {:?}", replaced.elapsed());
    is_refused(&cluster.setup(1).run(&["serve"]).await, "postrider keys operator");
    with_new.start().await.stop().await;
}
