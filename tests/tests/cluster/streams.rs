//! Streams over many nodes: what was accepted on any of them is read from any of them, once, whichever is asked for the next page.

use postrider_tests::cluster::{Cluster, Tenant};
use postrider_tests::wait::within;
use postrider_tests::world::{items, text};
use serde_json::json;
use tokio::task::JoinSet;

/// Events on each node, twice; fewer in all than a reader is given of what is not settled yet.
const EVENTS: usize = 45;
const NODES: usize = 2;
/// Longer than it takes until nothing older can come any more.
const SETTLED_MS: u64 = 60_000;

/// Reads with the position of the page before, from one node after the other.
struct Reader {
    path: String,
    after: Option<String>,
    turn: usize,
    read: Vec<String>,
}

impl Reader {
    async fn next(&mut self, cluster: &Cluster, wait_s: u32) -> usize {
        let after = self.after.as_ref().map(|after| format!("&after={after}")).unwrap_or_default();
        let path = format!("{}?limit=7&wait={wait_s}{after}", self.path);
        let page = cluster.api(self.turn % NODES).get(&path).await.expect(200);
        self.turn += 1;
        self.after = Some(text(&page["next_after"]));
        let rows = items(&page["data"]);
        self.read.extend(rows.iter().map(|row| text(&row["event"])));
        rows.len()
    }
}

async fn publish(cluster: &Cluster, tenant: &Tenant) -> JoinSet<Vec<String>> {
    let mut publishing = JoinSet::new();
    for node in 0..NODES {
        let organization = tenant.at(cluster.api(node));
        publishing.spawn(async move {
            let mut ids = vec![];
            for number in 0..EVENTS {
                ids.push(organization.publish(&json!({"type": "deal.won", "data": {"number": number}})).await);
            }
            ids
        });
    }
    publishing
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_nodes_accept_is_read_once_from_either_while_it_is_accepted() {
    let cluster = Cluster::start(NODES).await;
    let tenant = cluster.tenant(1).await;
    let endpoint = tenant.paths.keys().next().expect("it has one");
    let path = tenant.at(cluster.any()).path(&format!("/endpoints/{endpoint}/stream"));
    let mut reader = Reader { path, after: None, turn: 0, read: vec![] };
    let mut published = vec![];
    for round in 1..=2 {
        let publishing = publish(&cluster, &tenant).await;
        within("all of it is read", async {
            while reader.read.len() < round * NODES * EVENTS {
                reader.next(&cluster, 5).await;
            }
        })
        .await;
        published.extend(publishing.join_all().await.into_iter().flatten());
        for _ in 0..NODES {
            assert_eq!(reader.next(&cluster, 0).await, 0, "round {round}: something came twice");
        }
        let (mut read, mut wanted) = (reader.read.clone(), published.clone());
        read.sort();
        wanted.sort();
        assert_eq!(read, wanted, "round {round}");
        for node in 0..NODES {
            cluster.api(node).post("/test-clock/advance", &json!({"ms": SETTLED_MS})).await.expect(200);
        }
    }
}
