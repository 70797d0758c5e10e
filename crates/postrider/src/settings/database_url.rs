//! The address of the database: which Postgres, in words that hold no secret.

use std::fmt;

use postrider_domain::Secret;

use super::values::Wrong;

/// Where Postgres listens when nothing else is said.
const PORT: &str = ":5432";

/// A connection string. It shows itself without user and password.
pub(crate) struct DatabaseUrl {
    text: Secret,
    place: String,
    pub(super) has_password: bool,
}

impl DatabaseUrl {
    /// The whole text, for connecting alone.
    pub(crate) fn reveal(&self) -> &str {
        self.text.reveal()
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

/// Reads the parts of it that are shown; the rest is judged when it is used. Never repeats its text, which may hold a password.
pub(super) fn read(text: &str) -> Result<DatabaseUrl, Wrong> {
    let wrong = |what: &str| {
        format!(
            "is no address of a Postgres database: {what}; write one as postgres://user:password@host:5432/database"
        )
    };
    let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
    let rest = rest.ok_or_else(|| wrong("it does not begin with postgres://"))?;
    // A sign of a password that is not escaped would cut it in two, and one of them would be shown.
    let (user, rest) = rest.split_once('@').unwrap_or(("", rest));
    if rest.contains('@') || user.contains(['/', '?']) {
        return Err(wrong(
            "the signs @ : / ? # and % in user, password or parameters are written as % and two hex digits",
        ));
    }
    let (address, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let (hosts, database) = address.split_once('/').unwrap_or((address, ""));
    if hosts.is_empty() || hosts.split(',').any(|host| !is_host(host)) {
        return Err(wrong("after user and password comes a host, where need be with a port"));
    }
    let user_name = user.split(':').next().unwrap_or_default();
    if user_name.is_empty() && !parameters.split('&').any(|one| one.starts_with("user=")) {
        return Err(wrong("it names no user"));
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(wrong("there is a space or a line break in it"));
    }
    let has_password = user.contains(':') || parameters.split('&').any(|one| one.starts_with("password="));
    let named = if database.is_empty() { user_name } else { database };
    let place = format!("{}/{named}", with_ports(hosts));
    Ok(DatabaseUrl { text: Secret::new(text.to_owned()), place, has_password })
}

/// Whether this is a host, where need be with a port; an IPv6 address is in brackets.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_bracketed = host.starts_with('[') && host.ends_with(']');
    !host.is_empty()
        && (is_bracketed || !host.contains(':'))
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0))
}

fn with_ports(hosts: &str) -> String {
    let with_port = |host: &str| {
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
        if has_port { host.to_owned() } else { format!("{host}{PORT}") }
    };
    hosts.split(',').map(with_port).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_shown_as_hosts_ports_and_database() {
        for (text, shown, has_password) in [
            ("postgres://me:hush@db.example.com/postrider", "db.example.com:5432/postrider", true),
            ("postgresql://me@[::1]:6432/postrider?sslmode=require", "[::1]:6432/postrider", false),
            ("postgres://db-1,db-2:6432/postrider?user=me&password=hush", "db-1:5432,db-2:6432/postrider", true),
            ("postgres://postrider@db", "db:5432/postrider", false),
            (
                "postgres://me:p%40%2Fs@%2Fvar%2Frun%2Fpostgresql/postrider",
                "%2Fvar%2Frun%2Fpostgresql:5432/postrider",
                true,
            ),
        ] {
            let url = read(text).unwrap();
            assert_eq!((url.to_string().as_str(), url.has_password), (shown, has_password));
            assert_eq!((url.reveal(), format!("{url:?}")), (text, format!("DatabaseUrl({shown})")));
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_the_text() {
        for text in [
            "hush",
            "host=db password=hush",
            "mysql://me:hush@db/hush",
            "postgres://",
            "postgres://me:hush@/hush",
            "postgres://db/hush",
            "postgres://:hush@db/hush",
            "postgres://me:hush@db:0/hush",
            "postgres://me:hush@db:hush/hush",
            "postgres://me:1/hush@db/hush",
            "postgres://me:1?hush@db/hush",
            "postgres://me:hush@hush@db/hush",
            "postgres://me:hush @db/hush",
            "postgres://::1/hush",
        ] {
            let wrong = read(text).unwrap_err();
            assert!(!wrong.contains("hush") && wrong.contains("; write one as postgres://"), "{text}: {wrong}");
        }
    }
}
