//! Pooled sessions, refused at once while Postgres is away.
//!
//! A *gate* before each pool is shut for a moment when a connection could not be made: whoever comes then is refused without waiting, and
//! after that moment one is let through to try.

use std::ops::Deref;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use deadpool_postgres::{
    ClientWrapper, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, TimeoutType,
};
use parking_lot::Mutex;
use postrider_database::limits::CONNECT_MS_MAX;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};
use uuid::Uuid;

use super::connect::{Address, Role};
use super::error::{self, Place};
use crate::error::{Result, StoreError};
use crate::limits::{GATE_SHUT_MS, READS_WAITING_MAX, SESSION_WAIT_MS_MAX};

/// A statement's values.
pub(super) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// Sessions of one role.
pub(super) struct Sessions {
    pool: Pool,
    place: Arc<Place>,
    gate: Gate,
    deadline: Duration,
}

impl Sessions {
    /// `answer_ms_max`: how long a session waits for the answer to what it asked.
    pub(super) fn new(address: &Address, role: Role, connections_max: usize, answer_ms_max: u64) -> Result<Self> {
        let config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(address.config(&role.options()), address.tls(), config);
        let pool = Pool::builder(manager)
            .max_size(connections_max.max(1))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(Duration::from_millis(SESSION_WAIT_MS_MAX)))
            .create_timeout(Some(Duration::from_millis(CONNECT_MS_MAX)))
            .build()
            .map_err(|error| address.place().unusable(error.to_string()))?;
        let deadline = Duration::from_millis(answer_ms_max);
        Ok(Sessions { pool, place: Arc::clone(address.place()), gate: Gate::default(), deadline })
    }

    /// A session that nobody else has; connected when there is none.
    pub(super) async fn take(&self) -> Result<Session> {
        if self.pool.status().waiting >= READS_WAITING_MAX {
            return Err(StoreError::Unavailable { reason: "too many reads are waiting; ask again later".to_owned() });
        }
        let passed = self.gate.pass()?;
        let object = match self.pool.get().await {
            Ok(object) => object,
            Err(error) => return Err(self.refused(error)),
        };
        self.gate.open();
        drop(passed);
        let place = Arc::clone(&self.place);
        Ok(Session { object: Some(object), place, deadline: self.deadline, is_suspect: AtomicBool::new(false) })
    }

    fn refused(&self, error: PoolError) -> StoreError {
        let error = match error {
            PoolError::Timeout(TimeoutType::Wait) => {
                return StoreError::Unavailable { reason: "all connections to the database are busy".to_owned() };
            }
            PoolError::Closed => return StoreError::Unavailable { reason: "the store is closed".to_owned() },
            PoolError::Backend(error) => error::at_connecting(&self.place, &error),
            PoolError::Timeout(_) => self.place.silent().into(),
            other => StoreError::Unavailable { reason: other.to_string() },
        };
        // What keeps a session from beginning once the store was opened may be mended while it runs.
        let reason = match error {
            StoreError::Unavailable { reason } => reason,
            other => other.to_string(),
        };
        self.gate.shut(reason.clone());
        StoreError::Unavailable { reason }
    }

    pub(super) fn close(&self) {
        self.pool.close();
    }
}

/// A session of a pool, back in it when dropped.
pub(super) struct Session {
    object: Option<Object>,
    place: Arc<Place>,
    deadline: Duration,
    /// It did not answer in time: nobody shall wait behind what it is at.
    is_suspect: AtomicBool,
}

impl Deref for Session {
    type Target = ClientWrapper;

    #[expect(clippy::expect_used, reason = "the object is there until the session is dropped")]
    fn deref(&self) -> &ClientWrapper {
        self.object.as_ref().expect("the object is there until the session is dropped")
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.is_suspect.load(Ordering::Relaxed) {
            drop(self.object.take().map(Object::take));
        }
    }
}

