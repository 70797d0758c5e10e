//! What keeps changes for replication is gone: that is told loudly, with what to do; then it goes on, and what is missing is told until it is made good.

use postrider_tests::postgres::PrivateServer;
use postrider_tests::wait::until;
use postrider_tests::world::{Organization, Store, World};
use serde_json::json;

use super::crm::{By, Crm, LOGICAL};
use super::{metric, organization, world_of};

/// A CRM that is read, with one deal that arrived.
struct Scene {
    server: PrivateServer,
    crm: Crm,
    world: World,
    _acme: Organization,
}

impl Scene {
    async fn begin(settings: &[&str]) -> Self {
        let server = PrivateServer::with(&[&[LOGICAL], settings].concat()).await;
        let crm = Crm::at(&server, By::Replication).await;
        let world = world_of(&crm, Store::Sqlite).await;
        let acme = organization(&world, "acme", "standard").await;
        acme.endpoint(&world.receiver.url("/in"), json!({"events": ["deal.created"]})).await;
        crm.deals(1, 1);
        world.receiver.wait_for("/in", 1).await;
        crm.handed_over().await;
        Scene { server, crm, world, _acme: acme }
    }

    /// Waits until the log says this.
    async fn told(&self, words: &str) {
        until(words, async || self.world.program.output().contains(words).then_some(())).await;
    }

    async fn metric_is(&self, name: &str, wanted: f64) {
        until(&format!("{name} {wanted}"), async || (metric(&self.world, name).await == wanted).then_some(())).await;
    }

    /// It is told that changes are lost, and what to do.
    async fn is_losing(&self, log: &str, status: &str) {
        self.told(log).await;
        self.told("run `postrider source install`").await;
        self.metric_is("postrider_source_is_losing ", 1.0).await;
        self.metric_is("postrider_source_is_reading ", 0.0).await;
        let told = self.crm.command(&["status"]).await;
        assert_eq!(told.status, Some(1), "{told:?}");
        assert!(told.stdout.contains(status) && told.stdout.contains("run postrider source install"), "{told:?}");
    }

    /// What was told to do helps, without a restart; what is missing is told until it is backfilled.
    async fn is_mended(&self, lost_tables: &[&str]) {
        let installed = self.crm.command(&["install"]).await;
        assert_eq!(installed.status, Some(0), "{installed:?}");
        assert!(installed.stderr.contains("changes were lost"), "{installed:?}");
        let again = self.crm.command(&["install"]).await;
        assert_eq!(again.stdout, "everything is installed already\n", "{again:?}");
        self.metric_is("postrider_source_is_reading ", 1.0).await;
        self.metric_is("postrider_source_is_losing ", 0.0).await;
        self.told("were lost and are no events; `postrider source backfill`").await;
        self.metric_is("postrider_source_tables_to_backfill ", lost_tables.len() as f64).await;
        self.crm.run("INSERT INTO deals (company_id, title) VALUES (1, 'After')");
        let arrived = || self.world.receiver.at("/in").iter().any(|request| request.json()["data"]["title"] == "After");
        self.world.receiver.wait_until("what is changed from now on", arrived).await;
        for table in lost_tables {
            let status = self.crm.command(&["status"]).await;
            let missing = format!("{table}: has changes from before");
            let advice = format!("postrider source backfill {table}");
            assert!(status.status == Some(1) && status.stdout.contains(&missing), "{status:?}");
            assert!(status.stdout.contains(&advice), "{status:?}");
            let backfilled = self.crm.command(&["backfill", table]).await;
            assert_eq!(backfilled.status, Some(0), "{backfilled:?}");
        }
        let status = self.crm.command(&["status"]).await;
        assert_eq!(status.status, Some(0), "nothing is missing any more: {status:?}");
        self.metric_is("postrider_source_tables_to_backfill ", 0.0).await;
    }
}

const ALL: [&str; 3] = ["public.companies", "public.deals", "public.owners"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_whose_log_is_gone_is_told_and_made_anew() {
    let scene = Scene::begin(&["max_slot_wal_keep_size=1MB", "min_wal_size=32MB", "max_wal_size=64MB"]).await;
    // Nothing is read meanwhile.
    scene.world.program.pause();
    scene.crm.run("INSERT INTO deals (company_id, title) VALUES (1, 'Lost')");
    let lost = format!("SELECT wal_status = 'lost' FROM pg_replication_slots WHERE slot_name = '{}'", scene.crm.schema);
    until("the log is gone", async || {
        for statement in
            ["SELECT pg_logical_emit_message(false, '', repeat('x', 1000000))", "SELECT pg_switch_wal()", "CHECKPOINT"]
        {
            let _ = scene.crm.ask(statement);
        }
        (scene.crm.ask(&lost) == "t").then_some(())
    })
    .await;
    scene.world.program.resume();
    scene.is_losing("no longer keeps the log", "no longer keeps the log").await;
    scene.is_mended(&ALL).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_somebody_dropped_is_told_and_made_anew() {
    let scene = Scene::begin(&[]).await;
    let slot = &scene.crm.schema;
    let ends = format!(
        "SELECT pg_terminate_backend(active_pid, 1000) FROM pg_replication_slots WHERE slot_name = '{slot}' AND active"
    );
    let drops = format!(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '{slot}' AND NOT active"
    );
    let gone = format!("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{slot}'");
    until("the slot is gone", async || {
        scene.crm.run(&ends);
        scene.crm.run(&drops);
        (scene.crm.ask(&gone) == "0").then_some(())
    })
    .await;
    scene.crm.run("INSERT INTO deals (company_id, title) VALUES (1, 'Lost')");
    scene.is_losing("is gone, dropped by somebody", "is missing: changes are lost until it is there").await;
    scene.is_mended(&ALL).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_to_a_server_without_the_slot_is_told() {
    let mut scene = Scene::begin(&[]).await;
    scene.server.fails_over_without_slots().await;
    scene.crm.run("INSERT INTO deals (company_id, title) VALUES (1, 'Lost')");
    scene.is_losing("left behind by a failover", "is missing: changes are lost until it is there").await;
    scene.is_mended(&ALL).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publication_that_somebody_dropped_is_told_at_once_and_made_anew() {
    let scene = Scene::begin(&[]).await;
    // Nobody changes anything afterwards: it is noticed all the same.
    scene.crm.run(&format!("DROP PUBLICATION {}", scene.crm.schema));
    scene.is_losing("is gone, so that no change can be told", "is missing: nothing is captured").await;
    scene.crm.run("INSERT INTO deals (company_id, title) VALUES (1, 'Lost')");
    scene.is_mended(&ALL).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_somebody_took_out_of_the_publication_is_told_while_others_go_on() {
    let scene = Scene::begin(&[]).await;
    let publication = &scene.crm.schema;
    scene.crm.run(&format!("ALTER PUBLICATION {publication} DROP TABLE deals"));
    scene.told("changes of some tables in the CRM's database are lost").await;
    scene.metric_is("postrider_source_tables_uncaptured ", 1.0).await;
    scene.metric_is("postrider_source_is_reading ", 1.0).await;
    scene.crm.run("INSERT INTO deals (company_id, title) VALUES (1, 'Lost')");
    let status = scene.crm.command(&["status"]).await;
    let finding = "public.deals: is mapped and not published: its changes are not captured";
    assert!(status.status == Some(1) && status.stdout.contains(finding), "{status:?}");
    scene.is_mended(&["public.deals"]).await;
    scene.metric_is("postrider_source_tables_uncaptured ", 0.0).await;
}
