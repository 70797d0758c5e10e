//! The one table of settings: what feeds the parser, the flags, the sample file and docs/settings.md.

mod outgoing;
mod source;

use outgoing::{EGRESS, MAIL, TRACES};
use source::SOURCE;

/// One setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its name in the file; `POSTRIDER_` and the same in capitals is its variable, dashes make it a flag.
    pub(crate) name: &'static str,
    /// What kind of value it has.
    pub(crate) shape: Shape,
    /// How help calls its value.
    pub(crate) value: &'static str,
    /// What it is when nobody sets it, written as in a variable.
    pub(crate) default: Option<&'static str>,
    /// A value to show, written as in the file.
    pub(crate) example: &'static str,
    /// Whether it has a flag: secrets do not, since other users of the machine can read a process's arguments. An address of a database has,
    /// since it need not hold a password.
    pub(crate) flag: bool,
    /// What it loosens when it is set to anything but its default; logged as a warning at every start.
    pub(crate) loosens: Option<&'static str>,
    /// What it does.
    pub(crate) about: &'static str,
}

/// The kinds of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A text; `"…"` in the file.
    Text,
    /// A text that no message may repeat.
    Secret,
    /// Texts; an array in the file, separated by commas elsewhere.
    List,
    /// The same with texts that no message may repeat.
    Secrets,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Truth,
}

/// Settings that belong together.
pub(crate) struct Section {
    /// Its heading.
    pub(crate) title: &'static str,
    /// Its settings.
    pub(crate) settings: &'static [Setting],
}

/// What is not said otherwise.
const PLAIN: Setting = Setting {
    name: "",
    shape: Shape::Text,
    value: "TEXT",
    default: None,
    example: "",
    flag: true,
    loosens: None,
    about: "",
};

/// Every setting there is.
pub(crate) const SECTIONS: &[Section] = &[
    Section { title: "Server", settings: SERVER },
    Section { title: "Data", settings: DATA },
    Section { title: "Many nodes", settings: CLUSTER },
    Section { title: "A CRM's database as a source", settings: SOURCE },
    Section { title: "Where deliveries may go", settings: EGRESS },
    Section { title: "E-mail", settings: MAIL },
    Section { title: "Traces", settings: TRACES },
    Section { title: "Limits", settings: LIMITS },
    Section { title: "Logs", settings: LOGS },
];

const SERVER: &[Setting] = &[
    Setting {
        name: "listen",
        value: "ADDR:PORT",
        default: Some("127.0.0.1:8400"),
        example: r#""0.0.0.0:8400""#,
        about: "Where the API listens. Port 0 picks a free one. It speaks plain HTTP: beyond this machine, put a proxy with TLS before it.",
        ..PLAIN
    },
    Setting {
        name: "public_url",
        value: "URL",
        example: r#""https://webhooks.example.com""#,
        about: "The address under which clients reach this server, behind its proxy. Portal links begin with it; without one, with the address where the API listens.",
        ..PLAIN
    },
    Setting {
        name: "trusted_proxies",
        shape: Shape::List,
        value: "CIDR,…",
        default: Some(""),
        example: r#"["10.0.0.0/8"]"#,
        about: "Proxies before this server whose `Forwarded` or `X-Forwarded-For` says where a request comes from, for the audit trail and the log: the \
                rightmost address in it that is none of these. Without this setting it is whoever connects. Where a proxy writes the one header, \
                have it remove the other: when both are there and differ, neither is believed.",
        ..PLAIN
    },
    Setting {
        name: "operator_key",
        shape: Shape::Secret,
        example: r#""a text of 16 characters or more""#,
        flag: false,
        about: "The key that may do everything. When none is given, one is made at the first start and printed once on standard error; \
                the store keeps its hash alone. With a `database_url` it must be given: the database keeps the one that came first, and a \
                node with another does not start. `postrider keys operator` replaces it.",
        ..PLAIN
    },
    Setting {
        name: "jwt_hs256_secret",
        shape: Shape::Secret,
        example: r#""a secret of 32 bytes or more""#,
        flag: false,
        about: "The secret with which the CRM signs tokens (JWT, HS256) for its users: claims `org`, `role` (`admin` or `viewer`), `exp`, and where \
                wanted `system`, `sub` and `nbf`.",
        ..PLAIN
    },
    Setting {
        name: "jwt_public_key_file",
        value: "FILE",
        example: r#""/etc/postrider/crm.pem""#,
        about: "A public key in PEM that such tokens may be signed for instead: RSA (RS256), P-256 (ES256) or Ed25519 (EdDSA). The key decides the \
                algorithm.",
        ..PLAIN
    },
    Setting {
        name: "jwks_file",
        value: "FILE",
        example: r#""/etc/postrider/jwks.json""#,
        about: "A JWK Set with keys for such tokens, found by `kid`. It is read again when it changes; while it cannot be used, the keys that were read \
                last count, and the log says so.",
        ..PLAIN
    },
    Setting {
        name: "jwt_issuer",
        value: "TEXT",
        example: r#""https://crm.example.com""#,
        about: "What a token's `iss` must be; without this setting it may be anything.",
        ..PLAIN
    },
    Setting {
        name: "jwt_audience",
        value: "TEXT",
        example: r#""postrider""#,
        about: "What a token's `aud` must name; without this setting a token that has one is refused, since it is meant for somebody else.",
        ..PLAIN
    },
    Setting {
        name: "contracts",
        value: "DIR",
        example: r#""contracts""#,
        about: "A directory of your own contract files; each `*.toml` in it is loaded beside the built-in ones.",
        ..PLAIN
    },
    Setting {
        name: "operational_organization",
        value: "ORG",
        example: r#""ops""#,
        about: "The id of an organization of your own that gets what happens to all others' endpoints as events: `endpoint.failing`, `endpoint.disabled`, \
                `delivery.exhausted`, `secret.rotated`. Create it with the contract `operational` and give it endpoints. Give every node the same. \
                Without it no such events are made.",
        ..PLAIN
    },
];

