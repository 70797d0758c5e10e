//! The check: raw settings become final ones, or a list of every mistake.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use postrider_domain::Secret;
use postrider_egress::{EgressProxy, ProxyAuth};

use super::paths::KEY_FILE;
use super::raw::{Mistake, Raw};
use super::table;

/// Settings as the program uses them.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    pub(crate) public_url: Option<String>,
    pub(crate) operator_key: Option<Secret>,
    pub(crate) data: PathBuf,
    pub(crate) encryption_key: EncryptionKey,
    pub(crate) retention: Duration,
    pub(crate) egress: EgressSettings,
    pub(crate) limits: LimitSettings,
    pub(crate) log: LogSettings,
    /// What is looser than by default: setting, value, consequence.
    pub(crate) loosened: Vec<(&'static str, String, &'static str)>,
}

/// Where the master key is.
#[derive(Debug)]
pub(crate) enum EncryptionKey {
    /// In this file, which is made at the first start.
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

/// The fewest and most characters of an operator key.
const OPERATOR_KEY_CHARS: std::ops::RangeInclusive<usize> = 16..=256;
/// The shortest and longest retention.
const RETENTION: std::ops::RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(3_650 * 86_400);

/// What is wrong with a value, and what to do.
type Wrong = String;

pub(crate) fn check(raw: Raw) -> Result<Settings, Vec<Mistake>> {
    let mut reader = Reader { raw };
    match (read(&mut reader), reader.raw.mistakes) {
        (Some(settings), mistakes) if mistakes.is_empty() => Ok(settings),
        (_, mistakes) => Err(mistakes),
    }
}

/// None only when a mistake was noted, be it that the file of settings cannot be read; every value is read before the first is used, so that all mistakes are.
fn read(reader: &mut Reader) -> Option<Settings> {
    let listen = reader.one("listen", socket_address);
    let public_url = reader.optional("public_url", public_url);
    let operator_key = reader.optional("operator_key", operator_key);
    let data = reader.one("data", path);
    // What these name is in the paths.
    reader.list("contracts", path);
    reader.list("extra_ca", path);
    let encryption_key = reader.encryption_key(data.as_ref());
    let retention = reader.one("retention", retention);
    let egress = reader.egress();
    let limits = reader.limits();
    let log = reader.log();
    Some(Settings {
        listen: listen?,
        public_url: public_url?,
        operator_key: operator_key?,
        data: data?,
        encryption_key: encryption_key?,
        retention: retention?,
        egress: egress?,
        limits: limits?,
        log: log?,
        loosened: reader.loosened(),
    })
}

/// Reads values one by one and notes what is wrong.
struct Reader {
    raw: Raw,
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

