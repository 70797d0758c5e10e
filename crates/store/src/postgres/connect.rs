//! What the store's sessions are set to.
//!
//! Every session is one of a *role*: the engine's, which the few statements run as that cross organisations, or the tenant's, which sees
//! one organisation at a time. What a role is set to goes with the connection's start, so that no session is ever without it.

pub(super) use postrider_database::Address;

use crate::limits::{READ_MS_MAX, WRITE_MS_MAX};

/// As whom a session works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Whoever the URL names: it owns the tables.
    Owner,
    /// What crosses organisations.
    Engine,
    /// One organisation at a time.
    Tenant,
}

/// What every session is set to. All statements are written for the indexes they use: no plan may read a whole table because its statistics
/// are old, and a commit in a hurry is not the moment to compile one.
const SESSION: &str = "-c search_path=postrider -c client_min_messages=warning -c idle_in_transaction_session_timeout=5s -c enable_seqscan=off \
                       -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off -c DateStyle=ISO -c TimeZone=UTC";

impl Role {
    /// The engine's statements are planned once. The tenant's are planned for their values, so that those on history lock and look at the
    /// partitions of those days alone; lists go along an index and stop when the page is full, where a bitmap would first find all.
    pub(super) fn options(self) -> String {
        match self {
            Role::Owner => "-c search_path=postrider -c client_min_messages=warning".to_owned(),
            Role::Engine => format!(
                "{SESSION} -c role=postrider_engine -c plan_cache_mode=force_generic_plan -c statement_timeout={WRITE_MS_MAX}"
            ),
            Role::Tenant => format!(
                "{SESSION} -c role=postrider_tenant -c plan_cache_mode=force_custom_plan -c enable_bitmapscan=off \
                 -c statement_timeout={READ_MS_MAX}"
            ),
        }
    }
}
