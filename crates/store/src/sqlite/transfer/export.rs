//! Everything of an extent, from one snapshot, in the order in which it can be applied.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use postrider_domain::{DeliveryId, OrganizationId};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::export_columns::{
    COMMON_COLUMNS, CommonColumns, EndedColumns, EventColumns, OpenColumns, event_columns, page, page_of, start_of,
};
use super::{SET_ASIDE, config_rows};
use crate::error::{Result, StoreError};
use crate::limits::DATA_KEYS_CACHED;
use crate::master_key::MasterKeys;
use crate::rows::{damaged, event_id, fail_reason, trigger};
use crate::sqlite::SqliteStore;
use crate::sqlite::deliveries::shown_attempts;
use crate::sqlite::delivery_rows::is_deleted;
use crate::sqlite::open::open_reader;
use crate::sqlite::reader::{Reader, uuid_at};
use crate::sqlite::related::split;
use crate::sqlite::tenants::{self, Tenant};
use crate::sqlite::writer::Fault;
use crate::transfer::{
    CHUNK_BYTES, CHUNK_ROWS_MAX, Extent, Portable, PortableDelivery, PortableEvent, PortableState, portable_turn,
};

pub(super) async fn export(store: &SqliteStore, extent: Extent, into: mpsc::Sender<Vec<Portable>>) -> Result<()> {
    let (dir, keys) = (store.dir.clone(), store.tenants.keys.clone());
    let run = move || -> Result<()> {
        let conn = open_reader(&dir)?;
        // Which events have open work is sorted, and may be more than memory should hold.
        let on_disk = conn.pragma_update(None, "temp_store", "file");
        on_disk.map_err(|error| StoreError::from(Fault::from(error)))?;
        let mut reader = Reader::new(conn);
        Ok(reader.snapshot(|reader| Exporter::new(reader, keys, into).run(&extent))?)
    };
    let ended = tokio::task::spawn_blocking(run).await;
    ended.map_err(|_| StoreError::Unavailable { reason: "the export was cut short; run it again".to_owned() })?
}

/// An organisation that is exported.
pub(super) struct Known {
    pub(super) id: OrganizationId,
    pub(super) tenant: Tenant,
}

/// An export under way.
pub(super) struct Exporter<'r> {
    pub(super) reader: &'r mut Reader,
    keys: MasterKeys,
    into: mpsc::Sender<Vec<Portable>>,
    chunk: Vec<Portable>,
    chunk_bytes: usize,
    /// None for those that are not exported.
    known: HashMap<i64, Option<Rc<Known>>>,
}

impl<'r> Exporter<'r> {
    fn new(reader: &'r mut Reader, keys: MasterKeys, into: mpsc::Sender<Vec<Portable>>) -> Self {
        Exporter { reader, keys, into, chunk: Vec::new(), chunk_bytes: 0, known: HashMap::new() }
    }

    fn run(mut self, extent: &Extent) -> Result<(), Fault> {
        let org_no = match extent {
            Extent::Everything => None,
            Extent::Organization(id) => Some(self.name(id)?),
        };
        config_rows::all(&mut self, org_no)?;
        self.note_open_events(org_no)?;
        self.open_events()?;
        self.open_deliveries(org_no)?;
        self.push(Portable::Ready)?;
        self.history_events(org_no)?;
        self.ended_deliveries(org_no)?;
        config_rows::operations(&mut self, org_no)?;
        config_rows::hours(&mut self, org_no)?;
        self.flush()
    }

    /// The number of an organisation that was named: the one that is there, else the one that was set aside.
    fn name(&mut self, id: &OrganizationId) -> Result<i64, Fault> {
        let sql = "SELECT no FROM organizations WHERE id = ? AND deleted IN (0, ?) ORDER BY deleted LIMIT 1";
        let found = self.conn().prepare_cached(sql)?.query_row(params![id.as_str(), SET_ASIDE], |row| row.get(0));
        let missing = || StoreError::NotFound { what: format!("organization {id}") };
        let org_no = found.optional()?.ok_or_else(missing)?;
        let tenant = tenants::by_number(&self.reader.conn, &self.keys, org_no)?;
        self.known.insert(org_no, Some(Rc::new(Known { id: id.clone(), tenant })));
        Ok(org_no)
    }

