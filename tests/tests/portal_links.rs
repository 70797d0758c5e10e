//! Portal links and sessions: who is let in, as what, until when; by which node, and what of it is seen elsewhere.

use postrider_tests::api::{Api, Call};
use postrider_tests::cluster::Cluster;
use postrider_tests::program::OPERATOR_KEY;
use postrider_tests::tokens::{SECRET, claims, token};
use postrider_tests::world::{Organization, Store, World, items, text};
use serde_json::{Value, json};

postrider_tests::on_each_store!(
    an_admins_link_changes_and_a_viewers_reads_in_one_organisation_alone,
    a_link_and_what_it_opened_end_with_its_time_and_a_session_does_not_outlive_it,
    a_link_ends_with_its_organisation_though_its_id_is_given_again,
    one_character_more_less_or_other_lets_nobody_in,
    links_and_sessions_work_across_a_kill_and_are_in_no_log_and_not_stored,
    an_operators_session_ends_when_the_operator_key_is_replaced,
    frame_ancestors_and_notifications_are_kept_told_and_changed_by_those_who_may,
);

const MINUTE_MS: i64 = 60_000;

async fn world(store: Store) -> World {
    World::with_on(store, |setup| {
        setup.env("POSTRIDER_JWT_HS256_SECRET", SECRET).env("POSTRIDER_PUBLIC_URL", "https://webhooks.example.com/in/")
    })
    .await
}

/// The token of a new link, made through `api`.
async fn portal_token(api: &Api, organization: &Organization, body: &Value) -> String {
    let made = api.post(&organization.path("/portal-links"), body).await.expect(201);
    let url = text(&made["url"]);
    let (page, token) = url.split_once('#').unwrap();
    assert!(page.ends_with(&format!("/portal/{}", organization.id)), "{page}");
    assert!(made["expires_at"].is_string(), "{made}");
    token.to_owned()
}

async fn session_of(api: &Api, credential: &str) -> String {
    text(&api.with(Some(credential)).post("/v1/sessions", &json!({})).await.expect(201)["token"])
}

async fn status(world: &World, credential: &str, path: &str) -> u16 {
    world.api.with(Some(credential)).get(path).await.status
}

async fn an_admins_link_changes_and_a_viewers_reads_in_one_organisation_alone(store: Store) {
    let world = world(store).await;
    let (ours, theirs) = (world.organization("standard").await, world.organization("standard").await);
    let endpoint = ours.endpoint(&world.receiver.url("/in"), json!({})).await;
    let theirs_endpoint = theirs.endpoint(&world.receiver.url("/in"), json!({})).await;
    let admins_jwt = world.api.with(Some(&token(&claims(&ours.id, "admin"))));
    let link = admins_jwt.post(&ours.path("/portal-links"), &json!({"role": "admin"})).await.expect(201);
    let begin = format!("https://webhooks.example.com/in/portal/{}#prt_", ours.id);
    assert!(text(&link["url"]).starts_with(&begin), "{link}");
    for (role, changed) in [("admin", 200), ("viewer", 403)] {
        let portal = portal_token(&world.api, &ours, &json!({"role": role, "endpoint": endpoint.id})).await;
        let session = session_of(&world.api, &portal).await;
        assert!(portal.starts_with("prt_") && session.starts_with("ses_"));
        for credential in [portal, session] {
            let api = world.api.with(Some(&credential));
            for path in ["", "/endpoints", "/deliveries", "/events", "/event-types", "/notifications"] {
                api.get(&ours.path(path)).await.expect(200);
            }
            let path = format!("/endpoints/{}", endpoint.id);
            api.patch(&ours.path(&path), &json!({"name": "renamed"})).await.expect(changed);
            for path in ["/keys", "/audit"] {
                api.get(&ours.path(path)).await.expect(changed);
            }
            let seen = api.get("/v1/session").await.expect(200);
            let facts = [&seen["role"], &seen["organization"], &seen["endpoint"]];
            assert_eq!(facts, [&json!(role), &json!(ours.id), &json!(endpoint.id)]);
            assert_eq!(seen.get("token"), None);
            // Another organisation is like one that is not there; so are its things.
            for path in ["", "/endpoints", "/keys", "/notifications"] {
                let found = api.get(&theirs.path(path)).await.problem(404);
                assert_eq!(found, api.get(&format!("/v1/organizations/nobody{path}")).await.problem(404));
            }
            api.get(&ours.path(&format!("/endpoints/{}", theirs_endpoint.id))).await.problem(404);
            for path in ["/v1/organizations", "/v1/audit"] {
                api.get(path).await.problem(403);
            }
            api.delete(&ours.path("")).await.problem(403);
            api.post(&ours.path("/portal-links"), &json!({"role": "viewer"})).await.problem(403);
        }
    }
    let trail = world.api.get(&ours.path("/audit?actor=jwt:portal")).await.expect(200);
    let entries = items(&trail["data"]);
    assert!(!entries.is_empty() && entries.iter().all(|entry| entry["actor"]["role"] == "admin"), "{trail}");
    let of_others = json!({"role": "viewer", "endpoint": theirs_endpoint.id});
    let refused = world.api.post(&ours.path("/portal-links"), &of_others).await;
    assert_eq!(refused.pointers(422), ["/endpoint"]);
    let link = json!({"role": "viewer"});
    let viewer = token(&claims(&ours.id, "viewer"));
    world.api.with(Some(&viewer)).post(&ours.path("/portal-links"), &link).await.problem(403);
    let operator = session_of(&world.api, OPERATOR_KEY).await;
    world.api.with(Some(&operator)).post(&ours.path("/portal-links"), &link).await.expect(201);
    let key = ours.with_scopes(&["endpoints:read", "endpoints:write"]).await;
    key.post(&ours.path("/portal-links"), &json!({"role": "viewer"})).await.problem(403);
    key.post("/v1/sessions", &json!({})).await.problem(403);
}

