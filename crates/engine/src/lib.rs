//! What happens to an event: accept → commit → lane → attempt → outcome → record.
//!
//! Words: a *lane* is the in-memory queue of one endpoint's due deliveries; its *window* is how many of them it holds at most; what it
//! *holds* has been committed or claimed and is not yet recorded; its *slots* are the attempts it may have under way at once.
//! A *backlog* is due work that a lane does not hold and has to claim from the store.
//!
//! Where many nodes share a store, each keeps one *lease* (`keeping`), *tends* to the lanes attached to it (`tending`: takes free ones, looks through
//! its own, gives away what is above its *share*) and *hears* what the others tell it (`hearing`). An embedded store has one node, whose lease
//! lasts for ever: there none of this runs.

mod accept;
mod attempt;
mod checking;
mod clock;
mod commit;
mod derive;
mod diagnosis;
mod directory;
mod engine;
mod erasing;
mod error;
mod exchange;
mod failing;
mod hearing;
mod held;
mod ids;
mod json_depth;
mod keeping;
mod lane;
mod lanes;
mod lease;
mod limits;
mod model;
mod notices;
mod operating;
mod operational;
mod overdue;
mod pace;
mod preview;
mod ramp;
mod recorder;
mod recovery;
mod resting;
mod retention;
mod retry;
mod revisions;
mod rounds;
mod routing;
mod scheduler;
mod share;
mod slots;
mod spans;
mod statistics;
mod status;
mod stream;
mod tending;
mod test_event;
mod to_its_end;

#[cfg(any(test, feature = "test-clock"))]
pub use clock::MovableClock;
pub use clock::{Clock, StoreClock, SystemClock};
pub use diagnosis::{Check, CheckOutcome, Diagnosis, UrlDiagnosis};
pub use engine::{Engine, EngineParts};
pub use error::{
    AcceptError, EngineError, EventMistake, EventMistakeKind, PreviewError, RecoverError, TestError, count_store_error,
};
pub use ids::Ids;
pub use limits::EngineLimits;
pub use model::{Accepted, AcceptedSound, IncomingEvent, Missed, Retry, TestOutcome};
pub use preview::{FilterPreview, Noted, PreviewRequest, PreviewedEvent};
pub use routing::{Routed, RoutingOutcome};
pub use statistics::EndpointStatistics;
pub use status::Status;
pub use stream::{StreamPage, StreamPosition, Streamed, StreamedRequest};