    pub(super) fn conn(&self) -> &Connection {
        &self.reader.conn
    }

    /// An organisation by its number; none when it is not there.
    pub(super) fn known(&mut self, org_no: i64) -> Result<Option<Rc<Known>>, Fault> {
        if let Some(known) = self.known.get(&org_no) {
            return Ok(known.clone());
        }
        let sql = "SELECT id FROM organizations WHERE no = ? AND deleted = 0";
        let id: Option<String> = self.conn().prepare_cached(sql)?.query_row([org_no], |row| row.get(0)).optional()?;
        let known = match id {
            None => None,
            Some(id) => {
                let id = id.parse().map_err(|_| damaged("an organization's id"))?;
                let tenant = tenants::by_number(&self.reader.conn, &self.keys, org_no)?;
                Some(Rc::new(Known { id, tenant }))
            }
        };
        if self.known.len() >= DATA_KEYS_CACHED {
            self.known.retain(|no, _| *no == org_no);
        }
        self.known.insert(org_no, known.clone());
        Ok(known)
    }

    pub(super) fn operator(&self) -> Result<Tenant, Fault> {
        tenants::by_number(&self.reader.conn, &self.keys, tenants::OPERATOR_NO)
    }

    pub(super) fn push(&mut self, row: Portable) -> Result<(), Fault> {
        self.chunk_bytes += row.bytes();
        self.chunk.push(row);
        if self.chunk.len() >= CHUNK_ROWS_MAX || self.chunk_bytes >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Fault> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        self.chunk_bytes = 0;
        let gone = |_| StoreError::Unavailable { reason: "nobody takes the export any more".to_owned() };
        Ok(self.into.blocking_send(std::mem::take(&mut self.chunk)).map_err(gone)?)
    }

    /// Which events have open deliveries.
    fn note_open_events(&self, org_no: Option<i64>) -> Result<(), Fault> {
        self.conn().execute_batch("CREATE TEMP TABLE open_events (no INTEGER PRIMARY KEY)")?;
        let sql = "INSERT INTO temp.open_events SELECT DISTINCT event_no FROM open_deliveries
                   WHERE ?1 IS NULL OR org_no = ?1 ORDER BY event_no";
        self.conn().execute(sql, [org_no])?;
        Ok(())
    }

    fn open_events(&mut self) -> Result<(), Fault> {
        let columns = event_columns("e.no");
        let sql = format!(
            "SELECT {columns} FROM temp.open_events o CROSS JOIN main.events e ON e.no = o.no
             WHERE o.no > ?1 ORDER BY o.no"
        );
        self.events(&sql, None, true)
    }

    fn history_events(&mut self, org_no: Option<i64>) -> Result<(), Fault> {
        let rest = "NOT EXISTS (SELECT 1 FROM temp.open_events o WHERE o.no = e.no)";
        let sql = match org_no {
            None => format!("SELECT {} FROM main.events e WHERE no > ?1 AND {rest} ORDER BY no", event_columns("no")),
            Some(_) => format!(
                "SELECT {} FROM main.events e WHERE org_no = ?2 AND key > ?1 AND {rest} ORDER BY key",
                event_columns("key")
            ),
        };
        self.events(&sql, org_no, false)
    }

    fn events(&mut self, sql: &str, org_no: Option<i64>, is_open: bool) -> Result<(), Fault> {
        let mut after = start_of(org_no);
        loop {
            let page = page(self.conn(), sql, &after, org_no, EventColumns::read)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.place.clone();
            for row in page {
                let Some(known) = self.known(row.org_no)? else { continue };
                let mut event = row.event;
                event.event_type = self.reader.word(row.type_no)?;
                let deliveries_count = event.deliveries_count;
                let event = event.open(known.tenant.sealer())?;
                self.push(Portable::Event(PortableEvent {
                    organization: known.id.clone(),
                    event: Arc::new(event),
                    test: row.test,
                    deliveries_count,
                    deliveries: split(&row.deliveries).map(DeliveryId).collect(),
                    is_open,
                }))?;
            }
        }
    }

