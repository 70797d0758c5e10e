//! How the server that is read lets in the connection for replication: passwords of each kind, TLS, and rights.

use postrider_tests::postgres::PrivateServer;
use postrider_tests::tls::Authority;
use postrider_tests::wait::until;
use postrider_tests::world::{Store, World};
use serde_json::json;

use super::crm::{By, Crm, LOGICAL};
use super::organization;

const READER: &str = "reader";

/// A CRM whose reader has a password that the server asks for in this way, and what the reader's URL is with another one.
struct Locked {
    server: PrivateServer,
    crm: Crm,
}

impl Locked {
    async fn new(method: &str, encryption: &str, attributes: &str) -> Self {
        let server = PrivateServer::with(&[LOGICAL, &format!("password_encryption={encryption}")]).await;
        let crm = Crm::read_by(&server, By::Replication, READER, &format!("PASSWORD 'open sesame' {attributes}")).await;
        server.lets_in(&format!("host all {READER} 127.0.0.1/32 {method}")).await;
        Locked { server, crm }
    }

    /// The reader's URL.
    fn url(&self, password: &str, host: &str, parameters: &str) -> String {
        let url = self.crm.database.url().replace("postgres@127.0.0.1", &format!("{READER}:{password}@{host}"));
        format!("{url}?{parameters}")
    }

    async fn world(&self, url: &str, more: &[(&str, &str)]) -> World {
        World::with_on(Store::Sqlite, |setup| {
            let setup = self.crm.used_by(setup).env("POSTRIDER_SOURCE_DATABASE_URL", url);
            more.iter().fold(setup, |setup, (name, value)| setup.env(name, value))
        })
        .await
    }

    async fn is_read(&self, world: &World) {
        let acme = organization(world, "acme", "standard").await;
        acme.endpoint(&world.receiver.url("/in"), json!({"events": ["deal.created"]})).await;
        self.crm.deals(1, 1);
        world.receiver.wait_for("/in", 1).await;
    }

    /// The log says this, and no password.
    async fn is_refused(&self, world: &World, words: &[&str]) {
        for words in words {
            until(words, async || world.program.output().contains(words).then_some(())).await;
        }
        let log = world.program.output();
        assert!(!log.contains("sesame"), "{log}");
    }
}

async fn a_password_opens_and_another_does_not(method: &str, encryption: &str) {
    let locked = Locked::new(method, encryption, "REPLICATION").await;
    let wrong = locked.world(&locked.url("close%20sesame", "127.0.0.1", ""), &[]).await;
    let words = [
        "password authentication failed for user \"reader\"",
        "check user, password and sslmode in its URL",
        "asked again until it answers",
    ];
    locked.is_refused(&wrong, &words).await;
    let (ended, ..) = wrong.stop().await;
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let world = locked.world(&locked.url("open%20sesame", "127.0.0.1", ""), &[]).await;
    locked.is_read(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scram_password_opens_and_another_does_not() {
    a_password_opens_and_another_does_not("scram-sha-256", "scram-sha-256").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_md5_password_opens_and_another_does_not() {
    a_password_opens_and_another_does_not("md5", "md5").await;
}

/// As by the driver of all other connections: TLS is what keeps it from others' eyes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_in_clear_text_opens_and_another_does_not() {
    a_password_opens_and_another_does_not("password", "scram-sha-256").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scram_password_opens_over_tls_to_a_server_that_is_known() {
    let mut locked = Locked::new("scram-sha-256", "scram-sha-256", "REPLICATION").await;
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    locked.server.speaks_tls(&authority).await;
    locked.server.lets_in(&format!("hostssl all {READER} 127.0.0.1/32 scram-sha-256")).await;
    let trusted = [("POSTRIDER_SOURCE_DATABASE_CA_FILE", &*authority.file())];
    let url = |parameters| locked.url("open%20sesame", "localhost", parameters);
    let strange = locked.world(&url("sslmode=require"), &[]).await;
    locked.is_refused(&strange, &["name the authority that signed the server's certificate"]).await;
    let plain = locked.world(&url("sslmode=disable"), &trusted).await;
    locked.is_refused(&plain, &["check user, password and sslmode in its URL"]).await;
    // The driver of the other connections can do it; this one says that it cannot, and does not go without.
    let bound = locked.world(&url("sslmode=require&channel_binding=require"), &trusted).await;
    locked.is_refused(&bound, &["write channel_binding=prefer"]).await;
    for world in [strange, plain, bound] {
        world.stop().await;
    }
    let world = locked.world(&url("sslmode=require"), &trusted).await;
    locked.is_read(&world).await;
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'reader'";
    assert_eq!(locked.crm.ask(encrypted), "t");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_may_not_replicate_is_told_what_it_needs() {
    let locked = Locked::new("scram-sha-256", "scram-sha-256", "REPLICATION").await;
    let _ = locked.crm.database.ask(&format!("ALTER ROLE {READER} NOREPLICATION"));
    let world = locked.world(&locked.url("open%20sesame", "127.0.0.1", ""), &[]).await;
    locked.is_refused(&world, &["needs the right to replicate: ALTER ROLE"]).await;
    let _ = locked.crm.database.ask(&format!("ALTER ROLE {READER} REPLICATION"));
    locked.is_read(&world).await;
}
