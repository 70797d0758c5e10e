//! The settings of a source of events: a CRM's Postgres.

use super::{PLAIN, Setting, Shape};

pub(super) const SOURCE: &[Setting] = &[
    Setting {
        name: "source",
        value: "FILE",
        example: r#""/etc/postrider/source.toml""#,
        about: "The mapping of a CRM's Postgres, whose committed changes become events ([source.md](source.md)). `postrider source install` puts into that \
                database what captures them. Every node may have it: one reads, the others stand by. A database that does not answer keeps no \
                server from starting.",
        ..PLAIN
    },
    Setting {
        name: "source_database_url",
        shape: Shape::Secret,
        value: "URL",
        example: r#""postgres://postrider_source:password@crm-db.internal:5432/crm""#,
        flag: false,
        about: "The CRM's Postgres, 13 or newer: `postgres://user:password@host:port/database?sslmode=require`. Its role needs what \
                `postrider source install --role NAME` grants and no more. Connect to the database itself, not to a pool that shares sessions.",
        ..PLAIN
    },
    Setting {
        name: "source_database_ca_file",
        value: "FILE",
        example: r#""/etc/postrider/crm-database-ca.pem""#,
        about: "A PEM file of certificate authorities that the CRM's Postgres is trusted with, besides Mozilla's.",
        ..PLAIN
    },
];
