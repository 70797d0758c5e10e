//! The contract texts that deliveries were made under, compiled: a delivery keeps its revision, whatever is edited later.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use postrider_contract::{Contract, Contracts};
use postrider_store::{ContractRevision, RevisionId, Store};

use crate::error::EngineError;

pub(crate) struct Revisions {
    store: Arc<dyn Store>,
    loaded: HashMap<RevisionId, Arc<Contract>>,
    older: RwLock<HashMap<RevisionId, Arc<Contract>>>,
    older_max: usize,
}

pub(crate) fn revision_of(contract: &Contract) -> RevisionId {
    RevisionId(contract.revision().0)
}

impl Revisions {
    pub(crate) fn new(store: Arc<dyn Store>, contracts: Arc<Contracts>, older_max: usize) -> Self {
        let loaded = contracts.iter().map(|contract| (revision_of(contract), Arc::clone(contract))).collect();
        Revisions { store, loaded, older: RwLock::default(), older_max }
    }

    /// Keeps the text of every loaded contract, before a delivery is made under it.
    pub(crate) async fn save_loaded(&self) -> Result<(), EngineError> {
        for (id, contract) in &self.loaded {
            let revision =
                ContractRevision { id: *id, name: contract.name().to_owned(), text: contract.text().to_string() };
            self.store.save_contract_revision(&revision).await?;
        }
        Ok(())
    }

    pub(crate) async fn contract(&self, id: RevisionId) -> Result<Arc<Contract>, EngineError> {
        if let Some(contract) = self.loaded.get(&id) {
            return Ok(Arc::clone(contract));
        }
        if let Some(contract) = self.older.read().get(&id) {
            return Ok(Arc::clone(contract));
        }
        let contract = Arc::new(self.compile(id).await?);
        let mut older = self.older.write();
        if older.len() >= self.older_max {
            older.clear();
        }
        older.insert(id, Arc::clone(&contract));
        Ok(contract)
    }

    async fn compile(&self, id: RevisionId) -> Result<Contract, EngineError> {
        let unreadable = |reason: String| EngineError::RevisionUnreadable { id: hex(id), reason };
        let kept =
            self.store.contract_revision(id).await?.ok_or_else(|| unreadable("its text is not kept".to_owned()))?;
        Contract::parse(&kept.text, &kept.name)
            .map_err(|mistakes| unreadable(mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))
    }
}

fn hex(id: RevisionId) -> String {
    id.0.iter().map(|byte| format!("{byte:02x}")).collect()
}
