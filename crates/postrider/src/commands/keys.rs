//! `keys`: the operator key and the master key of a store, and organisation keys through a running server.

use std::process::ExitCode;

use anyhow::ensure;
use http::Method;
use postrider_domain::{Actor, AuditEntry, Scope, Secret};
use postrider_engine::{Clock, SystemClock};
use postrider_store::Store;
use serde_json::{Value, json};

use crate::cli::{KeysCommand, StoreArgs};
use crate::failure::{Misuse, all};
use crate::http::{Api, segment};
use crate::settings::{DatabaseSettings, Purpose, SettingFlags, Settings, Sources, StorePlace, Variables};
use crate::{operator_key, output, store};

pub(crate) async fn run(command: KeysCommand, variables: &Variables) -> anyhow::Result<ExitCode> {
    match command {
        KeysCommand::Operator { store, json } => replace_operator_key(&settings(&store, variables)?, json).await?,
        KeysCommand::RotateEncryption { store, json } => rotate_encryption(&settings(&store, variables)?, json).await?,
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

/// The settings of a store that is there.
fn settings(args: &StoreArgs, variables: &Variables) -> anyhow::Result<Settings> {
    let given = [("data", &args.data), ("database_url", &args.database_url)];
    let given: Vec<_> = given.iter().filter_map(|(name, text)| Some((*name, text.as_deref()?))).collect();
    let flags = SettingFlags::of(&given);
    let sources = Sources { config: args.config.as_deref(), variables, flags: &flags };
    let settings = sources.read(Purpose::Keys).settings.map_err(|mistakes| all(&mistakes))?;
    match &settings.store.place {
        StorePlace::Data(data) => {
            let shown = data.display();
            ensure!(data.is_dir(), Misuse::of(format!("there is no data directory {shown}; --data names it")));
        }
        StorePlace::Database(database) if database.is_password_seen => {
            eprintln!("postrider: {}", DatabaseSettings::PASSWORD_SEEN);
        }
        StorePlace::Database(_) => {}
    }
    Ok(settings)
}

async fn replace_operator_key(settings: &Settings, json: bool) -> anyhow::Result<()> {
    let key = match (&settings.store.place, &settings.operator_key) {
        (_, None) => None,
        (StorePlace::Database(_), Some(key)) => Some(key),
        (StorePlace::Data(_), Some(_)) => {
            return Err(Misuse::of(
                "the operator key is given by POSTRIDER_OPERATOR_KEY or the settings file, and that one counts; change it there",
            ));
        }
    };
    let store = store::open(&settings.store).await?;
    let replaced = match key {
        Some(key) => give_operator_key(store.as_ref(), key).await.map(Replaced::ByGiven),
        None => make_operator_key(store.as_ref()).await.map(Replaced::ByMade),
    };
    store.close().await?;
    let is_shared = matches!(settings.store.place, StorePlace::Database(_));
    replaced?.tell(is_shared, json)
}

/// What became of the operator key.
enum Replaced {
    /// Whether the key that was given is another than the one before.
    ByGiven(bool),
    ByMade(Secret),
}

async fn give_operator_key(store: &dyn Store, key: &Secret) -> anyhow::Result<bool> {
    let hash = operator_key::hash(key);
    let is_another = store.operator_key_hash().await? != Some(hash);
    if is_another {
        store.set_operator_key_hash(hash, &replaced()).await?;
    }
    Ok(is_another)
}

/// Whoever runs this works on the store itself.
fn replaced() -> AuditEntry {
    operator_key::replaced(Actor::Operator, SystemClock.now())
}

async fn make_operator_key(store: &dyn Store) -> anyhow::Result<Secret> {
    let key = operator_key::make()?;
    store.set_operator_key_hash(operator_key::hash(&key), &replaced()).await?;
    Ok(key)
}

impl Replaced {
    fn tell(&self, is_shared: bool, json: bool) -> anyhow::Result<()> {
        match self {
            Replaced::ByMade(key) => {
                let key = key.reveal();
                output::line(&if json { json!({"operator_key": key}).to_string() } else { key.to_owned() })?;
                let others = if is_shared {
                    "every node that runs takes it within 5 seconds, and the old one no more; give it to each for its next start"
                } else {
                    "the old one works no more"
                };
                eprintln!("postrider: this is the new operator key, shown here and never again; {others}");
            }
            Replaced::ByGiven(is_another) if json => output::line(&json!({"replaced": is_another}).to_string())?,
            Replaced::ByGiven(true) => output::line(
                "the operator key given is the operator key from now on; every node that runs takes it within 5 seconds, and the old one no more; give it to each for its next start",
            )?,
            Replaced::ByGiven(false) => output::line("the operator key given is the operator key already")?,
        }
        Ok(())
    }
}

async fn rotate_encryption(settings: &Settings, json: bool) -> anyhow::Result<()> {
    let key = store::master_keys(&settings.store)?.current.id();
    let store = store::open(&settings.store).await?;
    let rewrapped = store.rewrap().await;
    store.close().await?;
    let rewrapped = rewrapped?;
    if json {
        output::line(&json!({"rewrapped": rewrapped, "encryption_key": key}).to_string())?;
        return Ok(());
    }
    let told = match rewrapped {
        0 => format!("every data key is encrypted with the encryption key {key} already"),
        1 => format!("1 data key is now encrypted with the encryption key {key}"),
        _ => format!("{rewrapped} data keys are now encrypted with the encryption key {key}"),
    };
    output::line(&told)?;
    if !settings.store.keys_old.is_empty() {
        eprintln!(
            "postrider: encryption_keys_old may be taken away; keep the old keys for the backups that were made with them"
        );
    }
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
