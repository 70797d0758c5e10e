use std::time::Duration;

use super::raw::Raw;
use super::table::{self, OTHER_VARIABLES};
use super::{LogFormat, Mistake, Purpose, SettingFlags, Settings, StorePlace, Variables, check, document};

/// The settings of a file, variables and flags.
fn settings(file: &str, variables: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Result<Settings, Vec<String>> {
    let mut raw = Raw::defaults();
    raw.merge_file("postrider.toml", file);
    raw.merge_variables(&Variables::of(variables));
    raw.merge_flags(SettingFlags::of(flags).given());
    check::check(raw, Purpose::Serve).map_err(|mistakes| mistakes.into_iter().map(|Mistake(text)| text).collect())
}

fn mistakes(file: &str, variables: &[(&str, &str)]) -> Vec<String> {
    settings(file, variables, &[]).expect_err("there are mistakes")
}

fn data(settings: &Settings) -> Option<&str> {
    match &settings.store.place {
        StorePlace::Data(data) => data.to_str(),
        StorePlace::Database(_) => None,
    }
}

#[test]
fn nothing_given_is_a_strict_server_on_loopback() {
    let settings = settings("", &[], &[]).unwrap();
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8400");
    assert_eq!(data(&settings), Some("data"));
    assert_eq!(settings.retention, Duration::from_secs(30 * 86_400));
    assert_eq!(settings.lease, Duration::from_secs(15));
    assert_eq!(settings.limits.payload_bytes_max, 256 * 1024);
    assert_eq!(settings.log.format, LogFormat::Text);
    assert!(!settings.egress.allow_http && settings.egress.allow_cidrs.is_empty() && settings.loosened.is_empty());
    assert!(settings.operator_key.is_none() && settings.public_url.is_none());
}

#[test]
fn flags_go_before_variables_and_variables_before_the_file() {
    let file = "listen = \"127.0.0.1:1\"\ndata = \"file\"\nretention = \"1d\"";
    let variables = [("POSTRIDER_LISTEN", "127.0.0.1:2"), ("POSTRIDER_DATA", "variable")];
    let settings = settings(file, &variables, &[("listen", "127.0.0.1:3")]).unwrap();
    assert_eq!(settings.listen.port(), 3);
    assert_eq!(data(&settings), Some("variable"));
    assert_eq!(settings.retention, Duration::from_secs(86_400));
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let settings = settings("listen = \"127.0.0.1:1\"", &[("POSTRIDER_LISTEN", "")], &[]).unwrap();
    assert_eq!(settings.listen.port(), 1);
}

#[test]
fn all_mistakes_are_told_at_once_each_with_setting_place_and_remedy() {
    let file = "listen = \"8400\"\nretention = 30\nlitsen = \"x\"\njwt_hs256_secret = \"short\"";
    let variables = [("POSTRIDER_ALLOW_CIDRS", "10.0.0.0/33,10.1.2.3/8"), ("POSTRIDER_SMTP_URL", "http://x")];
    let found = mistakes(file, &variables).join("\n");
    let expected = [
        "retention (postrider.toml:2:13): write a text in quotes, as \"90d\"",
        "litsen (postrider.toml:3:1): there is no such setting; did you mean listen?",
        "listen (postrider.toml:1:10): \"8400\" is no address with a port; write one as 127.0.0.1:8400, 0.0.0.0:8400 or [::1]:8400",
        "jwt_hs256_secret (postrider.toml:4:20): a shared secret has 32 bytes or more; make one with: openssl rand -hex 32",
        "allow_cidrs (POSTRIDER_ALLOW_CIDRS): \"10.0.0.0/33\" is no address range; write one as 10.0.0.0/8 or fd00::/8, or a single address",
        "allow_cidrs (POSTRIDER_ALLOW_CIDRS): \"10.1.2.3/8\" has bits set beyond its prefix; write 10.0.0.0/8",
        "smtp_url (POSTRIDER_SMTP_URL): is no SMTP server; write smtp://[user:password@]host:587 (STARTTLS) or smtps://[user:password@]host:465 (TLS)",
    ];
    assert_eq!(found, expected.join("\n"));
}

#[test]
fn broken_toml_is_told_with_its_line() {
    let found = mistakes("listen = \"127.0.0.1:1\"\ndata = ", &[]);
    assert!(found[0].starts_with("postrider.toml:2:"), "{found:?}");
    assert_eq!(found.len(), 1);
}

#[test]
fn a_collector_is_named_as_other_programs_name_it() {
    let variables = [
        ("POSTRIDER_OTLP_ENDPOINT", "https://otel.example.com/otlp/"),
        ("POSTRIDER_OTLP_HEADERS", "Authorization=Bearer%20a%2Cb, X-Scope=one"),
        ("POSTRIDER_OTLP_SAMPLING_RATIO", "0.05"),
    ];
    let traces = settings("", &variables, &[]).unwrap().traces.unwrap();
    assert_eq!(traces.url, "https://otel.example.com/otlp/v1/traces");
    let headers: Vec<_> = traces.headers.iter().map(|(name, value)| (name.as_str(), value.reveal())).collect();
    assert_eq!(headers, [("Authorization", "Bearer a,b"), ("X-Scope", "one")]);
    assert!((traces.sampling_ratio - 0.05).abs() < f64::EPSILON);
    let wrong = mistakes("", &[("POSTRIDER_OTLP_SAMPLING_RATIO", "5")]);
    assert_eq!(
        wrong,
        ["otlp_sampling_ratio (POSTRIDER_OTLP_SAMPLING_RATIO): \"5\" is no share; write a number from 0 to 1, as 0.05"]
    );
}

#[test]
fn no_message_repeats_a_secret() {
    let secrets = [
        ("POSTRIDER_OPERATOR_KEY", "hush"),
        ("POSTRIDER_ENCRYPTION_KEY", "hush"),
        ("POSTRIDER_ENCRYPTION_KEYS_OLD", "hush,hush"),
        ("POSTRIDER_EGRESS_PROXY", "ftp://hush:hush@hush"),
        ("POSTRIDER_DATABASE_URL", "postgres://me:hush@hush@hush/hush"),
        ("POSTRIDER_OTLP_ENDPOINT", "http://me:hush@collector"),
        ("POSTRIDER_OTLP_HEADERS", "Host=hush,Authorization=hush%zz"),
    ];
    let found = mistakes("", &secrets);
    assert_eq!(found.len(), 9, "{found:?}");
    assert!(!found.concat().contains("hush"), "{found:?}");
}

#[test]
fn an_operator_key_keeps_its_leading_zeros_and_looks() {
    let key = "000123456789012345";
    let settings = settings("", &[("POSTRIDER_OPERATOR_KEY", key)], &[]).unwrap();
    assert_eq!(settings.operator_key.unwrap().reveal(), key);
}

#[test]
fn a_master_key_is_given_once() {
    let key = data_encoding::BASE64.encode(&[7; 32]);
    let both = [("POSTRIDER_ENCRYPTION_KEY", key.as_str()), ("POSTRIDER_ENCRYPTION_KEY_FILE", "k")];
    assert!(mistakes("", &both)[0].ends_with("encryption_key_file is set too; keep one of the two"));
}

const DATABASE_URL: (&str, &str) = ("POSTRIDER_DATABASE_URL", "postgres://me:hush@db/postrider");
const OPERATOR_KEY: (&str, &str) = ("POSTRIDER_OPERATOR_KEY", "0123456789abcdef");
const ENCRYPTION_KEY: (&str, &str) = ("POSTRIDER_ENCRYPTION_KEY", "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=");

#[test]
fn a_node_on_a_database_is_given_the_keys_that_all_share() {
    let found = mistakes("", &[DATABASE_URL]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].starts_with("operator_key (not set): ") && found[0].ends_with("openssl rand -hex 32"),
        "{found:?}"
    );
    assert!(
        found[1].starts_with("encryption_key (not set): ") && found[1].ends_with("openssl rand -base64 32"),
        "{found:?}"
    );
    let settings = settings("", &[DATABASE_URL, OPERATOR_KEY, ENCRYPTION_KEY], &[]).unwrap();
    let StorePlace::Database(database) = &settings.store.place else { panic!("{settings:?}") };
    assert_eq!((database.url.to_string().as_str(), database.connections_max), ("db:5432/postrider", 24));
    assert!(!format!("{settings:?}").contains("hush"), "{settings:?}");
}

