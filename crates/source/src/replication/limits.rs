//! Every limit of replication, in one place.

/// The longest message that is read, in bytes; the row of a longer one is told as a gap.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What is read at once, in bytes.
pub(super) const READ_BYTES: usize = 64 * 1024;
/// So many reads wait between the connection and whoever takes changes from it; then the database waits.
pub(super) const READS_WAITING_MAX: usize = 8;
/// What is kept of one transaction to tell its net change, in bytes of messages. A transaction that is larger is told in several parts: a record
/// that changes in two of them is two changes. Where a part ends follows from this figure, and ids of changes from that: when a release
/// changes it, a large transaction that is read on either side of the upgrade may be told twice.
pub const TRANSACTION_BYTES_MAX: usize = 32 * 1024 * 1024;
/// What a record costs beside its messages when a transaction's size is counted, in bytes.
pub(super) const RECORD_BYTES: usize = 256;
/// The changes of one batch, in bytes of messages; one that is larger goes alone.
pub const BATCH_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Values that are made into JSON by one statement.
pub(super) const VALUES_MAX: usize = 10_000;
/// How often the database hears how far changes are in the store while nothing happens, in milliseconds. It is asked to answer.
pub(super) const STATUS_MS: u64 = 10_000;
/// A connection that says nothing for so long is given up, in milliseconds.
pub(super) const SILENCE_MS_MAX: u64 = 60_000;
/// How long a connection's last words may take, in milliseconds.
pub(super) const FAREWELL_MS_MAX: u64 = 1_000;