const DATA: &[Setting] = &[
    Setting {
        name: "data",
        value: "DIR",
        default: Some("data"),
        example: r#""/var/lib/postrider""#,
        about: "The directory of the embedded store, for one server. It is made when it is not there, for its owner alone. Not beside \
                `database_url`.",
        ..PLAIN
    },
    Setting {
        name: "encryption_key_file",
        value: "FILE",
        example: r#""/etc/postrider/encryption.key""#,
        about: "The file of the master key that everything secret is encrypted under: 32 bytes in base64, readable by its owner alone. \
                When it is not there at the first start, it is made. Without this setting it is `encryption.key` in the data directory; \
                keep a copy elsewhere, since without it the data cannot be read. With a `database_url` nothing is made: the key is given, \
                here or as `encryption_key`, the same to every node.",
        ..PLAIN
    },
    Setting {
        name: "encryption_key",
        shape: Shape::Secret,
        example: r#""32 bytes in base64""#,
        flag: false,
        about: "The master key itself, for hosts that hand secrets over as variables. Not beside `encryption_key_file`.",
        ..PLAIN
    },
    Setting {
        name: "encryption_keys_old",
        shape: Shape::Secrets,
        default: Some(""),
        example: r#"["32 bytes in base64"]"#,
        flag: false,
        about: "Other master keys that may have encrypted what is stored, while one replaces another: they open, and the master key alone \
                encrypts. On a data directory: stop the server, set the new master key and the old one here, run \
                `postrider keys rotate-encryption`, take the old one away, start. Nodes on a database need no stop: 1. start every node with the \
                new key here; 2. start every node with the new one as master key and the old one here; 3. run \
                `postrider keys rotate-encryption` with the settings of a node; 4. take the old one away. Backups made before still need it.",
        ..PLAIN
    },
    Setting {
        name: "retention",
        value: "DURATION",
        default: Some("30d"),
        example: r#""90d""#,
        about: "How long events, deliveries and attempts are kept: a number and `d`, `h` or `m`. A delivery that is still pending then fails as `expired`.",
        ..PLAIN
    },
    Setting {
        name: "audit_retention",
        value: "DURATION",
        default: Some("365d"),
        example: r#""730d""#,
        about: "How long the audit trail is kept: who changed what, and when.",
        ..PLAIN
    },
];