async fn a_link_and_what_it_opened_end_with_its_time_and_a_session_does_not_outlive_it(store: Store) {
    let world = world(store).await;
    let organization = world.organization("standard").await;
    let path = organization.path("/endpoints");
    for expires_in in ["59s", "25h", "soon"] {
        let body = json!({"role": "viewer", "expires_in": expires_in});
        let refused = world.api.post(&organization.path("/portal-links"), &body).await;
        assert_eq!(refused.pointers(422), ["/expires_in"], "{expires_in}");
    }
    let short = portal_token(&world.api, &organization, &json!({"role": "viewer", "expires_in": "10m"})).await;
    let usual = portal_token(&world.api, &organization, &json!({"role": "viewer"})).await;
    let long = portal_token(&world.api, &organization, &json!({"role": "viewer", "expires_in": "24h"})).await;
    let of_short = session_of(&world.api, &session_of(&world.api, &short).await).await;
    let of_long = session_of(&world.api, &long).await;
    let of_operator = session_of(&world.api, OPERATOR_KEY).await;
    let statuses = async || {
        let mut statuses = vec![];
        for credential in [&short, &of_short, &usual, &of_long, &of_operator, &long] {
            statuses.push(status(&world, credential, &path).await);
        }
        statuses
    };
    assert_eq!(statuses().await, [200; 6]);
    world.advance_ms(10 * MINUTE_MS).await;
    assert_eq!(statuses().await, [401, 401, 200, 200, 200, 200]);
    assert_eq!(world.api.with(Some(&short)).post("/v1/sessions", &json!({})).await.status, 401);
    world.advance_ms(50 * MINUTE_MS).await;
    assert_eq!(statuses().await, [401, 401, 401, 200, 200, 200]);
    world.advance_ms(7 * 60 * MINUTE_MS).await;
    assert_eq!(statuses().await, [401, 401, 401, 401, 401, 200]);
    world.advance_ms(16 * 60 * MINUTE_MS).await;
    assert_eq!(statuses().await, [401; 6]);
}

async fn a_link_ends_with_its_organisation_though_its_id_is_given_again(store: Store) {
    let world = world(store).await;
    let organization = world.organization("standard").await;
    let portal = portal_token(&world.api, &organization, &json!({"role": "admin"})).await;
    let of_jwt = session_of(&world.api, &token(&claims(&organization.id, "admin"))).await;
    let credentials = [session_of(&world.api, &portal).await, of_jwt, portal];
    for credential in &credentials {
        assert_eq!(status(&world, credential, &organization.path("")).await, 200);
    }
    world.api.delete(&organization.path("")).await.expect(204);
    for credential in &credentials {
        world.api.with(Some(credential)).get(&organization.path("")).await.problem(401);
    }
    world.advance_ms(1_000).await;
    world.api.post("/v1/organizations", &json!({"id": organization.id, "name": "Another"})).await.expect(201);
    for credential in &credentials {
        world.api.with(Some(credential)).get(&organization.path("")).await.problem(401);
    }
}