#[test]
fn commands_on_keys_need_no_operator_key() {
    let mut raw = Raw::defaults();
    raw.merge_variables(&Variables::of(&[DATABASE_URL, ENCRYPTION_KEY]));
    assert!(check::check(raw, Purpose::Keys).is_ok());
}

#[test]
fn a_data_directory_and_a_database_are_not_given_both() {
    let given = [DATABASE_URL, OPERATOR_KEY, ENCRYPTION_KEY];
    let in_file = mistakes("data = \"mine\"", &given);
    assert_eq!(in_file, ["data (postrider.toml:1:8): database_url is set too; keep one of the two"]);
    let by_variable = mistakes("", &[&given[..], &[("POSTRIDER_DATA", "mine")]].concat());
    assert_eq!(by_variable, ["data (POSTRIDER_DATA): database_url is set too; keep one of the two"]);
}

#[test]
fn a_password_is_seen_where_it_is_a_flag() {
    let given = [OPERATOR_KEY, ENCRYPTION_KEY];
    let is_seen = |settings: Settings| match settings.store.place {
        StorePlace::Database(database) => database.is_password_seen,
        StorePlace::Data(_) => false,
    };
    assert!(is_seen(settings("", &given, &[("database_url", DATABASE_URL.1)]).unwrap()));
    assert!(!is_seen(settings("", &given, &[("database_url", "postgres://me@db/postrider")]).unwrap()));
    assert!(!is_seen(settings("", &[&given[..], &[DATABASE_URL]].concat(), &[]).unwrap()));
}

