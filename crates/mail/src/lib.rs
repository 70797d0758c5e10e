//! E-mail to the owners of endpoints: what it says, in each language, and the way to the operator's SMTP server.
//!
//! A *letter* is what is to be said; a *mail* is that in words, as plain text and as HTML. The SMTP server is the operator's own choice and often on a
//! private address, so the guard of deliveries does not judge it; nothing that a customer says can choose it.

mod letter;
mod smtp;
mod texts;

pub use letter::{Letter, Mail};
pub use smtp::{Envelope, MailError, Mailer, SmtpMailer, SmtpSecurity, SmtpSettings, check_address};
