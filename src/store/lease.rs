//! One lease a device: who may write to it now, visible to every operator on this machine.

use rusqlite::{OptionalExtension as _, params};
use serde::Serialize;

use super::{Error, Store, now, signed, unsigned};

/// A lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lease {
    /// The device.
    pub device: String,
    /// `user@host (operation 12)`.
    pub holder: String,
    /// Until then, unless renewed.
    pub until: u64,
}

impl Store {
    /// Takes a device's lease for an operation, or renews it. A lease whose time is over, or whose process is gone, is free.
    ///
    /// # Errors
    /// [`Error::Leased`] when another operation holds it, or when the journal cannot be written.
    pub fn lease(&self, fabric: &str, device: &str, user: &str, operation: u64, millis: u64) -> Result<(), Error> {
        let held = self.write(|tx| {
            let held: Option<(String, String, i64, i64, i64)> = tx
                .query_row(
                    "SELECT holder, host, pid, operation, until FROM lease WHERE fabric = ?1 AND device = ?2",
                    params![fabric, device],
                    |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)),
                )
                .optional()?;
            if let Some((holder, host, pid, other, until)) = held
                && unsigned(other) != operation
                && unsigned(until) > now()
                && !self.is_gone(&host, pid)
            {
                return Ok(Some((holder, unsigned(until))));
            }
            tx.execute(
                "INSERT OR REPLACE INTO lease (fabric, device, holder, host, pid, operation, until) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    fabric,
                    device,
                    format!("{user}@{} (operation {operation})", self.host),
                    self.host,
                    i64::from(std::process::id()),
                    signed(operation),
                    signed(now() + millis)
                ],
            )?;
            Ok(None)
        })?;
        match held {
            None => Ok(()),
            Some((holder, until)) => {
                Err(Error::Leased { device: device.to_owned(), holder, seconds: until.saturating_sub(now()).div_ceil(1000) })
            }
        }
    }

    /// The leases that hold now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn leases(&self, fabric: &str) -> Result<Vec<Lease>, Error> {
        self.read(|connection| {
            connection
                .prepare("SELECT device, holder, until FROM lease WHERE fabric = ?1 AND until > ?2 ORDER BY device")?
                .query_map(params![fabric, signed(now())], |row| {
                    Ok(Lease { device: row.get(0)?, holder: row.get(1)?, until: unsigned(row.get(2)?) })
                })?
                .collect()
        })
    }
}
