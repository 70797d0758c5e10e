//! A connection that a slot can be read on, until it is.
//!
//! It is a connection for replication (`replication=database`, PostgreSQL's documentation, "Streaming Replication Protocol"), which the driver of all other
//! connections cannot make. Address, certificates and passwords are those of the others.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{self, ChannelBinding, ScramSha256};
use postgres_protocol::message::frontend;
use postrider_database::Address;
use postrider_database::limits::CONNECT_MS_MAX;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding as Binding, Host, SslMode, SslNegotiation, TargetSessionAttrs};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};

use super::frame::{Cut, Frame};

/// A byte stream, encrypted or not.
pub(super) trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// Why there is no such connection, or none any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("it does not answer")]
    Silent,
    #[error("{0}")]
    Unusable(String),
    /// The server said so.
    #[error("{message} ({code})")]
    Refused { code: String, message: String },
}

/// A connection before its slot is read.
pub(super) struct Walsender {
    pub(super) socket: Box<dyn Socket>,
    pub(super) inbox: BytesMut,
}

impl Walsender {
    /// Connects as the address says: its hosts in their order, until one lets us in and is of the kind that is wanted.
    pub(super) async fn connect(address: &Address, options: &str) -> Result<Self, Lost> {
        let config = address.config(options);
        if config.get_channel_binding() == Binding::Require {
            return Err(Lost::Unusable(
                "its URL says channel_binding=require, which the connection that reads a slot cannot do; write channel_binding=prefer: the server's \
                 certificate is verified all the same with sslmode=require"
                    .to_owned(),
            ));
        }
        let within = config.get_connect_timeout().copied().unwrap_or(Duration::from_millis(CONNECT_MS_MAX));
        let mut why = Lost::Unusable("its URL names no host".to_owned());
        for place in places(&config) {
            match tokio::time::timeout(within, Self::enter(address, &config, &place)).await {
                Ok(Ok(walsender)) => return Ok(walsender),
                Ok(Err(error)) => why = error,
                Err(_) => why = Lost::Silent,
            }
        }
        Err(why)
    }

    async fn enter(address: &Address, config: &Config, place: &Endpoint) -> Result<Self, Lost> {
        let mut walsender = Walsender { socket: open(address, config, place).await?, inbox: BytesMut::new() };
        let mut start = BytesMut::new();
        frontend::startup_message(parameters(config), &mut start)?;
        walsender.send(&start).await?;
        walsender.authenticate(config).await?;
        let wanted = match config.get_target_session_attrs() {
            TargetSessionAttrs::ReadWrite => "off",
            TargetSessionAttrs::ReadOnly => "on",
            _ => return Ok(walsender),
        };
        let found = walsender.ask("SHOW transaction_read_only").await?;
        if found.first().and_then(|value| value.as_deref()) != Some(wanted) {
            return Err(Lost::Unusable(
                "this server is not of the kind that the URL asks for (target_session_attrs)".to_owned(),
            ));
        }
        Ok(walsender)
    }

    async fn authenticate(&mut self, config: &Config) -> Result<(), Lost> {
        let mut scram = None;
        loop {
            let frame = self.frame().await?;
            match frame.tag {
                b'E' => return Err(frame.refused()),
                b'Z' => return Ok(()),
                b'R' => self.send(&answer(config, &mut scram, frame.body)?).await?,
                _ => {}
            }
        }
    }

    /// Runs a statement or a command of replication; the first row of its answer.
    pub(super) async fn ask(&mut self, command: &str) -> Result<Vec<Option<String>>, Lost> {
        self.query(command).await?;
        let (mut row, mut refused) = (None, None);
        loop {
            let frame = self.frame().await?;
            match frame.tag {
                b'D' if row.is_none() => row = Some(columns(frame.body).ok_or_else(not_understood)?),
                b'E' => refused = Some(frame.refused()),
                b'Z' => return refused.map_or(Ok(row.unwrap_or_default()), Err),
                _ => {}
            }
        }
    }