async fn one_character_more_less_or_other_lets_nobody_in(store: Store) {
    let world = world(store).await;
    let organization = world.organization("standard").await;
    let portal = portal_token(&world.api, &organization, &json!({"role": "viewer"})).await;
    let session = session_of(&world.api, &portal).await;
    let of_operator = session_of(&world.api, OPERATOR_KEY).await;
    let jwt = token(&claims(&organization.id, "viewer"));
    let mut forged = vec![
        portal.replacen("prt_", "ses_", 1),
        session.replacen("ses_", "prt_", 1),
        portal.replacen("prt_", "", 1),
        portal.replacen("prt_", "prk_", 1),
        format!("prt_{jwt}"),
        format!("ses_{jwt}"),
        // What one signature is for, under another one.
        format!("{}.{}", of_operator.split_once('.').unwrap().0, session.split_once('.').unwrap().1),
        format!("{}.", portal.split_once('.').unwrap().0),
    ];
    for whole in [&portal, &session, &of_operator] {
        for at in (0..whole.len()).step_by(7).chain([whole.len() - 1]) {
            let other = if whole.as_bytes()[at] == b'A' { "B" } else { "A" };
            forged.push(format!("{}{other}{}", &whole[..at], &whole[at + 1..]));
        }
        forged.push(whole[..whole.len() - 1].to_owned());
        forged.push(format!("{whole}A"));
    }
    for credential in &forged {
        let answer = world.api.with(Some(credential)).get(&organization.path("")).await;
        answer.problem(401);
        assert!(!answer.text().contains(&organization.id), "{credential}: {}", answer.text());
    }
    for credential in [&portal, &session, &of_operator] {
        assert_eq!(status(&world, credential, &organization.path("")).await, 200);
    }
}

async fn links_and_sessions_work_across_a_kill_and_are_in_no_log_and_not_stored(store: Store) {
    let world =
        World::with_on(store, |setup| setup.env("POSTRIDER_JWT_HS256_SECRET", SECRET).env("POSTRIDER_LOG", "trace"))
            .await;
    let organization = world.organization("standard").await;
    let portal = portal_token(&world.api, &organization, &json!({"role": "admin", "expires_in": "24h"})).await;
    let credentials = [session_of(&world.api, &portal).await, session_of(&world.api, OPERATOR_KEY).await, portal];
    let before = world.program.output();
    let world = world.killed_and_started().await;
    for credential in &credentials {
        assert_eq!(status(&world, credential, &organization.path("")).await, 200);
        let altered = format!("{credential}A");
        assert_eq!(status(&world, &altered, &organization.path("")).await, 401);
    }
    let output = format!("{before}{}", world.program.output());
    assert!(output.contains("/portal"), "where the dashboard is: {output}");
    // Standard error is no terminal here, so nobody is let in by what it says.
    for credential in ["prt_eyJ", "ses_eyJ"].into_iter().chain(credentials.iter().map(|one| &one[one.len() - 40..])) {
        assert!(!output.contains(credential), "{credential} in {output}");
    }
    if let Some(database) = &world.data.database {
        let dump = database.dump();
        for credential in &credentials {
            assert!(!dump.contains(&credential[credential.len() - 40..]), "a token is stored");
        }
    }
}

async fn an_operators_session_ends_when_the_operator_key_is_replaced(store: Store) {
    let world = world(store).await;
    let organization = world.organization("standard").await;
    let of_operator = session_of(&world.api, OPERATOR_KEY).await;
    let portal = portal_token(&world.api, &organization, &json!({"role": "viewer"})).await;
    let World { program, data, .. } = world;
    program.stop().await;
    let other = "another-operator-key-of-the-black-box-tests-51d0";
    let setup = data.setup.clone().env("POSTRIDER_OPERATOR_KEY", other);
    if data.database.is_some() {
        let replaced = setup.run(&["keys", "operator"]).await;
        assert_eq!(replaced.status, Some(0), "{replaced:?}");
    }
    let program = setup.start().await;
    let status =
        async |credential: &str| Api::new(program.address, Some(credential)).get(&organization.path("")).await.status;
    assert_eq!((status(other).await, status(OPERATOR_KEY).await), (200, 401));
    assert_eq!((status(&of_operator).await, status(&portal).await), (401, 200));
    let again = session_of(&Api::new(program.address, None), other).await;
    assert_eq!(status(&again).await, 200);
}

