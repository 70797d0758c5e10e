//! The source as the server sees it: something that tells how it is.

use async_trait::async_trait;
use postrider_domain::SourceStatus;

/// Looks at a source.
#[async_trait]
pub trait Source: Send + Sync {
    /// How it is now; within a few seconds, whether its database answers or not.
    async fn look(&self) -> SourceStatus;
}