#[test]
fn a_source_needs_the_address_of_its_database() {
    let wrong = mistakes("source = \"source.toml\"", &[]);
    let wanted = "source_database_url (not set): source needs it; set POSTRIDER_SOURCE_DATABASE_URL to the address of the CRM's Postgres";
    assert_eq!(wrong, [wanted]);
    let url = ("POSTRIDER_SOURCE_DATABASE_URL", "postgres://crm:hush@db/crm");
    let both = settings("source = \"source.toml\"", &[url], &[]).unwrap();
    assert_eq!(both.source.map(|source| source.url.to_string()).as_deref(), Some("db:5432/crm"));
    // The commands about a source name the mapping themselves.
    assert!(settings("", &[url], &[]).unwrap().source.is_none());
}

#[test]
fn a_lease_is_of_seconds_or_minutes() {
    let read = |text| settings("", &[("POSTRIDER_LEASE", text)], &[]).map(|settings| settings.lease.as_secs());
    assert_eq!((read("1s"), read("5m")), (Ok(1), Ok(300)));
    for wrong in ["15", "0s", "6m", "301s", "1d", "s", "1.5s"] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn proxies_are_read_with_their_credentials() {
    use postrider_egress::EgressProxy;
    let read = |text| settings("", &[("POSTRIDER_EGRESS_PROXY", text)], &[]).map(|settings| settings.egress.proxy);
    let Ok(EgressProxy::Connect { address, auth: Some(auth) }) = read("http://me:p%40ss@proxy:3128/") else { panic!() };
    assert_eq!((address.as_str(), auth.username.as_str(), auth.password.as_str()), ("proxy:3128", "me", "p@ss"));
    assert!(matches!(read("socks5://[::1]:1080"), Ok(EgressProxy::Socks5 { auth: None, .. })));
    for wrong in
        ["proxy:3128", "http://proxy", "http://proxy:0", "http://me@proxy:1", "https://proxy:1", "http://proxy:1/x"]
    {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn whatever_loosens_a_protection_is_said() {
    let settings = settings("allow_http = true\nallow_cidrs = [\"127.0.0.0/8\"]", &[], &[]).unwrap();
    let names: Vec<_> = settings.loosened.iter().map(|(name, value, _)| (*name, value.as_str())).collect();
    assert_eq!(names, [("allow_http", "true"), ("allow_cidrs", "127.0.0.0/8")]);
}

#[test]
fn variables_of_a_service_named_postrider_are_not_for_us() {
    let links = [
        ("POSTRIDER_PORT", "tcp://10.0.0.1:8400"),
        ("POSTRIDER_PORT_8400_TCP_ADDR", "10.0.0.1"),
        ("POSTRIDER_SERVICE_HOST", "10.0.0.1"),
        ("POSTRIDER_SERVICE_PORT", "8400"),
    ];
    assert!(settings("", &links, &[]).is_ok());
    assert!(settings("", &[("POSTRIDER_PORTS", "1")], &[]).is_err());
}

#[test]
fn every_setting_is_well_formed_and_checked() {
    for setting in table::all() {
        let wrong = [(setting.variable(), "\u{1}".to_owned())];
        let wrong: Vec<_> = wrong.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let is_path = [
            "contracts",
            "data",
            "database_ca_file",
            "encryption_key_file",
            "extra_ca",
            "jwks_file",
            "jwt_public_key_file",
            "smtp_ca_file",
            "source_database_ca_file",
        ]
        .contains(&setting.name);
        assert_eq!(settings("", &wrong, &[]).is_ok(), is_path, "{}", setting.name);
        let is_known = |name: &str| OTHER_VARIABLES.iter().any(|(other, _)| *other == name);
        assert!(!is_known(&setting.variable()));
    }
}

#[test]
fn the_sample_file_is_right_when_uncommented() {
    let uncommented = |line: &str| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).map(str::to_owned);
    let file: Vec<_> = document::example_file().lines().filter_map(uncommented).collect();
    let mut raw = Raw::defaults();
    raw.merge_file("postrider.example.toml", &file.join("\n"));
    let expected = [
        "jwt_hs256_secret (postrider.example.toml:5:20): a shared secret has 32 bytes or more; make one with: openssl rand -hex 32",
        "data (postrider.example.toml:12:8): database_url is set too; keep one of the two",
        "encryption_key (postrider.example.toml:14:18): a master key is 32 random bytes in base64 (44 characters); make one with: openssl rand -base64 32",
        "encryption_keys_old (postrider.example.toml:15:23): a master key is 32 random bytes in base64 (44 characters); make one with: openssl rand -base64 32",
    ];
    let found: Vec<_> = check::check(raw, Purpose::Serve).unwrap_err().into_iter().map(|Mistake(text)| text).collect();
    assert_eq!(
        found.iter().filter(|text| !text.starts_with("operator_key")).collect::<Vec<_>>(),
        expected.iter().collect::<Vec<_>>()
    );
}

/// Where the generated files are.
fn generated() -> [(std::path::PathBuf, String); 2] {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    [
        (root.join("postrider.example.toml"), document::example_file()),
        (root.join("docs/settings.md"), document::reference()),
    ]
}

#[test]
fn the_sample_file_and_the_reference_are_fresh() {
    for (path, text) in generated() {
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        let how = "cargo test -p postrider -- --ignored write_the_sample_file_and_the_reference";
        assert!(found == text, "{} is not what the table says; write it with: {how}", path.display());
    }
}

#[test]
#[ignore = "writes files; run it after a change of the table"]
fn write_the_sample_file_and_the_reference() {
    for (path, text) in generated() {
        std::fs::write(path, text).unwrap();
    }
}
