//! A database that cannot be reached for a while: refused at once, and found again by itself.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use postrider_store::{Hint, PostgresStore, Store, StoreError};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::database::{Database, master_key, options};
use crate::world::{LONG, Node, STORED, acme, populate, soon};

/// A line to the database that can be cut.
struct Cable {
    url: String,
    port: u16,
    target: String,
    carrying: Mutex<Option<JoinHandle<()>>>,
}

impl Cable {
    async fn to(database: &Database) -> Arc<Self> {
        let url = database.url();
        let (_, rest) = url.split_once('@').unwrap();
        let (target, path) = rest.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = format!("postgres://postgres:a-password@127.0.0.1:{port}/{path}");
        let cable = Cable { url, port, target: target.to_owned(), carrying: Mutex::new(None) };
        cable.carry(listener);
        Arc::new(cable)
    }

    fn carry(&self, listener: TcpListener) {
        let target = self.target.clone();
        let carry = async move {
            let mut lines = JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                let target = target.clone();
                lines.spawn(async move {
                    let mut far = TcpStream::connect(target).await.unwrap();
                    let _ = copy_bidirectional(&mut near, &mut far).await;
                });
            }
        };
        *self.carrying.lock() = Some(tokio::spawn(carry));
    }

    /// All lines end, and no new one begins.
    async fn cut(&self) {
        let carrying = self.carrying.lock().take().unwrap();
        carrying.abort();
        assert!(carrying.await.unwrap_err().is_cancelled());
    }

    async fn mend(&self) {
        let bind = async {
            loop {
                if let Ok(listener) = TcpListener::bind(("127.0.0.1", self.port)).await {
                    return listener;
                }
            }
        };
        self.carry(soon(bind).await);
    }
}

#[tokio::test]
async fn while_it_is_away_everything_is_refused_at_once_and_afterwards_it_goes_on() {
    let database = Database::create();
    let cable = Cable::to(&database).await;
    let store = PostgresStore::open(&cable.url, master_key(7), &options()).await.unwrap();
    let node = Node::with(store, LONG).await;
    let endpoints = populate(&node.store, 1).await;
    node.commit(&endpoints).await.unwrap();
    node.listens().await;
    cable.cut().await;
    let began = Instant::now();
    for _ in 0..50 {
        let refused = node.commit(&endpoints).await.unwrap_err();
        assert!(matches!(refused, StoreError::Unavailable { .. }), "{refused}");
        assert!(!refused.to_string().contains("a-password"));
        let refused = node.store.configuration(&acme()).await.unwrap_err();
        assert!(matches!(refused, StoreError::Unavailable { .. }), "{refused}");
    }
    assert!(began.elapsed().as_secs() < 5, "nobody waits for what is away: {:?}", began.elapsed());
    cable.mend().await;
    soon(async { while node.commit(&endpoints).await.is_err() {} }).await;
    assert_eq!(soon(node.store.hear(node.lease)).await.unwrap(), [Hint::Missed]);
    assert_eq!(node.commit(&endpoints).await.unwrap(), STORED);
    assert!(node.claim(endpoints[0]).await.len() >= 3);
}

#[tokio::test]
async fn whoever_cannot_get_in_is_told_where_and_what_to_do_without_the_password() {
    let database = Database::create();
    let (server, _) = database.url().rsplit_once('/').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let missing = format!("{server}/there_is_none_of_this_name");
    let refused = PostgresStore::open(&missing, master_key(7), &options()).await.err().unwrap();
    assert!(matches!(refused, StoreError::Unusable { .. }), "{refused}");
    let said = refused.to_string();
    assert!(said.contains("CREATE DATABASE \"there_is_none_of_this_name\"") && said.contains("127.0.0.1:"), "{said}");
    let nobody = database.url().replace("postgres@", "nobody_like_this:a-password@");
    let refused = PostgresStore::open(&nobody, master_key(7), &options()).await.err().unwrap();
    assert!(matches!(refused, StoreError::Unusable { .. }), "{refused}");
    assert!(!refused.to_string().contains("a-password"), "{refused}");
    // Nobody listens on port 1.
    let away = "postgres://postgres:a-password@127.0.0.1:1/crm";
    let refused = PostgresStore::open(away, master_key(7), &options()).await.err().unwrap();
    assert!(matches!(refused, StoreError::Unavailable { .. }), "{refused}");
    let said = refused.to_string();
    assert!(said.contains("127.0.0.1:1") && said.contains("crm") && !said.contains("a-password"), "{said}");
    for url in ["postgres://:x@", "crm", "postgres://a@b:c/d", "postgres:///crm?sslmode=maybe"] {
        let refused = PostgresStore::open(url, master_key(7), &options()).await.err().unwrap();
        assert!(matches!(refused, StoreError::Unusable { .. }), "{url}: {refused}");
    }
}
