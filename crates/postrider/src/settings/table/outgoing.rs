//! The settings of what leaves the server: deliveries, e-mail, traces.

use super::{PLAIN, Setting, Shape};

pub(super) const EGRESS: &[Setting] = &[
    Setting {
        name: "allow_http",
        shape: Shape::Truth,
        value: "",
        default: Some("false"),
        example: "true",
        loosens: Some("endpoints may have http:// URLs, so payloads and signatures can cross networks unencrypted"),
        about: "Allows endpoints with `http://` URLs beside `https://`.",
        ..PLAIN
    },
    Setting {
        name: "allow_cidrs",
        shape: Shape::List,
        value: "CIDR,…",
        default: Some(""),
        example: r#"["10.20.0.0/16"]"#,
        loosens: Some("whoever may create endpoints can make this server call these addresses"),
        about: "Private or reserved address ranges that deliveries may go to in spite of the guard.",
        ..PLAIN
    },
    Setting {
        name: "allow_nat64",
        shape: Shape::Truth,
        value: "",
        default: Some("false"),
        example: "true",
        loosens: Some("answers of DNS in 64:ff9b::/96 are judged by the IPv4 address inside them"),
        about: "For hosts that reach IPv4 through DNS64 alone: accepts answers in the NAT64 prefix when the IPv4 address inside is allowed.",
        ..PLAIN
    },
    Setting {
        name: "extra_ca",
        shape: Shape::List,
        value: "FILE,…",
        default: Some(""),
        example: r#"["/etc/postrider/internal-ca.pem"]"#,
        loosens: Some("receivers are trusted with certificates of these authorities too"),
        about: "PEM files of certificate authorities that are trusted besides Mozilla's.",
        ..PLAIN
    },
    Setting {
        name: "egress_proxy",
        shape: Shape::Secret,
        value: "URL",
        example: r#""http://user:password@proxy.internal:3128""#,
        flag: false,
        about: "The proxy that deliveries leave through: `http://[user:password@]host:port` (CONNECT) or \
                `socks5://[user:password@]host:port`. The guard judges first, and the proxy is asked for the judged address. \
                No proxy is ever taken from `HTTP_PROXY` and the like.",
        ..PLAIN
    },
    Setting {
        name: "name_servers",
        shape: Shape::List,
        value: "ADDR:PORT,…",
        default: Some(""),
        example: r#"["10.0.0.2:53"]"#,
        about: "Name servers to ask instead of the system's; the hosts file is not read then.",
        ..PLAIN
    },
    Setting {
        name: "egress_addresses",
        shape: Shape::List,
        value: "ADDR,…",
        default: Some(""),
        example: r#"["203.0.113.10", "203.0.113.11"]"#,
        about: "The addresses that deliveries come from, for receivers that keep a firewall: `GET /v1/egress-addresses` and the log show them. It changes nothing about where they come from.",
        ..PLAIN
    },
];

pub(super) const MAIL: &[Setting] = &[
    Setting {
        name: "smtp_url",
        shape: Shape::Secret,
        value: "URL",
        example: r#""smtp://postrider:password@mail.internal:587""#,
        flag: false,
        about: "The SMTP server through which owners are told that an endpoint keeps failing, or was disabled: \
                `smtp://[user:password@]host[:587]` with STARTTLS, without which nothing is sent, or `smtps://[user:password@]host[:465]` with TLS from \
                the beginning. Signs such as `@` `:` `/` and `%` in user and password are written as `%` and two hex digits. It is your own choice and may \
                have a private address. Give every node the same. Without it nobody is told by e-mail.",
        ..PLAIN
    },
    Setting {
        name: "mail_from",
        value: "ADDRESS",
        example: r#""Webhooks <webhooks@example.com>""#,
        about: "Whom mail is from; needed with `smtp_url`.",
        ..PLAIN
    },
    Setting {
        name: "smtp_ca_file",
        value: "FILE",
        example: r#""/etc/postrider/mail-ca.pem""#,
        about: "A PEM file of certificate authorities that the SMTP server is trusted with, besides Mozilla's.",
        ..PLAIN
    },
    Setting {
        name: "smtp_allow_plain",
        shape: Shape::Truth,
        value: "",
        default: Some("false"),
        example: "true",
        loosens: Some("mail, and the password of smtp_url, cross the network unencrypted"),
        about: "Sends mail to an `smtp://` server without STARTTLS, e.g. one on the same machine.",
        ..PLAIN
    },
];

pub(super) const TRACES: &[Setting] = &[
    Setting {
        name: "otlp_endpoint",
        value: "URL",
        example: r#""http://otel-collector:4318""#,
        about: "The OpenTelemetry collector that traces are sent to by OTLP over HTTP, as protobuf: `/v1/traces` is added to this URL. It is your own choice and \
                may have a private address. Without it nothing is traced.",
        ..PLAIN
    },
    Setting {
        name: "otlp_headers",
        shape: Shape::Secrets,
        default: Some(""),
        example: r#"["Authorization=Bearer%20the-token"]"#,
        flag: false,
        about: "Headers that go with traces, each as `name=value`; `%` `,` and what is not ASCII are written as `%` and two hex digits.",
        ..PLAIN
    },
    Setting {
        name: "otlp_sampling_ratio",
        value: "RATIO",
        default: Some("1"),
        example: r#""0.05""#,
        about: "The share of events that are traced, from 0 to 1. A request that comes with a `traceparent` is traced when that says so; its events by this \
                share. Give every node the same.",
        ..PLAIN
    },
];
