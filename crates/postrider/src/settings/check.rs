//! The check: raw settings become final ones, or a list of every mistake.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use postrider_domain::{OrganizationId, Secret};
use postrider_egress::EgressProxy;
use postrider_server::TokenKey;

use super::database_url::{self, DatabaseUrl};
use super::paths::KEY_FILE;
use super::raw::{Mistake, Origin, Raw};
use super::values::{
    SmtpUrl, Wrong, address_or_cidr, cidr, claim, encryption_key, lease, log_filter, log_format, mail_from,
    name_server, node_name, operator_key, organization, otlp_endpoint, otlp_header, path, proxy, public_url, ratio,
    retention, smtp_url, socket_address, token_secret, truth,
};
use super::{Purpose, table};

/// What to tell whoever gave a password as a flag: by which variable it is not seen.
macro_rules! password_seen {
    ($variable:literal) => {
        concat!(
            "--database-url holds a password, which other users of this machine can read in the list of its processes; give it as ",
            $variable,
            " or in the settings file"
        )
    };
}

/// Settings as the program uses them.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    pub(crate) public_url: Option<String>,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) operator_key: Option<Secret>,
    pub(crate) tokens: TokenSettings,
    /// None when no operational events are made.
    pub(crate) operational_organization: Option<OrganizationId>,
    pub(crate) store: StoreSettings,
    /// None for the host's name and the process's id.
    pub(crate) node_name: Option<String>,
    pub(crate) lease: Duration,
    pub(crate) retention: Duration,
    pub(crate) audit_retention: Duration,
    pub(crate) egress: EgressSettings,
    /// None when nobody is told by e-mail.
    pub(crate) mail: Option<MailSettings>,
    /// None when nothing is traced.
    pub(crate) traces: Option<TraceSettings>,
    /// None when events come from the API alone.
    pub(crate) source: Option<SourceSettings>,
    pub(crate) limits: LimitSettings,
    pub(crate) log: LogSettings,
    /// What is looser than by default: setting, value, consequence.
    pub(crate) loosened: Vec<(&'static str, String, &'static str)>,
}

/// Which tokens are accepted, apart from the keys in files.
#[derive(Debug)]
pub(crate) struct TokenSettings {
    pub(crate) secret: Option<TokenKey>,
    pub(crate) issuer: Option<String>,
    pub(crate) audience: Option<String>,
}

/// The store, and the master keys that it is opened with.
#[derive(Debug)]
pub(crate) struct StoreSettings {
    pub(crate) place: StorePlace,
    pub(crate) key: EncryptionKey,
    /// In base64.
    pub(crate) keys_old: Vec<Secret>,
}

/// Where the store is.
#[derive(Debug)]
pub(crate) enum StorePlace {
    /// In this directory of this machine.
    Data(PathBuf),
    /// In Postgres, which other nodes may share.
    Database(DatabaseSettings),
}

/// The Postgres database.
#[derive(Debug)]
pub(crate) struct DatabaseSettings {
    pub(crate) url: DatabaseUrl,
    /// Its password was given as a flag.
    pub(crate) is_password_seen: bool,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) connections_max: usize,
}

impl DatabaseSettings {
    /// What to tell whoever gave a password as a flag.
    pub(crate) const PASSWORD_SEEN: &str = password_seen!("POSTRIDER_DATABASE_URL");
}

/// Where the master key is.
#[derive(Debug)]
pub(crate) enum EncryptionKey {
    /// In this file, which is made at the first start where the store is a directory.
    File(PathBuf),
    /// Here, in base64.
    Given(Secret),
}

/// Where deliveries may go, and how.
#[derive(Debug)]
pub(crate) struct EgressSettings {
    pub(crate) allow_http: bool,
    pub(crate) allow_cidrs: Vec<IpNet>,
    pub(crate) allow_nat64: bool,
    pub(crate) proxy: EgressProxy,
    pub(crate) name_servers: Vec<SocketAddr>,
    pub(crate) addresses: Vec<String>,
}

/// Where mail goes. The file of its certificate authorities is in the paths.
#[derive(Debug)]
pub(crate) struct MailSettings {
    pub(crate) url: SmtpUrl,
    /// Whom mail is from.
    pub(crate) from: String,
    pub(crate) allow_plain: bool,
}

/// Where traces go.
#[derive(Debug)]
pub(crate) struct TraceSettings {
    /// With the path of traces.
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, Secret)>,
    /// From 0 to 1.
    pub(crate) sampling_ratio: f64,
}

