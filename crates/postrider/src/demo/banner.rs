//! What the demo says first: where to look, what it allows itself, and three commands to try.

use std::fmt::Write as _;
use std::net::SocketAddr;

use postrider_domain::Secret;
use serde_json::json;

use super::Folder;
use super::console::{Colour, Terminal};
use super::crm::Crm;
use super::stage::{OWN_PATH, Stage};

/// What there is to say.
pub(super) struct Facts<'a> {
    pub(super) api: SocketAddr,
    pub(super) receiver: SocketAddr,
    pub(super) key: &'a Secret,
    pub(super) stage: &'a Stage,
    pub(super) folder: &'a Folder,
    pub(super) crm: Option<&'a Crm>,
}

pub(super) fn text(facts: &Facts<'_>, terminal: Terminal) -> String {
    let strong = |text: &str| terminal.paint(Colour::Strong, text);
    let dim = |text: &str| terminal.paint(Colour::Dim, text);
    let Facts { api, receiver, key, stage, folder, .. } = facts;
    let data = if folder.is_kept() { "kept" } else { "removed when the demo ends" };
    let contracts: Vec<_> = stage.organizations.iter().map(|sample| sample.contract.name()).collect();
    let rows = [
        ("Dashboard", strong(stage.dashboard.reveal()), "the sample organisation's, for a day; open it in a browser"),
        (
            "Operator",
            strong(&format!("http://{api}/sign-in")),
            "all organisations; sign in with the operator key below",
        ),
        (
            "Arrivals",
            strong(&format!("http://{receiver}/")),
            "every webhook that the local receiver gets, live; open it in a browser",
        ),
        ("API", strong(&format!("http://{api}")), ""),
        ("Reference", strong(&format!("http://{api}/docs")), "the API's documentation"),
        ("Operator key", key.reveal().to_owned(), "this demo's alone"),
        ("Contracts", contracts.join(", "), "one sample organisation each"),
        ("Data", folder.path().display().to_string(), data),
    ];
    let crm = facts.crm.map(|crm| {
        let url = strong(crm.own_url().reveal());
        ("CRM", url, "its Postgres, this demo's alone; each change that is committed there becomes events")
    });
    let mut text = format!("\n{}\n\n", strong("Postrider demo"));
    for (name, value, note) in rows.iter().chain(&crm) {
        let note = if note.is_empty() { String::new() } else { dim(&format!("  ({note})")) };
        // Writing into a text cannot fail.
        let _ = writeln!(text, "  {name:<13} {value}{note}");
    }
    text.push_str("\nFor this demo alone, deliveries may use http:// and go to loopback addresses; a server refuses both unless its settings say otherwise.\n");
    let _ = write!(text, "\n{}\n\n", strong("Try it, in another terminal"));
    for (what, command) in commands(facts) {
        let _ = write!(text, "{}\n{command}\n\n", dim(&format!("# {what}")));
    }
    let _ = write!(text, "{}\n\n", strong("What happens (Ctrl-C ends it)"));
    text
}

/// What to do, and how.
fn commands(facts: &Facts<'_>) -> Vec<(&'static str, String)> {
    let own = &facts.stage.own;
    let curl = |rest: &str| {
        let base = format!("http://{}/v1/organizations/{}{rest}", facts.api, own.organization);
        format!("curl -sS '{base}' -H 'Authorization: Bearer {}'", facts.key.reveal())
    };
    let url = format!("http://{}{OWN_PATH}", facts.receiver);
    let mut endpoint = json!({"name": "My endpoint", "url": url, "events": ["*"]});
    if let Some(secret) = &own.secret {
        endpoint["secret"] = secret.reveal().into();
    }
    let event = json!({"type": own.event_type, "data": {"id": "42", "name": "Ada"}});
    let post = |path: &str, body: &serde_json::Value| {
        format!("{} \\\n  -H 'Content-Type: application/json' -d '{}'", curl(path), quoted(&body.to_string()))
    };
    let change = facts.crm.map(|crm| {
        let statement = "UPDATE deals SET stage = 'won', amount = amount + 100 WHERE id = (SELECT max(id) FROM deals)";
        ("a change of your own in the CRM's database", format!("psql '{}' -c \"{statement}\"", crm.own_url().reveal()))
    });
    let by_api = [
        ("an endpoint of your own, at the receiver above", post("/endpoints", &endpoint)),
        ("an event of your own, to it and to the others of that organisation", post("/events", &event)),
        ("what became of it: the newest deliveries", curl("/deliveries?limit=3")),
    ];
    change.into_iter().chain(by_api).collect()
}

/// Text between the single quotes of a shell.
fn quoted(text: &str) -> String {
    text.replace('\'', r"'\''")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_quote_does_not_end_the_shells_quotes() {
        assert_eq!(super::quoted("it's"), r"it'\''s");
    }
}
