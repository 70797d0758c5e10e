//! `keys`: the operator key of a stopped server, and organisation keys through a running one.

use std::process::ExitCode;

use anyhow::ensure;
use http::Method;
use postrider_domain::Scope;
use serde_json::{Value, json};

use crate::cli::KeysCommand;
use crate::failure::{Misuse, all};
use crate::http::{Api, segment};
use crate::settings::{SettingFlags, Sources, Variables};
use crate::{operator_key, output, serve};

pub(crate) async fn run(command: KeysCommand, variables: &Variables) -> anyhow::Result<ExitCode> {
    match command {
        KeysCommand::Operator { config, data, json } => {
            let given: Vec<_> = data.iter().map(|data| ("data", data.as_str())).collect();
            let flags = SettingFlags::of(&given);
            replace_operator_key(&Sources { config: config.as_deref(), variables, flags: &flags }, json).await?;
        }
        KeysCommand::Create { org, name, scopes, expires_at, json, server } => {
            let api = Api::from_args(&server, variables)?;
            let wanted = json!({"name": name, "scopes": known(&scopes)?, "expires_at": expires_at});
            create(&api, &org, wanted, json).await?;
        }
        KeysCommand::List { org, json, server } => list(&Api::from_args(&server, variables)?, &org, json).await?,
        KeysCommand::Delete { org, id, server } => {
            let api = Api::from_args(&server, variables)?;
            let path = format!("{}/{}", path(&org)?, segment("a key", &id)?);
            api.call(Method::DELETE, &path, None).await?;
            output::line(&format!("{id} deleted"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn replace_operator_key(sources: &Sources<'_>, json: bool) -> anyhow::Result<()> {
    let settings = sources.settings().map_err(|mistakes| all(&mistakes))?;
    ensure!(
        settings.operator_key.is_none(),
        Misuse::of(
            "the operator key is given by POSTRIDER_OPERATOR_KEY or the settings file, and that one counts; change it there"
        )
    );
    ensure!(
        settings.data.is_dir(),
        Misuse::of(format!("there is no data directory {}; --data names it", settings.data.display()))
    );
    let store = serve::open_store(&settings).await?;
    let key = operator_key::make()?;
    let kept = store.set_operator_key_hash(operator_key::hash(&key)).await;
    store.close().await?;
    kept?;
    let key = key.reveal();
    output::line(&if json { json!({"operator_key": key}).to_string() } else { key.to_owned() })?;
    eprintln!("postrider: this is the new operator key, shown here and never again; the old one works no more");
    Ok(())
}

fn path(org: &str) -> anyhow::Result<String> {
    Ok(format!("/v1/organizations/{}/keys", segment("an organisation", org)?))
}

fn known(scopes: &[String]) -> anyhow::Result<&[String]> {
    let unknown = scopes
        .iter()
        .find_map(|text| text.parse::<Scope>().err().map(|error| format!("{text:?} is no scope: {error}")));
    unknown.map_or(Ok(scopes), |wrong| Err(Misuse::of(wrong)))
}

async fn create(api: &Api, org: &str, mut wanted: Value, json: bool) -> anyhow::Result<()> {
    if let Some(fields) = wanted.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    let made = api.call(Method::POST, &path(org)?, Some(wanted.to_string())).await?;
    if json {
        output::line(&made.to_string())?;
    } else {
        output::line(made["key"].as_str().unwrap_or_default())?;
        let id = output::plain(made["id"].as_str().unwrap_or_default());
        eprintln!("postrider: this is the key {id}, shown here and never again");
    }
    Ok(())
}

/// The most pages that are listed: many more keys than an organisation has.
const PAGES_MAX: usize = 100;

async fn list(api: &Api, org: &str, json: bool) -> anyhow::Result<()> {
    let path = path(org)?;
    let mut keys = Vec::new();
    let mut cursor: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let query =
            cursor.as_ref().map_or_else(|| "limit=250".to_owned(), |cursor| format!("limit=250&cursor={cursor}"));
        let mut page = api.call(Method::GET, &format!("{path}?{query}"), None).await?;
        if let Value::Array(rows) = page["data"].take() {
            keys.extend(rows);
        }
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    if json {
        output::line(&Value::Array(keys).to_string())?;
    } else {
        output::write(&output::columns(
            &["ID", "NAME", "SCOPES", "CREATED", "EXPIRES"],
            &keys.iter().map(row).collect::<Vec<_>>(),
        ))?;
    }
    Ok(())
}

fn row(key: &Value) -> Vec<String> {
    let text = |name: &str| output::plain(key[name].as_str().unwrap_or("-"));
    let scopes: Vec<_> = key["scopes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    vec![text("id"), text("name"), output::plain(&scopes.join(" ")), text("created_at"), text("expires_at")]
}