/// The CRM's database that events come from. The mapping and the file of certificate authorities are in the paths.
#[derive(Debug)]
pub(crate) struct SourceSettings {
    pub(crate) url: DatabaseUrl,
    /// Its password was given as a flag.
    pub(crate) is_password_seen: bool,
}

impl SourceSettings {
    /// What to tell whoever gave a password as a flag.
    pub(crate) const PASSWORD_SEEN: &str = password_seen!("POSTRIDER_SOURCE_DATABASE_URL");
}

/// How much at once.
#[derive(Debug)]
pub(crate) struct LimitSettings {
    pub(crate) payload_bytes_max: usize,
    pub(crate) lane_slots_max: usize,
    pub(crate) attempts_prompt_max: usize,
    pub(crate) attempts_other_max: usize,
    pub(crate) held_bytes_max: usize,
}

/// What is logged, and how.
#[derive(Clone, Debug)]
pub(crate) struct LogSettings {
    pub(crate) filter: String,
    pub(crate) format: LogFormat,
}

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

pub(crate) fn check(raw: Raw, purpose: Purpose) -> Result<Settings, Vec<Mistake>> {
    let mut reader = Reader { raw, purpose };
    match (read(&mut reader), reader.raw.mistakes) {
        (Some(settings), mistakes) if mistakes.is_empty() => Ok(settings),
        (_, mistakes) => Err(mistakes),
    }
}

/// What a command needs of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SourceNeeds {
    /// Its mapping, and so its database.
    Mapping,
    /// Its database alone.
    Database,
}

/// A source's settings alone, of a command that must have them.
pub(super) fn check_source(raw: Raw, needs: SourceNeeds) -> Result<SourceSettings, Vec<Mistake>> {
    let earlier = raw.mistakes.len();
    let mut reader = Reader { raw, purpose: Purpose::Serve };
    let source = match needs {
        SourceNeeds::Mapping => reader.source(),
        SourceNeeds::Database => reader.source_database(),
    };
    if let Some(None) = source {
        match needs {
            SourceNeeds::Mapping => {
                reader.missing("source", "the command needs the mapping of a source", "name its file with --mapping");
            }
            SourceNeeds::Database => {
                let remedy = "set POSTRIDER_SOURCE_DATABASE_URL to the address of the CRM's Postgres";
                reader.missing("source_database_url", "the command needs a database", remedy);
            }
        }
    }
    match source.flatten() {
        Some(source) => Ok(source),
        None => Err(reader.raw.mistakes.split_off(earlier)),
    }
}

/// None only when a mistake was noted, be it that the file of settings cannot be read; every value is read before the first is used, so that all mistakes are.
fn read(reader: &mut Reader) -> Option<Settings> {
    let listen = reader.one("listen", socket_address);
    let public_url = reader.optional("public_url", public_url);
    let trusted_proxies = reader.list("trusted_proxies", cidr);
    let operator_key = reader.operator_key();
    let tokens = reader.tokens();
    let operational_organization = reader.optional("operational_organization", organization);
    // What these name is in the paths.
    reader.list("jwt_public_key_file", path);
    reader.list("jwks_file", path);
    reader.list("contracts", path);
    reader.list("extra_ca", path);
    let store = reader.store();
    let node_name = reader.optional("node_name", node_name);
    let lease = reader.one("lease", lease);
    let kept = reader.one("retention", retention);
    let audit_kept = reader.one("audit_retention", retention);
    let egress = reader.egress();
    let mail = reader.mail();
    let traces = reader.traces();
    let source = reader.source();
    let limits = reader.limits();
    let log = reader.log();
    Some(Settings {
        listen: listen?,
        public_url: public_url?,
        trusted_proxies: trusted_proxies?,
        operator_key: operator_key?,
        tokens: tokens?,
        operational_organization: operational_organization?,
        store: store?,
        node_name: node_name?,
        lease: lease?,
        retention: kept?,
        audit_retention: audit_kept?,
        egress: egress?,
        mail: mail?,
        traces: traces?,
        source: source?,
        limits: limits?,
        log: log?,
        loosened: reader.loosened(),
    })
}

/// Reads values one by one and notes what is wrong.
struct Reader {
    raw: Raw,
    purpose: Purpose,
}

impl Reader {
    fn list<T>(&mut self, name: &'static str, parse: impl Fn(&str) -> Result<T, Wrong>) -> Option<Vec<T>> {
        let Some(given) = self.raw.get(name).cloned() else { return Some(Vec::new()) };
        let mut values = Vec::with_capacity(given.texts.len());
        for text in &given.texts {
            match parse(text) {
                Ok(value) => values.push(value),
                Err(wrong) => self.raw.mistake(name, &given.origin, wrong),
            }
        }
        (values.len() == given.texts.len()).then_some(values)
    }

