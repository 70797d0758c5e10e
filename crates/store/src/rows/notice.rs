//! Notices.

use postrider_domain::{FailureKind, NoticeKind, OrganizationId};

use super::damaged;
use crate::error::Result;

/// Reads the words of a notice's row: its kind, why the latest attempt failed, and its organisation's id.
pub(crate) fn notice_words(
    kind: &str,
    last_failure: &str,
    organization: &str,
) -> Result<(NoticeKind, FailureKind, OrganizationId)> {
    let kind = NoticeKind::parse(kind).ok_or_else(|| damaged("a notice's kind"))?;
    let last_failure = FailureKind::parse(last_failure).ok_or_else(|| damaged("a notice's failure"))?;
    let organization = organization.parse().map_err(|_| damaged("an organization's id"))?;
    Ok((kind, last_failure, organization))
}