async fn frame_ancestors_and_notifications_are_kept_told_and_changed_by_those_who_may(store: Store) {
    let world = world(store).await;
    let organization = world.organization("standard").await;
    let path = organization.path("");
    assert_eq!(world.api.get(&path).await.expect(200)["frame_ancestors"], json!([]));
    let origins = json!(["https://crm.example", "http://127.0.0.1:3000"]);
    let wrong =
        json!({"frame_ancestors": ["https://crm.example", "https://a.example;script-src", "http://crm.example"]});
    assert_eq!(world.api.patch(&path, &wrong).await.pointers(422), ["/frame_ancestors/1", "/frame_ancestors/2"]);
    world
        .api
        .patch(&path, &json!({"frame_ancestors": ["https://CRM.example/", "http://127.0.0.1:3000"]}))
        .await
        .expect(200);
    let admin = portal_token(&world.api, &organization, &json!({"role": "admin"})).await;
    let viewer = portal_token(&world.api, &organization, &json!({"role": "viewer"})).await;
    let [admin, viewer] = [admin, viewer].map(|credential| world.api.with(Some(&credential)));
    let key = organization.with_scopes(&["endpoints:read", "endpoints:write"]).await;
    let notifications = organization.path("/notifications");
    let told = json!({"owner_email": "ana@acme.example", "locale": "pt-BR"});
    assert_eq!(admin.patch(&notifications, &told).await.expect(200), told);
    assert_eq!(
        admin.patch(&notifications, &json!({"locale": "es"})).await.expect(200)["owner_email"],
        "ana@acme.example"
    );
    assert_eq!(
        admin.patch(&notifications, &json!({"owner_email": "nobody", "plan": null})).await.pointers(422),
        ["/owner_email", "/plan"]
    );
    for api in [&viewer, &key] {
        assert_eq!(
            api.get(&notifications).await.expect(200),
            json!({"owner_email": "ana@acme.example", "locale": "es"})
        );
        api.patch(&notifications, &told).await.problem(403);
    }
    let trail = world.api.get(&organization.path("/audit?action=organization.changed")).await.expect(200);
    assert_eq!(trail["data"][1]["after"], told, "{trail}");
    assert_eq!(trail["data"][1]["actor"]["id"], "portal");
    assert_eq!(trail["data"][2]["after"], json!({"frame_ancestors": origins}));
    let world = world.killed_and_started().await;
    let found = world.api.get(&path).await.expect(200);
    assert_eq!((&found["frame_ancestors"], &found["locale"]), (&origins, &json!("es")));
    world.api.patch(&path, &json!({"frame_ancestors": null})).await.expect(200);
    assert_eq!(world.api.get(&path).await.expect(200)["frame_ancestors"], json!([]));
    world.api.put(&path, &json!({"name": "Put", "frame_ancestors": origins})).await.expect(200);
    assert_eq!(world.api.put(&path, &json!({"name": "Put"})).await.expect(200)["frame_ancestors"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_made_on_one_node_opens_every_other_and_ends_there_with_its_organisation() {
    let cluster = Cluster::start(2).await;
    let tenant = cluster.tenant(0).await;
    let (here, there) = (tenant.at(cluster.api(0)), tenant.at(cluster.api(1)));
    let portal = portal_token(&here.api, &here, &json!({"role": "admin"})).await;
    let session = session_of(&there.api, &portal).await;
    for credential in [&portal, &session] {
        for node in [&here, &there] {
            node.api.with(Some(credential)).get(&node.path("")).await.expect(200);
        }
    }
    here.api.delete(&here.path("")).await.expect(204);
    for credential in [&portal, &session] {
        for node in [&here, &there] {
            let call = Call::new("GET", &node.path(""));
            node.api.with(Some(credential)).call(call).await.problem(401);
        }
    }
}