    /// The outer option says whether it was right, the inner one whether it was given.
    fn optional<T>(&mut self, name: &'static str, parse: impl Fn(&str) -> Result<T, Wrong>) -> Option<Option<T>> {
        self.list(name, parse).map(|values| values.into_iter().next())
    }

    /// For settings that have a default.
    fn one<T>(&mut self, name: &'static str, parse: impl Fn(&str) -> Result<T, Wrong>) -> Option<T> {
        self.optional(name, parse).flatten()
    }

    fn count(&mut self, name: &'static str, allowed: std::ops::RangeInclusive<usize>) -> Option<usize> {
        self.one(name, |text| {
            let number = text.replace('_', "").parse().ok().filter(|number| allowed.contains(number));
            number
                .ok_or_else(|| format!("{text:?} must be a whole number from {} to {}", allowed.start(), allowed.end()))
        })
    }

    /// Many nodes share a database's operator key, so none of them makes it.
    fn operator_key(&mut self) -> Option<Option<Secret>> {
        let key = self.optional("operator_key", operator_key)?;
        if key.is_none() && self.purpose == Purpose::Serve && self.has_database() {
            let remedy = "set POSTRIDER_OPERATOR_KEY; make a key with: openssl rand -hex 32";
            self.not_given("operator_key", remedy);
            return None;
        }
        Some(key)
    }

    fn tokens(&mut self) -> Option<TokenSettings> {
        let secret = self.optional("jwt_hs256_secret", token_secret);
        let issuer = self.optional("jwt_issuer", claim);
        let audience = self.optional("jwt_audience", claim);
        Some(TokenSettings { secret: secret?, issuer: issuer?, audience: audience? })
    }

    fn has_database(&self) -> bool {
        self.raw.get("database_url").is_some()
    }

    /// Notes that a node of a cluster is not told what all of them must know. What a file that cannot be read says is not known.
    fn not_given(&mut self, name: &str, remedy: &str) {
        self.missing(name, "with a database_url it must be given, the same to every node", remedy);
    }

    fn missing(&mut self, name: &str, why: &str, remedy: &str) {
        if !self.raw.is_file_unread {
            self.raw.mistakes.push(Mistake(format!("{name} (not set): {why}; {remedy}")));
        }
    }

    fn store(&mut self) -> Option<StoreSettings> {
        let data = self.one("data", path);
        let database = self.database();
        let key = self.encryption_key(data.as_ref());
        let keys_old = self.list("encryption_keys_old", encryption_key);
        let place = match (data, database?) {
            (_, Some(database)) => StorePlace::Database(database),
            (data, None) => StorePlace::Data(data?),
        };
        Some(StoreSettings { place, key: key?, keys_old: keys_old? })
    }

    fn database(&mut self) -> Option<Option<DatabaseSettings>> {
        let url = self.optional("database_url", database_url::read);
        let ca_file = self.optional("database_ca_file", path);
        let connections_max = self.count("database_connections_max", 8..=1_000);
        let is_data_given = self.raw.get("data").map(|given| given.origin.clone()).filter(|at| *at != Origin::Default);
        if let Some(origin) = is_data_given.filter(|_| self.has_database()) {
            self.raw.mistake("data", &origin, "database_url is set too; keep one of the two");
            return None;
        }
        let Some(url) = url? else { return Some(None) };
        let is_flag = matches!(self.raw.get("database_url")?.origin, Origin::Flag(_));
        let is_password_seen = is_flag && url.has_password;
        let (ca_file, connections_max) = (ca_file?, connections_max?);
        Some(Some(DatabaseSettings { url, is_password_seen, ca_file, connections_max }))
    }

    fn encryption_key(&mut self, data: Option<&PathBuf>) -> Option<EncryptionKey> {
        let given = self.optional("encryption_key", encryption_key);
        let file = self.optional("encryption_key_file", path);
        match (given?, file?) {
            (Some(key), None) => Some(EncryptionKey::Given(key)),
            (None, Some(file)) => Some(EncryptionKey::File(file)),
            (None, None) if self.has_database() => {
                let remedy = "set POSTRIDER_ENCRYPTION_KEY, or name a file with encryption_key_file; make a key with: openssl rand -base64 32";
                self.not_given("encryption_key", remedy);
                None
            }
            (None, None) => data.map(|data| EncryptionKey::File(data.join(KEY_FILE))),
            (Some(_), Some(_)) => {
                let origin = self.raw.get("encryption_key")?.origin.clone();
                self.raw.mistake("encryption_key", &origin, "encryption_key_file is set too; keep one of the two");
                None
            }
        }
    }

