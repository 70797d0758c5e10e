//! Whatever changes in a CRM's database, the same changes come out of it by each way of capture.

mod crm;
mod database;
mod plain;
mod slot;
mod tls;
mod types;
