//! Drift as it came and went: a row a leaf that left its desired value after they had agreed.

use rusqlite::params;
use serde::Serialize;

use super::{Error, Store, now, signed, unsigned};

/// A leaf that drifted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// The device.
    pub device: String,
    /// The leaf, as text.
    pub path: String,
    /// `create`, `update`, `delete`.
    pub kind: String,
    /// What intent wants, as text.
    pub desired: Option<String>,
    /// What the device had, as text.
    pub observed: Option<String>,
    /// Who changed the device's configuration last, when it was seen.
    pub changed_by: String,
    /// When it was seen.
    pub appeared: u64,
    /// When it was gone.
    pub cleared: Option<u64>,
}

impl Store {
    /// Writes what appeared and what cleared on one device, in one transaction.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn drifted(&self, fabric: &str, appeared: &[Drift], cleared: &[(String, String)]) -> Result<(), Error> {
        self.write(|tx| {
            for drift in appeared {
                tx.execute(
                    "INSERT INTO drift (fabric, device, path, kind, desired, observed, changed_by, appeared) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                    params![fabric, drift.device, drift.path, drift.kind, drift.desired, drift.observed, drift.changed_by, signed(drift.appeared)],
                )?;
            }
            for (device, path) in cleared {
                tx.execute(
                    "UPDATE drift SET cleared = ?4 WHERE fabric = ?1 AND device = ?2 AND path = ?3 AND cleared IS NULL",
                    params![fabric, device, path, signed(now())],
                )?;
            }
            Ok(())
        })
    }

    /// The newest drift events of a fabric, newest first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn drift(&self, fabric: &str, limit: usize) -> Result<Vec<Drift>, Error> {
        self.read(|connection| {
            connection
                .prepare(
                    "SELECT device, path, kind, desired, observed, changed_by, appeared, cleared FROM drift WHERE fabric = ?1 ORDER BY id DESC LIMIT ?2",
                )?
                .query_map(params![fabric, i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
                    Ok(Drift {
                        device: row.get(0)?,
                        path: row.get(1)?,
                        kind: row.get(2)?,
                        desired: row.get(3)?,
                        observed: row.get(4)?,
                        changed_by: row.get(5)?,
                        appeared: unsigned(row.get(6)?),
                        cleared: row.get::<_, Option<i64>>(7)?.map(unsigned),
                    })
                })?
                .collect()
        })
    }
}