    fn egress(&mut self) -> Option<EgressSettings> {
        let allow_http = self.one("allow_http", truth);
        let allow_cidrs = self.list("allow_cidrs", cidr);
        let allow_nat64 = self.one("allow_nat64", truth);
        let proxy = self.optional("egress_proxy", proxy);
        let name_servers = self.list("name_servers", name_server);
        let addresses = self.list("egress_addresses", address_or_cidr);
        Some(EgressSettings {
            allow_http: allow_http?,
            allow_cidrs: allow_cidrs?,
            allow_nat64: allow_nat64?,
            proxy: proxy?.unwrap_or_default(),
            name_servers: name_servers?,
            addresses: addresses?,
        })
    }

    fn mail(&mut self) -> Option<Option<MailSettings>> {
        let url = self.optional("smtp_url", smtp_url);
        let from = self.optional("mail_from", mail_from);
        let allow_plain = self.one("smtp_allow_plain", truth);
        self.optional("smtp_ca_file", path)?;
        let Some(url) = url? else { return Some(None) };
        let Some(from) = from? else {
            self.not_given(
                "mail_from",
                "smtp_url needs it: write the address that mail is from, as webhooks@example.com",
            );
            return None;
        };
        Some(Some(MailSettings { url, from, allow_plain: allow_plain? }))
    }

    fn traces(&mut self) -> Option<Option<TraceSettings>> {
        let url = self.optional("otlp_endpoint", otlp_endpoint);
        let headers = self.list("otlp_headers", otlp_header);
        let sampling_ratio = self.one("otlp_sampling_ratio", ratio);
        let (url, headers, sampling_ratio) = (url?, headers?, sampling_ratio?);
        Some(url.map(|url| TraceSettings { url, headers, sampling_ratio }))
    }

    fn source(&mut self) -> Option<Option<SourceSettings>> {
        let mapping = self.optional("source", path);
        let database = self.source_database();
        match (mapping?, database?) {
            (Some(_), Some(database)) => Some(Some(database)),
            (Some(_), None) if self.purpose == Purpose::Serve => {
                let remedy = "set POSTRIDER_SOURCE_DATABASE_URL to the address of the CRM's Postgres";
                self.missing("source_database_url", "source needs it", remedy);
                None
            }
            // The commands of `postrider source` need the address, and name the mapping themselves.
            _ => Some(None),
        }
    }

    fn source_database(&mut self) -> Option<Option<SourceSettings>> {
        let url = self.optional("source_database_url", database_url::read);
        self.optional("source_database_ca_file", path)?;
        let Some(url) = url? else { return Some(None) };
        let is_flag = matches!(self.raw.get("source_database_url")?.origin, Origin::Flag(_));
        let is_password_seen = is_flag && url.has_password;
        Some(Some(SourceSettings { url, is_password_seen }))
    }

    fn limits(&mut self) -> Option<LimitSettings> {
        let payload_bytes_max = self.count("payload_bytes_max", 1_024..=8 * 1024 * 1024);
        let lane_slots_max = self.count("lane_slots_max", 1..=1_024);
        let attempts_prompt_max = self.count("attempts_prompt_max", 1..=65_536);
        let attempts_other_max = self.count("attempts_other_max", 1..=65_536);
        let held_bytes_max = self.count("held_bytes_max", 1024 * 1024..=64 * 1024 * 1024 * 1024);
        Some(LimitSettings {
            payload_bytes_max: payload_bytes_max?,
            lane_slots_max: lane_slots_max?,
            attempts_prompt_max: attempts_prompt_max?,
            attempts_other_max: attempts_other_max?,
            held_bytes_max: held_bytes_max?,
        })
    }

    fn log(&mut self) -> Option<LogSettings> {
        let filter = self.one("log", log_filter);
        let format = self.one("log_format", log_format);
        Some(LogSettings { filter: filter?, format: format? })
    }

    fn loosened(&self) -> Vec<(&'static str, String, &'static str)> {
        let looser = |setting: &'static table::Setting| {
            let value = self.raw.get(setting.name)?.texts.join(",");
            (Some(value.as_str()) != setting.default).then_some((setting.name, value, setting.loosens?))
        };
        table::all().filter_map(looser).collect()
    }
}
