//! A few receivers that misbehave, seen through the whole program; `postrider-egress` tests all of them.

use std::path::Path;

use data_encoding::BASE64;
use postrider_tests::receiver::Reply;
use postrider_tests::world::{Organization, World, items};
use serde_json::{Value, json};

/// How a delivery went after one attempt that was answered like this.
async fn answered(world: &World, organization: &Organization, reply: Reply) -> (Value, Value) {
    world.receiver.script("/in", [reply]);
    let event = organization.publish(&json!({"type": "deal.won", "data": {}})).await;
    let delivery = organization.attempted(&organization.delivery_of(&event).await, 1).await;
    let attempt = items(&delivery["attempts"])[0].clone();
    (delivery, attempt)
}

async fn world() -> (World, Organization) {
    let world = World::start().await;
    let organization = world.organization("standard").await;
    organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    (world, organization)
}

fn raw(text: &str) -> Reply {
    Reply::Raw(text.as_bytes().to_vec())
}

/// Document 000: "Duplicates can occur when your endpoint takes too long to respond and SalesSheet.ai retries the delivery. Each payload includes a unique
/// delivery_id field". Its contract, with less patience.
#[tokio::test]
async fn what_a_receiver_took_too_long_for_comes_again_under_the_same_id() {
    let folder = tempfile::tempdir().unwrap();
    let known = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contracts/salessheet.toml");
    let known = std::fs::read_to_string(known).unwrap();
    let own = known.replace("name = \"salessheet\"", "name = \"impatient\"").replace("\"10s\"", "\"1s\"");
    std::fs::write(folder.path().join("impatient.toml"), own).unwrap();
    let contracts = folder.path().to_string_lossy().into_owned();
    let world = World::with(|setup| setup.env("POSTRIDER_CONTRACTS", &contracts)).await;
    let organization = world.organization("impatient").await;
    organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    let (_, attempt) = answered(&world, &organization, Reply::Hang).await;
    assert_eq!(attempt["error"]["kind"], "timeout", "{attempt}");
    world.advance_ms(60_000).await;
    let arrived = world.receiver.wait_for("/in", 2).await;
    assert!(arrived[0].json()["delivery_id"].is_string());
    assert_eq!(arrived[0].text(), arrived[1].text(), "the same id, and all the rest");
}

#[tokio::test]
async fn a_body_without_end_is_cut_off_and_the_status_line_decides() {
    let (world, organization) = world().await;
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n".to_vec();
    let (delivery, attempt) = answered(&world, &organization, Reply::Endless(head, vec![b'x'; 4096])).await;
    assert_eq!(delivery["status"], "succeeded");
    let kept = attempt["response_body"].as_str().unwrap();
    assert!(!kept.is_empty() && kept.len() <= 64 * 1024, "{} bytes kept", kept.len());
}

#[tokio::test]
async fn what_is_no_http_answer_fails_as_a_bad_response() {
    let (world, organization) = world().await;
    let many: String = (0..5_000).map(|number| format!("x-{number}: y\r\n")).collect();
    let cases = [
        raw("SSH-2.0-OpenSSH_9.2\r\n\r\n"),
        raw("\0\0\0\0\0\0"),
        raw("HTTP/9.9 200 OK\r\n\r\n"),
        raw(&format!("HTTP/1.1 200 OK\r\n{many}content-length: 0\r\n\r\n")),
        raw(&format!("HTTP/1.1 200 OK\r\nx-long: {}\r\ncontent-length: 0\r\n\r\n", "y".repeat(10 << 20))),
        raw("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello"),
    ];
    for reply in cases {
        let shown = format!("{reply:?}").chars().take(80).collect::<String>();
        let (delivery, attempt) = answered(&world, &organization, reply).await;
        assert_eq!(delivery["status"], "pending", "{shown}");
        assert_eq!(attempt["error"]["kind"], "bad_response", "{shown}: {attempt}");
        for field in ["message", "advice"] {
            assert!(attempt["error"][field].as_str().is_some_and(|text| !text.is_empty()), "{shown}: {attempt}");
        }
    }
}

#[tokio::test]
async fn a_connection_that_ends_without_an_answer_fails_and_is_tried_again_later() {
    let (world, organization) = world().await;
    let (delivery, attempt) = answered(&world, &organization, raw("")).await;
    assert_eq!(delivery["status"], "pending");
    assert_eq!(attempt["error"]["kind"], "connection_closed", "{attempt}");
    assert_eq!(attempt["status_code"], Value::Null);
    assert_eq!(world.receiver.count(), 1, "a fresh connection that dies is not tried again at once");
}

#[tokio::test]
async fn bytes_that_are_no_text_are_shown_as_text_and_kept_as_bytes() {
    let (world, organization) = world().await;
    let body = b"a\0b\xff\xfe<script>\x1b[31m\xe2\x80\xaeend".to_vec();
    let (delivery, attempt) = answered(&world, &organization, Reply::Status(500, vec![], body.clone())).await;
    assert_eq!(delivery["status"], "pending");
    let shown = attempt["response_body"].as_str().unwrap();
    assert!(shown.contains('\u{fffd}') && shown.contains("<script>"), "{shown:?}");
    assert_eq!(BASE64.decode(attempt["response_body_base64"].as_str().unwrap().as_bytes()).unwrap(), body);

    let (_, attempt) = answered(&world, &organization, Reply::Status(500, vec![], b"plain".to_vec())).await;
    assert_eq!(attempt["response_body"], "plain");
    assert_eq!(attempt.get("response_body_base64"), None, "only where it says more than the text");
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_its_place_is_shown() {
    let (world, organization) = world().await;
    let place = world.receiver.url("/elsewhere");
    for code in [301, 302, 303, 307, 308] {
        let (delivery, attempt) = answered(&world, &organization, Reply::with_header(code, "location", &place)).await;
        assert_eq!(delivery["status"], "pending", "{code}");
        assert_eq!(attempt["status_code"], code);
        assert!(attempt["response_headers"].to_string().contains(&place), "{attempt}");
        assert!(attempt["error"]["advice"].as_str().is_some_and(|text| !text.is_empty()), "{attempt}");
    }
    assert_eq!(world.receiver.count_at("/elsewhere"), 0);
}

#[tokio::test]
async fn the_status_decides_whatever_the_rest_looks_like() {
    let (world, organization) = world().await;
    let cases = [
        (Reply::status(204), "succeeded"),
        (Reply::Status(200, vec![], b"<html>Please log in</html>".to_vec()), "succeeded"),
        (raw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this"), "succeeded"),
        (raw("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nnope"), "succeeded"),
        (Reply::status(999), "pending"),
        (Reply::status(404), "pending"),
    ];
    for (reply, status) in cases {
        let shown = format!("{reply:?}");
        let (delivery, _) = answered(&world, &organization, reply).await;
        assert_eq!(delivery["status"], status, "{shown}");
    }
}