    fn open_deliveries(&mut self, org_no: Option<i64>) -> Result<(), Fault> {
        let columns = format!("{COMMON_COLUMNS}, due_at, resume, resume_at, event_no, turn");
        let sql = match org_no {
            None => format!(
                "SELECT {columns}, org_no FROM open_deliveries WHERE (org_no, id) > (?1, ?2) ORDER BY org_no, id"
            ),
            Some(_) => format!("SELECT {columns}, id FROM open_deliveries WHERE org_no = ?2 AND id > ?1 ORDER BY id"),
        };
        let mut after = start_of(org_no);
        let mut after_id = Value::Blob(Vec::new());
        loop {
            let second = org_no.map_or(after_id.clone(), Value::Integer);
            let page = page_of(self.conn(), &sql, &after, &second, OpenColumns::read)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.place.clone();
            after_id = Value::Blob(last.common.id.as_bytes().to_vec());
            for row in page {
                let Some(known) = self.known(row.common.org_no)? else { continue };
                if is_deleted(self.conn(), row.common.endpoint_no)? {
                    continue;
                }
                let find = "SELECT key, resource FROM events WHERE no = ?";
                let read = |row: &rusqlite::Row<'_>| Ok((uuid_at(row, 0)?, row.get::<_, Option<Vec<u8>>>(1)?));
                let (event_key, about) = self.conn().prepare_cached(find)?.query_row([row.event_no], read)?;
                let turn = portable_turn(row.turn, about.as_deref())?;
                let trigger = trigger(row.resume, row.resume_at)?;
                let state = PortableState::Open { due_at: row.due_at, trigger, turn };
                let delivery = self.delivery(row.common, &known, event_key, state)?;
                self.push(Portable::Delivery(delivery))?;
            }
        }
    }

    fn ended_deliveries(&mut self, org_no: Option<i64>) -> Result<(), Fault> {
        let columns = format!("{COMMON_COLUMNS}, ended_at, fail_reason, event_key, event_id");
        let sql = match org_no {
            None => format!("SELECT {columns}, no FROM deliveries WHERE no > ?1 ORDER BY no"),
            Some(_) => format!("SELECT {columns}, id FROM deliveries WHERE org_no = ?2 AND id > ?1 ORDER BY id"),
        };
        let mut after = start_of(org_no);
        loop {
            let page = page(self.conn(), &sql, &after, org_no, EndedColumns::read)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.place.clone();
            for row in page {
                let Some(known) = self.known(row.common.org_no)? else { continue };
                let event = event_id(row.event_id, row.event_key)?;
                let reason = fail_reason(row.fail_reason)?;
                let state = PortableState::Ended { ended_at: row.ended_at, reason, event };
                let delivery = self.delivery(row.common, &known, row.event_key, state)?;
                self.push(Portable::Delivery(delivery))?;
            }
        }
    }

    fn delivery(
        &mut self,
        row: CommonColumns,
        known: &Known,
        event_key: Uuid,
        state: PortableState,
    ) -> Result<PortableDelivery, Fault> {
        let attempts = match row.last_attempt_no {
            Some(no) => shown_attempts(self.conn(), row.endpoint_no, no)?,
            None => Vec::new(),
        };
        let attempts = attempts.into_iter().rev().map(|row| row.open(known.tenant.sealer()));
        Ok(PortableDelivery {
            organization: known.id.clone(),
            id: DeliveryId(row.id),
            endpoint: self.reader.endpoint(row.endpoint_no)?,
            event_key,
            event_type: self.reader.word(row.type_no)?,
            revision: self.reader.revision(row.revision_no)?,
            test: row.test,
            created_at: row.created_at,
            progress: row.progress,
            last_status_code: row.last_status_code,
            state,
            attempts: attempts.collect::<Result<_>>()?,
        })
    }
}
