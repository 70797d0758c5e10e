//! Every limit of the store, in one place.

/// Commands waiting for the writer; one more is refused at once.
pub(crate) const WRITES_WAITING_MAX: usize = 8_192;
/// Bytes of commands waiting for the writer; one more is refused at once.
pub(crate) const WRITES_WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long a commit may have waited for a writer; one that waited longer is refused, so that readers of a stream need not look back further.
pub(crate) const COMMIT_WAITS_MS_MAX: u128 = 15_000;
/// Commands that share one transaction.
pub(crate) const GROUP_WRITES_MAX: usize = 512;
/// Bytes of commands that share one transaction, unless a single one is larger.
pub(crate) const GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Threads that read.
pub(crate) const READERS: usize = 3;
/// Reads waiting for a thread; one more is refused at once.
pub(crate) const READS_WAITING_MAX: usize = 4_096;
/// The writer's page cache.
pub(crate) const WRITER_CACHE_KIB: i64 = 16 * 1024;
/// Each reader's page cache.
pub(crate) const READER_CACHE_KIB: i64 = 2 * 1024;
/// Frames of 4 KiB in the write-ahead log from which on it is copied into the database.
pub(crate) const CHECKPOINT_FRAMES: usize = 4_000;
/// Frames in the write-ahead log from which on commits wait until it was copied.
pub(crate) const CHECKPOINT_FRAMES_MAX: usize = 12_000;
/// Frames that the writer copies itself to empty the log, so short that no commit waits long.
pub(crate) const CHECKPOINT_FRAMES_INLINE: usize = 256;
/// The write-ahead log's file is cut to this when it is begun anew.
pub(crate) const WAL_BYTES_KEPT: i64 = 64 * 1024 * 1024;
/// Prepared statements kept by a connection.
pub(crate) const STATEMENTS_CACHED: usize = 128;
/// Names, endpoints, revisions or organisations of which the writer remembers the numbers, each.
pub(crate) const NUMBERS_CACHED: usize = 50_000;
/// Data keys kept open in memory.
pub(crate) const DATA_KEYS_CACHED: usize = 10_000;
/// Rows that one page of a list examines at most; it may then be short and still have a next one.
pub(crate) const LIST_ROWS_EXAMINED_MAX: usize = 10_000;
/// Rows that one page of a list holds at most, whatever is asked for.
pub(crate) const PAGE_ROWS_MAX: usize = 1_000;
/// Endpoints or organisations that one search looks at, at most; its page says where the next one goes on.
pub(crate) const SEARCHED_ROWS_MAX: usize = 2_000;
/// Those of them that it holds at once.
pub(crate) const SEARCHED_AT_ONCE: usize = 250;
/// Entries of the index by record that wait to be merged into it; a look-up goes through them one by one.
pub(crate) const FRESH_RESOURCES_MAX: usize = 32_768;
/// Entries that each group merges at least while a merge is under way.
pub(crate) const MERGED_A_GROUP_MIN: usize = 64;
/// Entries that each group merges at most, so that no commit waits long for them.
pub(crate) const MERGED_A_GROUP_MAX: usize = 8_192;
/// Entries in one merge from which on a group may merge more than that, so that they stay bounded under any load.
pub(crate) const FRESH_RESOURCES_CROWDED: usize = 8 * FRESH_RESOURCES_MAX;
/// The part of what lies above it that each group then merges at least, as one in so many.
pub(crate) const MERGED_A_GROUP_CROWDED_SHARE: usize = 8;
/// Damaged deliveries that one claim passes over, about; where there are more, the lane waits until retention has taken them.
pub(crate) const CLAIM_FAULTS_MAX: usize = 10_000;
/// Entries of the audit trail that one page of a filtered list opens at most; it may then be short and still have a next one.
pub(crate) const AUDIT_ROWS_EXAMINED_MAX: usize = 1_000;
/// Events about one record that one page of a delivery list examines at most.
pub(crate) const RESOURCE_EVENTS_EXAMINED_MAX: usize = 2_000;
/// Bytes of event data that one page of events unseals; it may then be short and still have a next one.
pub(crate) const EVENTS_PAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// An id's time may differ by this from the time that is stored beside it.
pub(crate) const ID_TIME_SLACK_MS: i64 = 60_000;
/// How long an event id that the caller chose is remembered.
pub(crate) const CHOSEN_ID_MS: i64 = 72 * 3_600_000;
/// How long an answer to an idempotent request is kept.
pub(crate) const IDEMPOTENCY_MS: i64 = 24 * 3_600_000;
/// Idempotent requests under way at once.
pub(crate) const IDEMPOTENT_RUNNING_MAX: usize = 100_000;
/// Rows that retention drops in one transaction at most.
pub(crate) const RETENTION_UNIT_ROWS: usize = 100;
/// Deliveries of an old event that are looked up in the time in which a row is dropped, about.
pub(crate) const RETENTION_LOOKUPS_A_ROW: usize = 16;
/// Rows at the left end of a table that retention looks at: a few whose clock was wrong do not hide the old ones behind them.
pub(crate) const RETENTION_WINDOW_ROWS: usize = 1_000;
/// Tombstones of deleted endpoints and organisations that one step looks at.
pub(crate) const SWEEPS_A_STEP: usize = 50;
/// Open deliveries counted before the store opens; more are counted in the background.
pub(crate) const COUNTED_AT_OPEN: u64 = 200_000;

