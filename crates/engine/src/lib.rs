//! What happens to an event: accept → commit → lane → attempt → outcome → record.
//!
//! Words: a *lane* is the in-memory queue of one endpoint's due deliveries; its *window* is how many of them it holds at most; what it
//! *holds* has been committed or claimed and is not yet recorded; its *slots* are the attempts it may have under way at once.
//! A *backlog* is due work that a lane does not hold and has to claim from the store.

mod accept;
mod attempt;
mod clock;
mod directory;
mod engine;
mod error;
mod held;
mod ids;
mod json_depth;
mod lane;
mod lanes;
mod limits;
mod model;
mod recorder;
mod retention;
mod revisions;
mod scheduler;
mod slots;
mod test_event;

#[cfg(any(test, feature = "test-clock"))]
pub use clock::MovableClock;
pub use clock::{Clock, SystemClock};
pub use engine::{Engine, EngineParts};
pub use error::{AcceptError, EngineError, EventMistake, TestError};
pub use ids::Ids;
pub use limits::EngineLimits;
pub use model::{Accepted, IncomingEvent, TestOutcome};
