//! [`Operations`] for Postgres: each method stands in the module that it names.

use async_trait::async_trait;
use postrider_domain::{AuditEntry, DeliveryId, EndpointId, Millis, OperationId, OrganizationId};
use uuid::Uuid;

use super::{answers, erase, recover};
use crate::error::Result;
use crate::model::{LeaseNo, PageOf, PageRequest, StoredAnswer};
use crate::operations::{
    EraseStep, Erased, Operation, OperationNote, Operations, Record, RecoverStep, RecoverablePage, Recovery, Stepped,
    Waiting,
};
use crate::postgres::PostgresStore;

#[async_trait]
impl Operations for PostgresStore {
    async fn create_operation(&self, operation: &Operation, audit: &AuditEntry) -> Result<()> {
        super::create(self, operation, audit).await
    }

    async fn operation(&self, organization: &OrganizationId, id: OperationId) -> Result<Option<Operation>> {
        super::get(self, organization, id).await
    }

    async fn operations(&self, organization: &OrganizationId, page: PageRequest) -> Result<PageOf<Operation>> {
        super::list(self, organization, page).await
    }

    async fn take_operations(&self, lease: LeaseNo, limit: usize) -> Result<Vec<Operation>> {
        super::take(self, lease, limit).await
    }

    async fn note_operation(
        &self,
        lease: LeaseNo,
        organization: &OrganizationId,
        id: OperationId,
        note: &OperationNote,
        now: Millis,
    ) -> Result<bool> {
        super::note(self, lease, organization, id, note, now).await
    }

    async fn recoverable(
        &self,
        organization: &OrganizationId,
        recovery: &Recovery,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<RecoverablePage> {
        recover::page(self, organization, recovery, after, limit).await
    }

    async fn recover(
        &self,
        lease: LeaseNo,
        organization: &OrganizationId,
        endpoint: EndpointId,
        step: &RecoverStep,
    ) -> Result<Stepped> {
        recover::step(self, lease, organization, endpoint, step).await
    }

    async fn waiting(
        &self,
        organization: &OrganizationId,
        endpoint: EndpointId,
        of: &[DeliveryId],
        now: Millis,
    ) -> Result<Waiting> {
        recover::waiting(self, organization, endpoint, of, now).await
    }

    async fn count_about(
        &self,
        organization: &OrganizationId,
        record: &Record,
        upto: Millis,
        at_most: usize,
    ) -> Result<usize> {
        erase::count(self, organization, record, upto, at_most).await
    }

    async fn erase(&self, lease: LeaseNo, organization: &OrganizationId, step: &EraseStep) -> Result<Option<Erased>> {
        erase::step(self, lease, organization, step).await
    }

    async fn stored_answers(
        &self,
        organization: &OrganizationId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, StoredAnswer)>> {
        answers::page(self, organization, after, limit).await
    }

    async fn forget_answer(&self, organization: &OrganizationId, key: &str) -> Result<()> {
        answers::forget(self, organization, key).await
    }
}
