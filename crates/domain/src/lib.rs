//! Nouns and pure decisions: what an event, an endpoint, a delivery and an attempt are, and what happens to a delivery
//! after each attempt. No I/O, no async, no clock: time and randomness are arguments. JSON, SQL and HTTP live on the floors above.

mod advice;
mod attempt;
mod audit;
mod delivery;
mod disabled;
mod endpoint;
mod event;
mod finding;
mod ids;
mod key;
mod notice;
mod operation;
mod operational;
mod organization;
mod param;
mod reachability;
mod rotation;
mod schedule;
mod secret;
mod source;
mod streak;
mod subscription;
mod tally;
mod time;

pub use advice::{Advice, advice};
pub use attempt::{AttemptFailure, FailureKind, Verdict};
pub use audit::{Action, Actor, AuditEntry, Facts, Field, Told};
pub use delivery::{DeliveryStatus, Ended, FailReason, Progress, Resume, Transition, Trigger, after_attempt};
pub use disabled::{DisabledReason, LatestFailure};
pub use endpoint::{Endpoint, EndpointOrdering, EndpointStatus, Overlap, SigningSecrets};
pub use event::{EventId, EventIdError, Resource};
pub use finding::{Finding, FindingKind};
pub use ids::{
    AttemptId, AuditId, DeliveryId, EndpointId, IdError, KeyId, NoticeId, OperationId, OperationalEventId, decode_id,
    encode_id,
};
pub use key::{Key, Role, Scope, ScopeError};
pub use notice::{Notice, NoticeKind};
pub use operation::OperationStatus;
pub use operational::{OperationalEvent, OperationalKind};
pub use organization::{EventValidation, Organization, OrganizationId, OrganizationIdError};
pub use param::{Param, Params};
pub use reachability::{Contact, OutageChange, Reachability};
pub use rotation::OverlapOpen;
pub use schedule::{Failed, Schedule, ScheduleKind, Slot};
pub use secret::Secret;
pub use source::{SourceBackfill, SourceOutbox, SourceSlot, SourceState, SourceStatus};
pub use streak::{Streak, StreakChange, StreakLimit, StreakStep};
pub use subscription::{Subscription, SubscriptionError};
pub use tally::{Buckets, Hour, ResponseTimes, Tally};
pub use time::Millis;
