//! The way to the operator's SMTP server.

use std::error::Error as _;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use postrider_domain::{Millis, NoticeId, Secret};

use crate::letter::Mail;

/// How long one command may take.
const COMMAND: Duration = Duration::from_secs(20);
/// How long sending one mail may take in all.
const WHOLE: Duration = Duration::from_secs(60);

/// How the connection is kept from others' eyes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// TLS from the first byte (RFC 8314, section 3.3).
    Tls,
    /// STARTTLS, without which nothing is sent (RFC 3207).
    StartTls,
    /// Not at all.
    None,
}

/// Where mail goes.
#[derive(Clone, Debug)]
pub struct SmtpSettings {
    /// The server's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: SmtpSecurity,
    /// Who logs in; nobody when none.
    pub credentials: Option<(String, Secret)>,
    /// Whom mail is from: `a@b.example` or `Name <a@b.example>`.
    pub from: String,
    /// Certificate authorities as PEM text that the server is trusted with, besides Mozilla's.
    pub ca_pem: Option<Vec<u8>>,
}

/// To whom, when, and under which id: the same for a mail that is sent again.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// The recipient's address.
    pub to: &'a str,
    /// What the mail's id is made of.
    pub notice: NoticeId,
    /// Its date.
    pub now: Millis,
}

/// Why a mail was not sent. Names no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct MailError {
    /// What happened, in a sentence.
    pub message: String,
    /// Whether sending it again can not help.
    pub is_final: bool,
}

impl MailError {
    fn passing(message: impl Into<String>) -> Self {
        MailError { message: message.into(), is_final: false }
    }

    fn last(message: impl Into<String>) -> Self {
        MailError { message: message.into(), is_final: true }
    }
}

/// Sends mail.
#[async_trait]
pub trait Mailer: Send + Sync + 'static {
    /// Hands one over to the next server. An error does not say that it did not arrive.
    async fn send(&self, envelope: Envelope<'_>, mail: &Mail) -> Result<(), MailError>;
}

/// Sends mail through an SMTP server, on a connection for each.
pub struct SmtpMailer {
    from: Mailbox,
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl SmtpMailer {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the settings.
    pub fn new(settings: SmtpSettings) -> Result<Self, String> {
        let from = parse_mailbox(&settings.from)?;
        let tls = match settings.security {
            SmtpSecurity::None => Tls::None,
            SmtpSecurity::StartTls => Tls::Required(tls(&settings)?),
            SmtpSecurity::Tls => Tls::Wrapper(tls(&settings)?),
        };
        let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(settings.host)
            .port(settings.port)
            .timeout(Some(COMMAND))
            .hello_name(ClientId::Domain(from.email.domain().to_owned()))
            .tls(tls);
        let builder = match settings.credentials {
            None => builder,
            Some((user, password)) => builder.credentials(Credentials::new(user, password.reveal().to_owned())),
        };
        Ok(SmtpMailer { from, transport: builder.build() })
    }

    fn message(&self, envelope: Envelope<'_>, mail: &Mail) -> Result<Message, MailError> {
        let to: Mailbox = envelope
            .to
            .parse()
            .map_err(|_| MailError::last("the owner's address is no address that mail can go to"))?;
        let ms = u64::try_from(envelope.now.0).unwrap_or_default();
        let part = |kind, body: &str| {
            let part = SinglePart::builder()
                .header(kind)
                .header(lettre::message::header::ContentTransferEncoding::QuotedPrintable);
            part.body(body.to_owned())
        };
        let parts = MultiPart::alternative()
            .singlepart(part(ContentType::TEXT_PLAIN, &mail.text))
            .singlepart(part(ContentType::TEXT_HTML, &mail.html));
        Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(mail.subject.clone())
            .date(SystemTime::UNIX_EPOCH + Duration::from_millis(ms))
            .message_id(Some(format!("<{}@{}>", envelope.notice, self.from.email.domain())))
            .raw_header(header("Content-Language", mail.language))
            .raw_header(header("Auto-Submitted", "auto-generated"))
            .multipart(parts)
            .map_err(|error| MailError::last(format!("the mail cannot be written: {error}")))
    }
}

fn header(name: &'static str, value: &str) -> lettre::message::header::HeaderValue {
    let name = lettre::message::header::HeaderName::new_from_ascii_str(name);
    lettre::message::header::HeaderValue::new(name, value.to_owned())
}

/// Whether mail may be from it.
///
/// # Errors
/// A sentence that says what is wrong and what to write.
pub fn check_address(text: &str) -> Result<(), String> {
    parse_mailbox(text).map(|_| ())
}

/// Reads `a@b.example` or `Name <a@b.example>`.
fn parse_mailbox(text: &str) -> Result<Mailbox, String> {
    text.parse().map_err(|_| {
        format!("{text:?} is no address; write one as webhooks@example.com or Name <webhooks@example.com>")
    })
}

fn tls(settings: &SmtpSettings) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(settings.host.clone());
    if let Some(pem) = &settings.ca_pem {
        let wrong = |error| format!("the certificate authorities for SMTP cannot be used: {error}");
        builder = builder.add_root_certificate(Certificate::from_pem(pem).map_err(wrong)?);
    }
    builder.build_rustls().map_err(|error| format!("TLS to the SMTP server cannot be set up: {error}"))
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, envelope: Envelope<'_>, mail: &Mail) -> Result<(), MailError> {
        let message = self.message(envelope, mail)?;
        match tokio::time::timeout(WHOLE, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(told(&error)),
            Err(_) => Err(MailError::passing(format!("the SMTP server did not take it within {} s", WHOLE.as_secs()))),
        }
    }
}

/// The server's own words may repeat an address, so its code alone is told. A refusal of the login is the operator's to mend.
fn told(error: &lettre::transport::smtp::Error) -> MailError {
    match error.status() {
        Some(code) => MailError::passing(format!("the SMTP server answered {code}")),
        None => {
            let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
            MailError::passing(format!("the SMTP server could not be used{source}"))
        }
    }
}