// Postgres.

/// How long callers are refused at once after a connection could not be made.
pub(crate) const GATE_SHUT_MS: u64 = 250;
/// How long a caller waits for one of the pool's connections.
pub(crate) const SESSION_WAIT_MS_MAX: u64 = 2_000;
/// How long a read may take.
pub(crate) const READ_MS_MAX: u64 = 10_000;
/// How long a group's transaction may take.
pub(crate) const WRITE_MS_MAX: u64 = 5_000;
/// Connections that one store has at least.
pub(crate) const CONNECTIONS_MIN: usize = 8;
/// Connections that one store has unless it is told otherwise.
pub(crate) const CONNECTIONS_DEFAULT: usize = 24;
/// How often a role that somebody else makes in the same moment is made.
pub(crate) const ROLE_TRIES_MAX: usize = 20;
/// How long a step of a migration waits for a lock.
pub(crate) const MIGRATION_LOCK_MS_MAX: u64 = 1_000;
/// How long it pauses before it is tried again.
pub(crate) const MIGRATION_PAUSE_MS: u64 = 200;
/// How often it is tried.
pub(crate) const MIGRATION_TRIES_MAX: usize = 300;
/// How many such pauses a node waits for another one's migration.
pub(crate) const MIGRATION_WAITS_MAX: usize = 18_000;
/// Writers of commits, each with a connection.
pub(crate) const COMMIT_WRITERS: usize = 2;
/// Commits that wait before one more writer takes some.
pub(crate) const COMMITS_A_WRITER: usize = 64;
/// Writers of outcomes, each with a connection.
pub(crate) const RECORD_WRITERS: usize = 1;
/// How often a group is tried when others were at the same rows, or when a day's partitions were missing.
pub(crate) const GROUP_TRIES_MAX: usize = 8;
/// How often one group asks again for a lane that comes and goes in that moment.
pub(crate) const LANE_TRIES_MAX: usize = 4;
/// How long hints are gathered before they are told.
pub(crate) const HINTS_GATHERED_FOR_MS: u64 = 5;
/// Lanes with new work that are gathered; nobody is told of one more.
pub(crate) const HINTS_GATHERED_MAX: usize = 20_000;
/// Hints heard and not yet asked for; when there is one more, all are forgotten, and that is said.
pub(crate) const HINTS_HEARD_MAX: usize = 20_000;
/// Bytes of one hint; Postgres takes fewer than 8,000.
pub(crate) const HINT_BYTES_MAX: usize = 7_900;
/// How long a node pauses before it listens again after its connection was lost.
pub(crate) const LISTEN_PAUSE_MS: u64 = 250;
/// Leases that one call revokes.
pub(crate) const LEASES_REVOKED_MAX: i64 = 100;
/// How long freeing the lanes of one lease may take.
pub(crate) const LEASES_REVOKED_MS_MAX: u64 = 60_000;
/// Lanes that are taken in one transaction.
pub(crate) const LANES_TAKEN_AT_ONCE: usize = 1_000;
/// Free lanes that one call looks at, most of which may have no work.
pub(crate) const LANES_LOOKED_AT_MAX: usize = 100_000;
/// How often an answer is looked for that another request has while it is asked for.
pub(crate) const IDEMPOTENCY_LOOKS: usize = 3;
/// Open deliveries that are counted for the metrics and for people who look; where there are more, they are estimated.
pub(crate) const OPEN_COUNTED_MAX: i64 = 10_000;
/// Nodes that are named to people who look.
pub(crate) const NODES_TOLD_MAX: i64 = 100;
/// How long the measured size of the tables is given out.
pub(crate) const SIZE_KEPT_S: u64 = 60;
/// Days after today whose partitions are made ahead.
pub(crate) const PARTITIONS_AHEAD_DAYS: i64 = 7;
/// How long making or dropping a partition waits for a lock.
pub(crate) const PARTITION_LOCK_MS_MAX: u64 = 1_000;
/// How often making a partition is tried.
pub(crate) const PARTITION_TRIES_MAX: usize = 20;
/// Organisations whose open work retention looks at in one transaction.
pub(crate) const EXPIRY_ORGANIZATIONS: i64 = 1_000;
/// How long one who takes or releases lanes waits for a lane that another has locked.
pub(crate) const LANE_LOCK_MS_MAX: u64 = 100;
/// How often lanes are released that others have locked in that moment.
pub(crate) const RELEASE_TRIES_MAX: usize = 50;
/// Bytes of events that were committed or read a moment ago and are kept in memory, about.
pub(crate) const RECENT_EVENTS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The most replaced secrets that one step of retention removes.
pub(crate) const OVERLAPS_ENDED_AT_ONCE: i64 = 100;
