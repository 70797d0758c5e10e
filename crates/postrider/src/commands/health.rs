//! `health`: how a running server is, for those that can start a program and see how it ends.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use http::Method;

use crate::cli::HealthArgs;
use crate::failure::all;
use crate::http::Api;
use crate::output;
use crate::settings::{SettingFlags, Sources, Variables};

/// How long an answer is waited for: longer than a server waits for its store before it says no.
const ANSWER: Duration = Duration::from_secs(8);

pub(crate) async fn run(args: &HealthArgs, variables: &Variables) -> anyhow::Result<ExitCode> {
    let named = args.url.as_deref().or_else(|| variables.get("POSTRIDER_URL"));
    let url = match named {
        Some(url) => url.to_owned(),
        None => own_url(args, variables)?,
    };
    let (path, well) = if args.live { ("/healthz", "it answers") } else { ("/readyz", "an event would be stored now") };
    Api::without_key(&url, ANSWER)?.call(Method::GET, path, None).await?;
    output::line(well)?;
    Ok(ExitCode::SUCCESS)
}

/// The server that these settings make, asked from its own machine.
fn own_url(args: &HealthArgs, variables: &Variables) -> anyhow::Result<String> {
    let sources = Sources { config: args.config.as_deref(), variables, flags: &SettingFlags::default() };
    let listen = sources.listen().map_err(|mistakes| all(&mistakes))?;
    Ok(format!("http://{}", reached_at(listen)))
}

/// One that listens on every address of its machine is reached at the loopback's.
fn reached_at(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_asked_where_it_listens_and_on_the_loopback_where_it_does_everywhere() {
        let asked = |variables: &[(&str, &str)], url: Option<&str>| {
            let args = HealthArgs { live: false, url: url.map(str::to_owned), config: None };
            own_url(&args, &Variables::of(variables)).map_err(|error| error.to_string())
        };
        for (listen, expected) in [
            ("0.0.0.0:8500", "http://127.0.0.1:8500"),
            ("[::]:8400", "http://[::1]:8400"),
            ("192.0.2.7:80", "http://192.0.2.7:80"),
        ] {
            assert_eq!(asked(&[("POSTRIDER_LISTEN", listen)], None).as_deref(), Ok(expected));
        }
        assert_eq!(asked(&[], None).as_deref(), Ok("http://127.0.0.1:8400"));
        // What else is wrong with the settings is not this command's to say.
        assert!(asked(&[("POSTRIDER_RETENTION", "never")], None).is_ok());
        let wrong = asked(&[("POSTRIDER_LISTEN", "here")], None).unwrap_err();
        assert!(wrong.contains("POSTRIDER_LISTEN") && wrong.contains("\"here\""), "{wrong}");
    }
}