impl Session {
    /// Waits for statements of this session, within the time that its kind may take.
    pub(super) async fn within<T>(
        &self,
        statements: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T> {
        self.within_time(self.deadline, statements).await
    }

    /// The same for what may take longer.
    pub(super) async fn within_time<T>(
        &self,
        at_most: Duration,
        statements: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T> {
        match tokio::time::timeout(at_most, statements).await {
            Ok(done) => done.map_err(|error| error::of_statement(&error)),
            Err(_) => Err(self.give_up()),
        }
    }

    /// It does not answer: its connection goes, and with it a transaction that is not over. So do the idle ones beside it, which may be as dead:
    /// whoever comes next shall not wait as long for each of them.
    pub(super) fn give_up(&self) -> StoreError {
        self.is_suspect.store(true, Ordering::Relaxed);
        if let Some(pool) = self.object.as_ref().and_then(Object::pool) {
            pool.retain(|_, _| false);
        }
        self.place.silent().into()
    }

    /// Undoes a transaction that is under way: sent at once, before whatever the session is used for next; nobody waits for the answer.
    pub(super) fn undo(&self) {
        let undo = pin!(self.batch_execute("ROLLBACK"));
        let _ = undo.poll(&mut Context::from_waker(Waker::noop()));
    }

    /// One statement.
    pub(super) async fn query(&self, sql: &str, values: Values<'_>) -> Result<Vec<Row>> {
        let run = async {
            let statement = self.prepare_cached(sql).await?;
            Client::query(self, &statement, values).await
        };
        self.within(run).await
    }

    /// One statement that writes; how many rows it wrote.
    pub(super) async fn execute(&self, sql: &str, values: Values<'_>) -> Result<u64> {
        let run = async {
            let statement = self.prepare_cached(sql).await?;
            Client::execute(self, &statement, values).await
        };
        self.within(run).await
    }

    /// One statement of one organisation, in a transaction of its own: one round trip.
    pub(super) async fn query_as(&self, org: Uuid, sql: &str, values: Values<'_>) -> Result<Vec<Row>> {
        let run = async {
            let statement = self.prepare_cached(sql).await?;
            let set = self.prepare_cached(SET_ORGANIZATION).await?;
            let org = org.to_string();
            let of_org: Values<'_> = &[&org];
            // They are sent in this order, at once. When one fails, what follows does nothing, and the commit undoes.
            let (begun, set, rows, committed) = tokio::join!(
                biased;
                self.batch_execute("BEGIN"),
                Client::execute(self, &set, of_org),
                Client::query(self, &statement, values),
                self.batch_execute("COMMIT"),
            );
            begun?;
            set?;
            let rows = rows?;
            committed?;
            Ok(rows)
        };
        self.within(run).await
    }

    /// Begins a transaction of several statements.
    pub(super) async fn begin(self) -> Result<Transaction> {
        self.within(self.batch_execute("BEGIN")).await?;
        Ok(Transaction { session: self, is_over: false })
    }

    /// Begins a transaction that sees one organisation.
    pub(super) async fn begin_as(self, org: Uuid, mode: Mode) -> Result<Transaction> {
        let run = async {
            let set: Statement = self.prepare_cached(SET_ORGANIZATION).await?;
            let org = org.to_string();
            let of_org: Values<'_> = &[&org];
            let begin = self.batch_execute(mode.begin());
            let (begun, set) = tokio::join!(biased; begin, Client::execute(&self, &set, of_org));
            begun?;
            set.map(|_| ())
        };
        self.within(run).await?;
        Ok(Transaction { session: self, is_over: false })
    }
}

/// What a transaction is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mode {
    /// Its statements see one moment, so that what they read fits together.
    Read,
    /// Each statement sees what was committed before it.
    Write,
}

impl Mode {
    fn begin(self) -> &'static str {
        match self {
            Mode::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Mode::Write => "BEGIN",
        }
    }
}

/// For the transaction alone.
pub(super) const SET_ORGANIZATION: &str = "SELECT set_config('postrider.organization', $1, true)";

/// Statements that take effect together; undone when dropped before [`Transaction::commit`].
pub(super) struct Transaction {
    session: Session,
    is_over: bool,
}

impl Deref for Transaction {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Transaction {
    pub(super) async fn commit(mut self) -> Result<()> {
        let committed = self.session.within(self.session.batch_execute("COMMIT")).await;
        self.is_over = true;
        committed
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        self.session.undo();
    }
}

/// Lets through while connections can be made.
#[derive(Default)]
struct Gate {
    state: Mutex<Option<Shut>>,
}

struct Shut {
    reason: String,
    until: Instant,
    is_tried: bool,
}

impl Gate {
    /// Refuses while it is shut; past that, lets one through who tries.
    fn pass(&self) -> Result<Passed<'_>> {
        let mut state = self.state.lock();
        if let Some(shut) = state.as_mut() {
            if shut.is_tried || Instant::now() < shut.until {
                return Err(StoreError::Unavailable { reason: shut.reason.clone() });
            }
            shut.is_tried = true;
        }
        Ok(Passed(self))
    }

    fn open(&self) {
        let mut state = self.state.lock();
        if state.is_some() {
            *state = None;
        }
    }

    fn shut(&self, reason: String) {
        let until = Instant::now() + Duration::from_millis(GATE_SHUT_MS);
        *self.state.lock() = Some(Shut { reason, until, is_tried: false });
    }
}

/// One who was let through, and may have gone before it was known whether it went well.
struct Passed<'a>(&'a Gate);

impl Drop for Passed<'_> {
    fn drop(&mut self) {
        if let Some(shut) = self.0.state.lock().as_mut() {
            shut.is_tried = false;
        }
    }
}