    /// Sends a command.
    pub(super) async fn query(&mut self, command: &str) -> Result<(), Lost> {
        let mut query = BytesMut::new();
        frontend::query(command, &mut query)?;
        self.send(&query).await
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Lost> {
        self.socket.write_all(bytes).await?;
        Ok(self.socket.flush().await?)
    }

    /// The next message of the server.
    pub(super) async fn frame(&mut self) -> Result<Frame, Lost> {
        loop {
            match Cut::from(&mut self.inbox)? {
                Cut::Whole(frame) => return Ok(frame),
                Cut::TooLarge { .. } => return Err(not_understood()),
                Cut::Nothing => {}
            }
            if self.socket.read_buf(&mut self.inbox).await? == 0 {
                return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
            }
        }
    }
}

/// What is answered to a request to authenticate (PostgreSQL's documentation, "Message Flow": Start-up); nothing when there is nothing to say.
fn answer(config: &Config, scram: &mut Option<ScramSha256>, mut asked: Bytes) -> Result<BytesMut, Lost> {
    let password = || config.get_password().ok_or_else(|| Lost::Unusable("its URL has no password".to_owned()));
    let mut answer = BytesMut::new();
    match asked.try_get_u32().unwrap_or(u32::MAX) {
        0 => {}
        3 => frontend::password_message(password()?, &mut answer)?,
        5 => {
            let salt = asked.as_ref().try_into().map_err(|_| not_understood())?;
            let user = config.get_user().unwrap_or_default();
            frontend::password_message(md5_hash(user.as_bytes(), password()?, salt).as_bytes(), &mut answer)?;
        }
        10 if asked.split(|byte| *byte == 0).any(|name| name == sasl::SCRAM_SHA_256.as_bytes()) => {
            let exchange = scram.insert(ScramSha256::new(password()?, ChannelBinding::unsupported()));
            frontend::sasl_initial_response(sasl::SCRAM_SHA_256, exchange.message(), &mut answer)?;
        }
        11 => {
            let exchange = scram.as_mut().ok_or_else(not_understood)?;
            exchange.update(&asked)?;
            frontend::sasl_response(exchange.message(), &mut answer)?;
        }
        12 => scram.as_mut().ok_or_else(not_understood)?.finish(&asked)?,
        _ => return Err(Lost::Unusable("it asks for a way to authenticate that is not known here".to_owned())),
    }
    Ok(answer)
}

pub(super) fn not_understood() -> Lost {
    Lost::Unusable("what it sent while connecting was not understood; is it a Postgres?".to_owned())
}

fn columns(mut body: Bytes) -> Option<Vec<Option<String>>> {
    let count = body.try_get_u16().ok()?;
    let mut values = Vec::with_capacity(count.into());
    for _ in 0..count {
        let length = body.try_get_i32().ok()?;
        values.push(match usize::try_from(length) {
            Ok(length) if length <= body.len() => Some(String::from_utf8_lossy(&body.split_to(length)).into_owned()),
            Ok(_) => return None,
            Err(_) => None,
        });
    }
    Some(values)
}

fn parameters(config: &Config) -> Vec<(&str, &str)> {
    let mut parameters = vec![("client_encoding", "UTF8"), ("replication", "database")];
    let given = [
        ("user", config.get_user()),
        ("database", config.get_dbname()),
        ("options", config.get_options()),
        ("application_name", config.get_application_name()),
    ];
    parameters.extend(given.into_iter().filter_map(|(name, value)| Some((name, value?))));
    parameters
}

/// Where one server may be.
struct Endpoint {
    /// As certificates name it; none for a socket of this host.
    name: Option<String>,
    /// What is connected to.
    to: Way,
}

enum Way {
    Tcp(String, u16),
    #[cfg(unix)]
    Unix(std::path::PathBuf),
}

fn places(config: &Config) -> Vec<Endpoint> {
    let (hosts, addresses, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    let at = |at: usize| {
        let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
        let address = addresses.get(at).map(ToString::to_string);
        Some(match (hosts.get(at), address) {
            (Some(Host::Tcp(name)), address) => {
                Endpoint { name: Some(name.clone()), to: Way::Tcp(address.unwrap_or_else(|| name.clone()), port) }
            }
            #[cfg(unix)]
            (Some(Host::Unix(folder)), _) => {
                Endpoint { name: None, to: Way::Unix(folder.join(format!(".s.PGSQL.{port}"))) }
            }
            (None, Some(address)) => Endpoint { name: Some(address.clone()), to: Way::Tcp(address, port) },
            (None, None) => return None,
        })
    };
    (0..hosts.len().max(addresses.len())).filter_map(at).collect()
}

async fn open(address: &Address, config: &Config, place: &Endpoint) -> Result<Box<dyn Socket>, Lost> {
    let mut tcp = match &place.to {
        #[cfg(unix)]
        Way::Unix(path) => return Ok(Box::new(UnixStream::connect(path).await?)),
        Way::Tcp(host, port) => TcpStream::connect((host.as_str(), *port)).await?,
    };
    tcp.set_nodelay(true)?;
    let mode = config.get_ssl_mode();
    if mode == SslMode::Disable {
        return Ok(Box::new(tcp));
    }
    if config.get_ssl_negotiation() == SslNegotiation::Postgres {
        let mut ask = BytesMut::new();
        frontend::ssl_request(&mut ask);
        tcp.write_all(&ask).await?;
        if tcp.read_u8().await? != b'S' {
            return match mode {
                SslMode::Prefer => Ok(Box::new(tcp)),
                _ => Err(Lost::Unusable(
                    "the server does not support TLS; write sslmode=disable into its URL where the network is trusted"
                        .to_owned(),
                )),
            };
        }
    }
    let name = place.name.as_deref().unwrap_or_default();
    let tls = MakeTlsConnect::<TcpStream>::make_tls_connect(&mut address.tls(), name);
    let tls = tls.map_err(|error| Lost::Unusable(format!("TLS cannot be set up: {error}")))?;
    Ok(Box::new(tls.connect(tcp).await?))
}
