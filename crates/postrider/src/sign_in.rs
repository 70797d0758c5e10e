//! How the operator gets to the dashboard from the terminal in which the server was started.

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::Millis;
use postrider_server::Passes;
use zeroize::Zeroizing;

/// How long the link in the terminal works.
const LASTS: Duration = Duration::from_secs(15 * 60);

/// What a link to the dashboard is made of.
pub(crate) struct SignIn {
    pub(crate) passes: Arc<Passes>,
    pub(crate) public_url: String,
    pub(crate) operator_key_hash: [u8; 32],
    pub(crate) now: Millis,
}

impl SignIn {
    /// Says where the dashboard is. Somebody at a terminal is let in by the link; what is not a terminal may be a log, where no credential belongs.
    pub(crate) fn say(&self, is_terminal: bool) -> anyhow::Result<()> {
        if is_terminal {
            eprintln!("{}", *self.line()?);
        } else {
            tracing::info!(url = self.page(), "the dashboard is there");
        }
        Ok(())
    }

    fn page(&self) -> String {
        format!("{}/portal", self.public_url)
    }

    fn line(&self) -> anyhow::Result<Zeroizing<String>> {
        let token = self.passes.operator_session(&self.operator_key_hash, self.now, LASTS)?;
        let (minutes, page) = (LASTS.as_secs() / 60, self.page());
        Ok(Zeroizing::new(format!("dashboard, signed in as the operator for {minutes} minutes: {page}#{}", *token)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postrider_store::{MasterKey, SqliteOptions, SqliteStore};

    #[test]
    fn a_terminal_is_shown_a_link_that_signs_in() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(dir.path(), MasterKey::generate().unwrap(), &SqliteOptions::default()).unwrap();
        let passes = Arc::new(Passes::of(&store).unwrap());
        let (public_url, now) = ("https://webhooks.example.com".to_owned(), Millis(0));
        let sign_in = SignIn { passes, public_url, operator_key_hash: [7; 32], now };
        assert_eq!(sign_in.page(), "https://webhooks.example.com/portal");
        let shown = sign_in.line().unwrap();
        assert!(shown.contains("15 minutes: https://webhooks.example.com/portal#ses_"), "{}", *shown);
    }
}