const CLUSTER: &[Setting] = &[
    Setting {
        name: "database_url",
        shape: Shape::Secret,
        value: "URL",
        example: r#""postgres://postrider:password@db.internal:5432/postrider""#,
        about: "The Postgres database, 15 or newer, in place of a data directory: \
                `postgres://user:password@host:port/database?sslmode=require`. Every node with the same database, `operator_key` and master key \
                is part of one server. Everything lies in the schema `postrider`, which the first node makes. A password does not belong in \
                the flag, which other users of the machine can read.",
        ..PLAIN
    },
    Setting {
        name: "database_ca_file",
        value: "FILE",
        example: r#""/etc/postrider/database-ca.pem""#,
        about: "A PEM file of certificate authorities that Postgres is trusted with, besides Mozilla's.",
        ..PLAIN
    },
    Setting {
        name: "database_connections_max",
        shape: Shape::Number,
        value: "COUNT",
        default: Some("24"),
        example: "48",
        about: "Connections of this node to Postgres at once; 8 to 1000. All nodes' together must stay below Postgres's `max_connections`.",
        ..PLAIN
    },
    Setting {
        name: "node_name",
        value: "NAME",
        example: r#""web-1""#,
        about: "What this node is called in logs and in the database, for people alone. When none is given, it is the host's name and the process's id.",
        ..PLAIN
    },
    Setting {
        name: "lease",
        value: "DURATION",
        default: Some("15s"),
        example: r#""30s""#,
        about: "How long after the last sign of life of a node the others may take over its endpoints: a number and `s` or `m`, from 1s to 5m. Give \
                every node the same.",
        ..PLAIN
    },
];

const LIMITS: &[Setting] = &[
    Setting {
        name: "payload_bytes_max",
        shape: Shape::Number,
        value: "BYTES",
        default: Some("262144"),
        example: "1048576",
        about: "The largest event that is accepted, from 1024 to 8388608 bytes; a larger one is answered with 413.",
        ..PLAIN
    },
    Setting {
        name: "lane_slots_max",
        shape: Shape::Number,
        value: "COUNT",
        default: Some("64"),
        example: "16",
        about: "Attempts under way to one endpoint at once, at most; 1 to 1024.",
        ..PLAIN
    },
    Setting {
        name: "attempts_prompt_max",
        shape: Shape::Number,
        value: "COUNT",
        default: Some("4096"),
        example: "1024",
        about: "Attempts under way at once to all endpoints whose latest attempt was over within a second; 1 to 65536.",
        ..PLAIN
    },
    Setting {
        name: "attempts_other_max",
        shape: Shape::Number,
        value: "COUNT",
        default: Some("4096"),
        example: "1024",
        about: "The same for all other endpoints: however many are slow or silent, the prompt ones have a share of their own; 1 to 65536.",
        ..PLAIN
    },
    Setting {
        name: "held_bytes_max",
        shape: Shape::Number,
        value: "BYTES",
        default: Some("67108864"),
        example: "16777216",
        about: "Bytes of waiting events that are held in memory, from 1048576; what is beyond that is read from the store when it is due.",
        ..PLAIN
    },
];

const LOGS: &[Setting] = &[
    Setting {
        name: "log",
        value: "FILTER",
        default: Some("info"),
        example: r#""warn,postrider_engine=debug""#,
        about: "What is logged, to standard error: `error`, `warn`, `info`, `debug` or `trace`, also by module as `module=level`, separated by commas.",
        ..PLAIN
    },
    Setting {
        name: "log_format",
        value: "FORMAT",
        default: Some("text"),
        example: r#""json""#,
        about: "How it is logged: `text`, or `json` with one object a line.",
        ..PLAIN
    },
];

/// What begins every variable.
pub(crate) const VARIABLE_PREFIX: &str = "POSTRIDER_";

/// Variables that are no settings of the server: the commands read them.
pub(crate) const OTHER_VARIABLES: &[(&str, &str)] = &[
    ("POSTRIDER_CONFIG", "The settings file, as `--config`."),
    ("POSTRIDER_URL", "The server that `send` and `keys` talk to; `http://127.0.0.1:8400` when it is not set."),
    ("POSTRIDER_API_KEY", "The key that `send` and `keys` use, before `POSTRIDER_OPERATOR_KEY`."),
];

impl Setting {
    /// Its environment variable.
    pub(crate) fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}", self.name.to_ascii_uppercase())
    }

    /// Its flag, without the dashes before it.
    pub(crate) fn flag_name(&self) -> String {
        self.name.replace('_', "-")
    }
}

/// Every setting, in the order of the table.
pub(crate) fn all() -> impl Iterator<Item = &'static Setting> {
    SECTIONS.iter().flat_map(|section| section.settings)
}

/// The setting of that name.
pub(crate) fn find(name: &str) -> Option<&'static Setting> {
    all().find(|setting| setting.name == name)
}
