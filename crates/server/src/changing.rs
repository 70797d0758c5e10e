//! Changing an endpoint: read, changed, written, and all of it again when somebody else, perhaps on another node, changed the organisation's
//! configuration in between. So no change undoes another that it has not seen: not a secret that was just replaced, nor a status.

use postrider_domain::{Action, Endpoint, EndpointId, Facts, OrganizationId};
use postrider_store::{Edit, StoreError, Version};

use crate::call::Call;
use crate::problem::Problem;
use crate::state::Running;

/// How often a change is made again before the caller is told to come back.
const TRIES_MAX: u32 = 8;

/// One change of the endpoint in a call's path.
pub(crate) struct Changing<'a> {
    app: &'a Running,
    call: &'a Call,
    organization: &'a OrganizationId,
    action: Action,
    basis: Option<Version>,
    tries: u32,
}

impl<'a> Changing<'a> {
    pub(crate) fn of(app: &'a Running, call: &'a Call, organization: &'a OrganizationId, action: Action) -> Self {
        Changing { app, call, organization, action, basis: None, tries: 0 }
    }

    /// The endpoint as it is now, or 404.
    pub(crate) async fn endpoint(&mut self) -> Result<Endpoint, Problem> {
        let missing = || Problem::missing("endpoint");
        let id: EndpointId = self.call.id("endpoint", "endpoint")?;
        let configuration = self.app.store().configuration(self.organization).await?.ok_or_else(missing)?;
        self.basis = Some(configuration.version);
        configuration.endpoints.into_iter().find(|endpoint| endpoint.id == id).ok_or_else(missing)
    }

    /// Whether the change was written; if not, it is to be made again from the endpoint as it is then.
    pub(crate) async fn is_written(&mut self, before: &Endpoint, after: &mut Endpoint) -> Result<bool, Problem> {
        after.updated_at = self.app.now();
        let (was, is) = (Facts::of_endpoint(before), Facts::of_endpoint(after));
        let audit = self.call.audit(self.app, self.action.clone(), after.id).telling(&was, &is);
        self.tries += 1;
        match self.app.store().update_endpoint(after, &Edit { audit, basis: self.basis }).await {
            Err(StoreError::Outdated) if self.tries < TRIES_MAX => Ok(false),
            written => {
                written?;
                self.app.engine().changed(self.organization);
                Ok(true)
            }
        }
    }
}