    fn encryption_key(&mut self, data: Option<&PathBuf>) -> Option<EncryptionKey> {
        let given = self.optional("encryption_key", encryption_key);
        let file = self.optional("encryption_key_file", path);
        match (given?, file?) {
            (Some(key), None) => Some(EncryptionKey::Given(key)),
            (None, Some(file)) => Some(EncryptionKey::File(file)),
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

fn path(text: &str) -> Result<PathBuf, Wrong> {
    if text.trim().is_empty() {
        return Err("is empty; name a path or remove it".to_owned());
    }
    Ok(PathBuf::from(text))
}

fn truth(text: &str) -> Result<bool, Wrong> {
    text.parse().map_err(|_| format!("{text:?} is neither true nor false; write one of them"))
}

fn socket_address(text: &str) -> Result<SocketAddr, Wrong> {
    let wrong =
        || format!("{text:?} is no address with a port; write one as 127.0.0.1:8400, 0.0.0.0:8400 or [::1]:8400");
    text.parse().map_err(|_| wrong())
}

fn name_server(text: &str) -> Result<SocketAddr, Wrong> {
    let of_ip = |ip: IpAddr| SocketAddr::new(ip, 53);
    let wrong = || format!("{text:?} is no address of a name server; write one as 10.0.0.2 or 10.0.0.2:53");
    text.parse().or_else(|_| text.parse().map(of_ip)).map_err(|_| wrong())
}

fn cidr(text: &str) -> Result<IpNet, Wrong> {
    let wrong = || format!("{text:?} is no address range; write one as 10.0.0.0/8 or fd00::/8, or a single address");
    let range: IpNet = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| wrong())?;
    if range.trunc() != range {
        return Err(format!("{text:?} has bits set beyond its prefix; write {}", range.trunc()));
    }
    Ok(range)
}

fn address_or_cidr(text: &str) -> Result<String, Wrong> {
    let wrong = || format!("{text:?} is neither an address nor a range; write one as 203.0.113.10 or 203.0.113.0/28");
    text.parse::<IpAddr>().map(|_| ()).or_else(|_| text.parse::<IpNet>().map(|_| ())).map_err(|_| wrong())?;
    Ok(text.to_owned())
}

fn public_url(text: &str) -> Result<String, Wrong> {
    let advice = "write one as https://webhooks.example.com, without user, query or fragment";
    let url = url::Url::parse(text).map_err(|error| format!("{text:?} is no URL ({error}); {advice}"))?;
    let is_plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() || !is_plain {
        return Err(format!("{text:?} is no URL of a server; {advice}"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn operator_key(text: &str) -> Result<Secret, Wrong> {
    let (min, max) = (OPERATOR_KEY_CHARS.start(), OPERATOR_KEY_CHARS.end());
    if !OPERATOR_KEY_CHARS.contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(format!(
            "a key has {min} to {max} letters, digits or signs and no space; make one with: openssl rand -hex 32"
        ));
    }
    Ok(Secret::new(text.to_owned()))
}

fn encryption_key(text: &str) -> Result<Secret, Wrong> {
    postrider_store::MasterKey::from_base64(text).map_err(|error| error.to_string())?;
    Ok(Secret::new(text.to_owned()))
}

/// Reads a number and a unit, as `30d`.
fn retention(text: &str) -> Result<Duration, Wrong> {
    let seconds = [('d', 86_400), ('h', 3_600), ('m', 60)];
    let unit = |(letter, seconds): (char, u64)| text.strip_suffix(letter).map(|number| (number, seconds));
    let read = seconds
        .into_iter()
        .find_map(unit)
        .and_then(|(number, seconds)| number.parse::<u64>().ok()?.checked_mul(seconds));
    let allowed = read.map(Duration::from_secs).filter(|duration| RETENTION.contains(duration));
    allowed.ok_or_else(|| format!("{text:?} is no time from 1m to 3650d; write one as 30d, 12h or 90m"))
}

/// Never repeats its text, which may hold a password.
fn proxy(text: &str) -> Result<EgressProxy, Wrong> {
    let wrong =
        || "is no proxy; write http://[user:password@]host:port or socks5://[user:password@]host:port".to_owned();
    let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
    let (auth, address) = match rest.trim_end_matches('/').rsplit_once('@') {
        Some((auth, address)) => (Some(proxy_auth(auth)?), address.to_owned()),
        None => (None, rest.trim_end_matches('/').to_owned()),
    };
    let port = address.rsplit_once(':').and_then(|(host, port)| port.parse::<u16>().ok().filter(|_| !host.is_empty()));
    if port.is_none_or(|port| port == 0) || address.contains(['/', '?', '#']) {
        return Err(wrong());
    }
    match scheme {
        "http" => Ok(EgressProxy::Connect { address, auth }),
        "socks5" => Ok(EgressProxy::Socks5 { address, auth }),
        _ => Err(wrong()),
    }
}

fn proxy_auth(text: &str) -> Result<ProxyAuth, Wrong> {
    let wrong = || {
        "the proxy's user and password are written as user:password, with % and two hex digits for @ : / and %"
            .to_owned()
    };
    let (username, password) = text.split_once(':').ok_or_else(wrong)?;
    let decode = |text: &str| percent_decode(text).filter(|text| (1..=255).contains(&text.len())).ok_or_else(wrong);
    let auth = ProxyAuth { username: decode(username)?, password: decode(password)? };
    if auth.username.contains(':') { Err(wrong()) } else { Ok(auth) }
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

fn log_filter(text: &str) -> Result<String, Wrong> {
    let wrong = |error| format!("{text:?} is no log filter ({error}); write a level such as info, or module=level");
    tracing_subscriber::EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(wrong)
}

fn log_format(text: &str) -> Result<LogFormat, Wrong> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("{text:?} is no log format; write text or json")),
    }
}
