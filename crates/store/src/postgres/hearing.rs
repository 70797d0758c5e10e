//! Hears what other nodes tell this one, on a connection of its own.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use postrider_database::limits::CONNECT_MS_MAX;
use postrider_domain::OrganizationId;
use tokio::sync::Notify;
use tokio_postgres::{AsyncMessage, Client, Notification};
use uuid::Uuid;

use super::PostgresStore;
use super::connect::{Address, Role};
use super::hints::{self, CHANGED, EVERYBODY, FREE_LANES};
use crate::error::Result;
use crate::limits::{HINTS_HEARD_MAX, LISTEN_PAUSE_MS};
use crate::model::{Hint, LaneId, LeaseNo};

/// What was heard and not yet asked for.
#[derive(Default)]
struct Heard {
    work: HashSet<LaneId>,
    changed: HashSet<OrganizationId>,
    has_free_lanes: bool,
    was_interrupted: bool,
}

impl Heard {
    fn take(&mut self) -> Option<Vec<Hint>> {
        let heard = std::mem::take(self);
        if heard.was_interrupted {
            return Some(vec![Hint::Missed]);
        }
        let mut all: Vec<_> = heard.work.into_iter().map(Hint::Work).collect();
        all.extend(heard.changed.into_iter().map(Hint::Changed));
        all.extend(heard.has_free_lanes.then_some(Hint::FreeLanes));
        (!all.is_empty()).then_some(all)
    }
}

/// The ear of a node.
pub(super) struct Hearing {
    heard: Mutex<Heard>,
    arrived: Notify,
    /// Whose channel is listened to.
    lease: Mutex<Option<LeaseNo>>,
    other_lease: Notify,
    /// What this node tells itself is not heard.
    teller: Uuid,
}

pub(super) async fn hear(store: &PostgresStore, lease: LeaseNo) -> Result<Vec<Hint>> {
    let hearing = &store.hearing;
    hearing.listen_for(lease);
    loop {
        let mut arrived = pin!(hearing.arrived.notified());
        arrived.as_mut().enable();
        let heard = hearing.heard.lock().take();
        if let Some(hints) = heard {
            for hint in &hints {
                if let Hint::Changed(id) = hint {
                    store.tenants.forget(id);
                }
            }
            return Ok(hints);
        }
        arrived.await;
    }
}

impl Hearing {
    pub(super) fn new(teller: Uuid) -> Arc<Self> {
        Arc::new(Hearing {
            heard: Mutex::default(),
            arrived: Notify::new(),
            lease: Mutex::default(),
            other_lease: Notify::new(),
            teller,
        })
    }

    fn listen_for(&self, lease: LeaseNo) {
        let mut listened = self.lease.lock();
        if *listened != Some(lease) {
            *listened = Some(lease);
            drop(listened);
            self.other_lease.notify_one();
        }
    }

    /// Listens from the moment that somebody wants to hear, again and again when the connection is lost.
    pub(super) async fn run(self: Arc<Self>, address: Address) {
        loop {
            self.other_lease.notified().await;
            while self.listen(&address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(LISTEN_PAUSE_MS)).await;
            }
        }
    }

    /// Until the connection is lost.
    async fn listen(self: &Arc<Self>, address: &Address) -> Result<std::convert::Infallible, ()> {
        let config = address.config(&Role::Engine.options());
        // Whoever takes the connection and then says nothing must not keep this node from trying again.
        let connecting = tokio::time::timeout(Duration::from_millis(CONNECT_MS_MAX), config.connect(address.tls()));
        let (client, mut connection) = connecting.await.map_err(|_| ())?.map_err(|_| ())?;
        let hearing = Arc::clone(self);
        let drive = async move {
            while let Some(Ok(said)) = std::future::poll_fn(|cx| connection.poll_message(cx)).await {
                if let AsyncMessage::Notification(said) = said {
                    hearing.note(&said);
                }
            }
        };
        let listen = async {
            loop {
                self.subscribe(&client).await.map_err(|_| ())?;
                self.other_lease.notified().await;
            }
        };
        tokio::select! {
            () = drive => Err(()),
            lost = listen => lost,
        }
    }

    /// What was told before is lost, so that much is said.
    async fn subscribe(&self, client: &Client) -> Result<(), tokio_postgres::Error> {
        let lease = *self.lease.lock();
        let own = lease.map(hints::channel).unwrap_or_else(|| EVERYBODY.to_owned());
        client.batch_execute(&format!("UNLISTEN *; LISTEN {EVERYBODY}; LISTEN {own}")).await?;
        self.heard.lock().was_interrupted = true;
        self.arrived.notify_waiters();
        Ok(())
    }

    fn note(&self, said: &Notification) {
        let mut heard = self.heard.lock();
        if said.channel() != EVERYBODY {
            heard.work.extend(hints::read(said.payload()));
        } else if let Some(id) = said.payload().strip_prefix(CHANGED) {
            heard.changed.extend(id.parse().ok());
        } else if let Some(teller) = said.payload().strip_prefix(FREE_LANES) {
            heard.has_free_lanes |= Uuid::try_parse(teller) != Ok(self.teller);
        }
        if heard.work.len() + heard.changed.len() > HINTS_HEARD_MAX {
            *heard = Heard { was_interrupted: true, ..Heard::default() };
        }
        drop(heard);
        self.arrived.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn whoever_takes_the_connection_and_says_nothing_is_given_up() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("postgres://nobody@{}/nothing?sslmode=disable", silent.local_addr().unwrap());
        let hearing = Hearing::new(Uuid::nil());
        let listens = async { hearing.listen(&Address::new(&url, &[]).unwrap()).await };
        let given_up = tokio::time::timeout(Duration::from_millis(4 * CONNECT_MS_MAX), listens);
        assert!(matches!(given_up.await, Ok(Err(()))), "it waits for ever, and hears no hint any more");
    }
}
