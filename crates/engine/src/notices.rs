//! Tells owners what happened to their endpoints: a loop beside the deliveries, which wait for none of it.
//!
//! A notice lies in the store from the moment at which what it tells of was decided. One node at a time claims it, looks up whom it goes to, sends it,
//! and forgets it; one that cannot be sent is tried again, later and later, for a bounded time.

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::Millis;
use postrider_mail::{Envelope, Letter, MailError, Mailer};
use postrider_store::ClaimedNotice;

use crate::engine::Inner;
use crate::error::EngineError;

/// What became of a notice that could be read.
enum Told {
    /// The SMTP server took it.
    Sent,
    /// There is nobody to tell any more, or was not: why.
    Nobody(&'static str),
}

impl Inner {
    /// Whether owners are told at all.
    pub(crate) fn tells_owners(&self) -> bool {
        self.mailer.is_some()
    }

    /// Runs until the engine stops.
    pub(crate) async fn run_notices(self: Arc<Self>, mailer: Arc<dyn Mailer>) {
        let mut rounds = self.rounds(self.limits.notices_every, &self.notices_made);
        while rounds.begin().await {
            self.send_due(mailer.as_ref()).await;
        }
    }

    async fn send_due(&self, mailer: &dyn Mailer) {
        while !self.is_stopping() {
            let now = self.clock.now();
            // One at a time, so that what is claimed is sent long before the claim runs out.
            match self.store.claim_notices(now, now + self.limits.notice_claim, 1).await {
                Ok(claimed) if claimed.is_empty() => return,
                Ok(claimed) => {
                    for notice in &claimed {
                        self.send_one_notice(mailer, notice).await;
                    }
                }
                Err(error) => {
                    return tracing::warn!(%error, "notices to owners could not be read; they are looked for again");
                }
            }
        }
    }

    async fn send_one_notice(&self, mailer: &dyn Mailer, claimed: &ClaimedNotice) {
        let notice = &claimed.notice;
        let (id, organization, endpoint, kind) =
            (notice.id, &notice.organization, notice.endpoint, notice.kind.as_str());
        let again_at = match self.tell(mailer, claimed).await {
            Ok(Told::Sent) => {
                tracing::info!(%id, %organization, %endpoint, kind, "the owner was told");
                None
            }
            Ok(Told::Nobody(why)) => {
                tracing::warn!(%id, %organization, %endpoint, kind, "nobody was told: {why}");
                None
            }
            Err(error) => {
                let again_at = self.try_again_at(claimed.tries, notice.made_at, error.is_final);
                match again_at {
                    Some(_) => {
                        tracing::warn!(%id, %organization, %endpoint, kind, %error, "the owner could not be told; trying again later")
                    }
                    None => {
                        tracing::error!(%id, %organization, %endpoint, kind, %error, "the owner could not be told, and that is given up")
                    }
                }
                again_at
            }
        };
        let result = if again_at.is_some() { "retry" } else { "settled" };
        metrics::counter!("postrider_notices_total", "result" => result).increment(1);
        if let Err(error) = self.store.settle_notice(claimed, again_at).await {
            tracing::warn!(%id, %error, "a notice could not be put away; it may be sent once more");
        }
    }

    async fn tell(&self, mailer: &dyn Mailer, claimed: &ClaimedNotice) -> Result<Told, MailError> {
        let notice = &claimed.notice;
        let unread = |error: EngineError| MailError { message: error.to_string(), is_final: false };
        // Read anew: what is remembered may be older than the endpoint, or than its owner's address.
        self.directory.forget(&notice.organization);
        let Some(view) = self.directory.view(&notice.organization).await.map_err(unread)? else {
            return Ok(Told::Nobody("the organization was deleted meanwhile"));
        };
        let Some(endpoint) = view.endpoints.get(&notice.endpoint) else {
            return Ok(Told::Nobody("the endpoint was deleted meanwhile"));
        };
        let Some(to) = view.organization.owner_email.as_deref() else {
            return Ok(Told::Nobody("the organization has no owner_email"));
        };
        let letter = Letter {
            notice,
            organization: &view.organization.name,
            locale: view.organization.locale.as_deref(),
            endpoint: &endpoint.endpoint.name,
            url: &endpoint.endpoint.url,
        };
        let envelope = Envelope { to, notice: notice.id, now: self.clock.now() };
        mailer.send(envelope, &letter.write()).await.map(|()| Told::Sent)
    }

    /// When what was made then is tried again, after so many tries: each time twice as late, for a bounded time.
    pub(crate) fn try_again_at(&self, tries: u32, made_at: Millis, is_final: bool) -> Option<Millis> {
        let now = self.clock.now();
        let (first, most) = (self.limits.notice_again_after, self.limits.notice_again_after_max);
        let wait = first.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(most);
        let is_over = is_final || now.since(made_at) >= self.limits.notice_tried_for;
        (!is_over).then(|| now + wait.max(Duration::from_millis(1)))
    }
}
