//! Operations on the shared store: none are asked for in these tests.

use async_trait::async_trait;
use postrider_domain::{AuditEntry, DeliveryId, EndpointId, Millis, OperationId, OrganizationId};
use postrider_store::*;
use uuid::Uuid;

use super::store::{NodeStore, Result};

#[async_trait]
impl Operations for NodeStore {
    async fn create_operation(&self, _: &Operation, _: &AuditEntry) -> Result<()> {
        unreachable!("no test asks for one")
    }
    async fn operation(&self, _: &OrganizationId, _: OperationId) -> Result<Option<Operation>> {
        Ok(None)
    }
    async fn operations(&self, _: &OrganizationId, _: PageRequest) -> Result<PageOf<Operation>> {
        Ok(PageOf { rows: vec![], next: None })
    }
    async fn take_operations(&self, lease: LeaseNo, _: usize) -> Result<Vec<Operation>> {
        self.reach_under(lease).map(|_| vec![])
    }
    async fn note_operation(
        &self,
        _: LeaseNo,
        _: &OrganizationId,
        _: OperationId,
        _: &OperationNote,
        _: Millis,
    ) -> Result<bool> {
        Ok(false)
    }
    async fn recoverable(
        &self,
        _: &OrganizationId,
        _: &Recovery,
        _: Option<Uuid>,
        _: usize,
    ) -> Result<RecoverablePage> {
        Ok(RecoverablePage::default())
    }
    async fn recover(&self, _: LeaseNo, _: &OrganizationId, _: EndpointId, _: &RecoverStep) -> Result<Stepped> {
        Ok(Stepped::Stale)
    }
    async fn waiting(&self, _: &OrganizationId, _: EndpointId, _: &[DeliveryId], _: Millis) -> Result<Waiting> {
        Ok(Waiting::default())
    }
    async fn count_about(&self, _: &OrganizationId, _: &Record, _: Millis, _: usize) -> Result<usize> {
        Ok(0)
    }
    async fn erase(&self, _: LeaseNo, _: &OrganizationId, _: &EraseStep) -> Result<Option<Erased>> {
        Ok(None)
    }
    async fn stored_answers(
        &self,
        _: &OrganizationId,
        _: Option<&str>,
        _: usize,
    ) -> Result<Vec<(String, StoredAnswer)>> {
        Ok(vec![])
    }
    async fn forget_answer(&self, _: &OrganizationId, _: &str) -> Result<()> {
        Ok(())
    }
}
