//! Changing an endpoint or an organisation: read, changed, written, and all of it again when somebody else, perhaps on another node, changed the organisation's
//! configuration in between. So no change undoes another that it has not seen: not a secret that was just replaced, nor a status.

use postrider_domain::{Action, Endpoint, EndpointId, Facts, Organization, OrganizationId};
use postrider_store::{Configuration, Edit, StoreError, Version};

use crate::call::Call;
use crate::limits::EDIT_TRIES_MAX;
use crate::problem::Problem;
use crate::state::Running;

/// One change of an endpoint.
pub(crate) struct Changing<'a> {
    app: &'a Running,
    call: &'a Call,
    organization: &'a OrganizationId,
    action: Action,
    id: EndpointId,
    all: Vec<Endpoint>,
    basis: Option<Version>,
    tries: usize,
}

impl<'a> Changing<'a> {
    pub(crate) fn of(
        app: &'a Running,
        call: &'a Call,
        (organization, id): (&'a OrganizationId, EndpointId),
        action: Action,
    ) -> Self {
        Changing { app, call, organization, action, id, all: Vec::new(), basis: None, tries: 0 }
    }

    /// The organisation's endpoints, as they were when the one to change was read.
    pub(crate) fn all(&self) -> &[Endpoint] {
        &self.all
    }

    /// The endpoint as it is now, or 404.
    pub(crate) async fn endpoint(&mut self) -> Result<Endpoint, Problem> {
        let missing = || Problem::missing("endpoint");
        let configuration = self.app.store().configuration(self.organization).await?.ok_or_else(missing)?;
        self.basis = Some(configuration.version);
        self.all = configuration.endpoints;
        self.all.iter().find(|endpoint| endpoint.id == self.id).cloned().ok_or_else(missing)
    }

    /// Whether the change was written; if not, it is to be made again from the endpoint as it is then.
    pub(crate) async fn is_written(&mut self, before: &Endpoint, after: &mut Endpoint) -> Result<bool, Problem> {
        after.updated_at = self.app.now();
        let (was, is) = (Facts::of_endpoint(before), Facts::of_endpoint(after));
        let audit = self.call.audit(self.app, self.action.clone(), after.id).telling(&was, &is);
        self.tries += 1;
        match self.app.store().update_endpoint(after, &Edit { audit, basis: self.basis }).await {
            Err(StoreError::Outdated) if self.tries < EDIT_TRIES_MAX => Ok(false),
            written => {
                written?;
                self.app.engine().changed(self.organization);
                Ok(true)
            }
        }
    }
}

/// Changes an organisation as `change` says; called again with it as it is by then, when somebody else was faster.
pub(crate) async fn change_organization(
    app: &Running,
    call: &Call,
    id: &OrganizationId,
    change: impl Fn(&mut Organization) -> Result<(), Problem>,
) -> Result<Organization, Problem> {
    let _edit = app.edit(id).await;
    let mut tries = 0;
    loop {
        let found = app.store().configuration(id).await?.ok_or_else(|| Problem::missing("organization"))?;
        let mut after = found.organization.clone();
        change(&mut after)?;
        after.updated_at = app.now();
        tries += 1;
        match write_change(app, call, &found, &after).await {
            Err(StoreError::Outdated) if tries < EDIT_TRIES_MAX => {}
            written => {
                written?;
                app.engine().changed(id);
                return Ok(after);
            }
        }
    }
}

/// Writes what became of an organisation that was read, with its audit entry; refused as outdated when it has changed since.
pub(crate) async fn write_change(
    app: &Running,
    call: &Call,
    known: &Configuration,
    after: &Organization,
) -> Result<(), StoreError> {
    let (was, is) = (Facts::of_organization(&known.organization), Facts::of_organization(after));
    let audit = call.audit(app, Action::ORGANIZATION_CHANGED, &after.id).telling(&was, &is);
    app.store().update_organization(after, &Edit { audit, basis: Some(known.version) }).await
}
