//! Operations: asked for, taken, and worked on turn by turn, beside everything else.

use std::collections::HashMap;
use std::sync::Arc;

use postrider_domain::{AuditEntry, EndpointId, Millis, OperationId, OperationStatus, OrganizationId};
use postrider_store::{Operation, OperationNote, Record, Recovery, Removed, StoreError, Work};

use crate::engine::{Engine, Inner};
use crate::erasing::Erasing;
use crate::error::{EngineError, RecoverError};
use crate::model::Missed;
use crate::recovery::Feeding;

/// What a turn of an operation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// There is more to do now.
    More,
    /// There is more to do when something else has got on.
    Wait,
    /// It has ended, or is another node's.
    Over,
}

/// What this node remembers of an operation between two turns; after a restart it begins anew.
enum Memory {
    Recovering(Feeding),
    Erasing(Erasing),
}

impl Engine {
    /// Sends again, from now on, what events of a span made no successful delivery of to an endpoint: deliveries that failed, with their
    /// schedule from its beginning, and those that were never made because it was paused, disabled, not subscribed or not there yet. What is
    /// pending is left alone. It is done in the background; the operation tells how far it has come.
    ///
    /// # Errors
    /// See [`RecoverError`].
    pub async fn recover(
        &self,
        organization: &OrganizationId,
        endpoint: EndpointId,
        since: Millis,
        until: Option<Millis>,
        audit: AuditEntry,
    ) -> Result<Operation, RecoverError> {
        let inner = &self.inner;
        inner.view_to_recover(organization, endpoint).await?;
        let now = inner.clock.now();
        let operation = inner.operation(organization, Work::Recover(span(endpoint, since, until, now)), now);
        match inner.store.create_operation(&operation, &audit).await {
            Err(StoreError::Exists { .. }) => return Err(RecoverError::Running),
            created => created?,
        }
        inner.look_for_operations.notify_one();
        Ok(operation)
    }

    /// How much [`Engine::recover`] would send, without sending it.
    ///
    /// # Errors
    /// See [`RecoverError`].
    pub async fn preview_recovery(
        &self,
        organization: &OrganizationId,
        endpoint: EndpointId,
        since: Millis,
        until: Option<Millis>,
    ) -> Result<Missed, RecoverError> {
        let recovery = span(endpoint, since, until, self.inner.clock.now());
        self.inner.preview_recovery(organization, &recovery).await
    }

    /// Removes everything about a record that was accepted up to now: events, what is pending of them, the text of their attempts. It is done in
    /// the background; once the operation has succeeded, nothing of it is sent any more on any node. The audit trail tells of the operation, since the
    /// record is to be forgotten.
    ///
    /// # Errors
    /// When the store cannot commit, or there is no such organisation.
    pub async fn erase(
        &self,
        organization: &OrganizationId,
        record: Record,
        audit: impl FnOnce(OperationId) -> AuditEntry,
    ) -> Result<Operation, EngineError> {
        let inner = &self.inner;
        let operation = inner.operation(organization, Work::Erase { record: Some(record) }, inner.clock.now());
        let audit = audit(operation.id);
        inner.store.create_operation(&operation, &audit).await?;
        inner.look_for_operations.notify_one();
        Ok(operation)
    }
}

/// Nothing that is accepted after it was asked for belongs to a recovery: that is sent anyway.
fn span(endpoint: EndpointId, since: Millis, until: Option<Millis>, now: Millis) -> Recovery {
    Recovery { endpoint, since, until: until.map_or(now, |until| until.min(now)) }
}

impl Inner {
    fn operation(&self, organization: &OrganizationId, work: Work, now: Millis) -> Operation {
        Operation {
            id: OperationId(self.ids.next(now)),
            organization: organization.clone(),
            work,
            status: OperationStatus::Running,
            fail_reason: None,
            done: 0,
            total: None,
            cursor: None,
            removed: Removed::default(),
            created_at: now,
            ended_at: None,
        }
    }

    /// Runs until the engine stops.
    pub(crate) async fn run_operations(self: Arc<Self>) {
        let mut memories: HashMap<OperationId, Memory> = HashMap::new();
        while !self.is_stopping() {
            let wait = match self.take_turns(&mut memories).await {
                Some(Turn::More) => continue,
                Some(Turn::Wait) => self.limits.operations_pause,
                Some(Turn::Over) | None => self.limits.operations_every,
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.look_for_operations.notified() => {}
                () = self.stopping.cancelled() => return,
            }
        }
    }

    /// One turn of each operation of this node; none when there is none, or the store cannot be asked.
    async fn take_turns(self: &Arc<Self>, memories: &mut HashMap<OperationId, Memory>) -> Option<Turn> {
        let operations = match self.store.take_operations(self.lanes.lease(), self.limits.operations_max).await {
            Ok(operations) => operations,
            Err(error) => {
                self.note_operation_fault(&error);
                return None;
            }
        };
        memories.retain(|id, _| operations.iter().any(|operation| operation.id == *id));
        let mut then = None;
        for operation in &operations {
            let memory = memories.entry(operation.id).or_insert_with(|| match &operation.work {
                Work::Recover(_) => Memory::Recovering(Feeding::new(operation, &self.limits)),
                Work::Erase { .. } => Memory::Erasing(Erasing::default()),
            });
            let turn = self.turn(operation, memory).await;
            then = match (then, turn) {
                (Some(Turn::More), _) | (_, Turn::More) => Some(Turn::More),
                (_, turn) => Some(turn),
            };
            if self.is_stopping() {
                break;
            }
        }
        then
    }

    async fn turn(self: &Arc<Self>, operation: &Operation, memory: &mut Memory) -> Turn {
        let done = match (&operation.work, memory) {
            (Work::Recover(recovery), Memory::Recovering(feeding)) => {
                self.recover_some(operation, recovery, feeding).await
            }
            (Work::Erase { record: Some(record) }, Memory::Erasing(erasing)) => {
                self.erase_some(operation, record, erasing).await
            }
            // A running erasure knows its record.
            _ => Ok(Turn::Over),
        };
        match done {
            Ok(turn) => turn,
            Err(EngineError::Store(
                error @ (StoreError::Unavailable { .. } | StoreError::LeaseLost | StoreError::Outdated),
            )) => {
                self.note_operation_fault(&error);
                Turn::Wait
            }
            Err(error) => self.give_up_operation(operation, &error).await,
        }
    }

    fn note_operation_fault(&self, error: &StoreError) {
        if matches!(error, StoreError::LeaseLost) {
            self.lease.want_renewal();
        }
        tracing::debug!(%error, "operations cannot go on at the moment");
    }

    /// What would meet it again and again must not keep it running for ever.
    async fn give_up_operation(&self, operation: &Operation, error: &EngineError) -> Turn {
        tracing::error!(operation = %operation.id, organization = %operation.organization, %error, "an operation is given up");
        let reason = "something went wrong on the server; its log says what".to_owned();
        let given_up = self.note_turn(operation, &OperationNote::Failed(reason), Turn::Over).await;
        given_up.unwrap_or(Turn::Wait)
    }

    /// Notes something about an operation, and goes on if it is still this node's.
    pub(crate) async fn note_turn(
        &self,
        operation: &Operation,
        note: &OperationNote,
        then: Turn,
    ) -> Result<Turn, EngineError> {
        let (lease, now) = (self.lanes.lease(), self.clock.now());
        let is_ours = self.store.note_operation(lease, &operation.organization, operation.id, note, now).await?;
        Ok(if is_ours { then } else { Turn::Over })
    }
}
