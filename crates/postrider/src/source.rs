//! The source that the settings name: a CRM's database whose changes become events.

use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use postrider_database::Address;
use postrider_domain::SourceStatus;
use postrider_engine::Engine;
use postrider_server::Source;
use postrider_source::handover::{HandOver, HandOverParts};
use postrider_source::mapping::Mapping;
use postrider_source::watch::Watch;

use crate::settings::SourceSettings;

/// A source that can be begun with: what its tables mean, and where they are.
pub(crate) struct SourcePlace {
    mapping: Arc<Mapping>,
    address: Address,
}

/// The address of the CRM's database.
///
/// # Errors
/// When it is none, or the certificate authorities are none.
pub(crate) fn address(settings: &SourceSettings, ca_pem: Option<Vec<u8>>) -> anyhow::Result<Address> {
    let ca_pems: Vec<_> = ca_pem.into_iter().collect();
    Address::new(settings.url.reveal(), &ca_pems).with_context(|| format!("source_database_url ({})", settings.url))
}

/// The source, where the settings name one. Nothing is connected.
///
/// # Errors
/// See [`address`].
pub(crate) fn place(
    settings: Option<&SourceSettings>,
    mapping: Option<Arc<Mapping>>,
    ca_pem: Option<Vec<u8>>,
) -> anyhow::Result<Option<SourcePlace>> {
    let (Some(settings), Some(mapping)) = (settings, mapping) else { return Ok(None) };
    Ok(Some(SourcePlace { mapping, address: address(settings, ca_pem)? }))
}

/// How a source is, for the API.
pub(crate) struct Looking(pub(crate) Watch);

#[async_trait]
impl Source for Looking {
    async fn look(&self) -> SourceStatus {
        self.0.look().await
    }
}

impl SourcePlace {
    /// Begins to hand over. The database need not answer yet. `node` is what this node calls itself.
    pub(crate) fn begin(self, engine: &Engine, event_bytes_max: usize, node: String) -> HandOver {
        let SourcePlace { mapping, address } = self;
        tracing::info!(database = %address.place(), tables = mapping.tables.len(), "changes in a CRM's database become events");
        HandOver::start(HandOverParts { mapping, address, engine: engine.clone(), event_bytes_max, node })
    }
}
