//! What we last committed to each device, and what a device did not keep.

use rusqlite::{Transaction, params};

use super::{Error, Store, now, signed};
use crate::path::Path;
use crate::value::Value;

/// A leaf we committed.
pub type Leaf = (Path, Value);

fn text(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn leaves(store: &Store, sql: &str, fabric: &str, device: &str) -> Result<Vec<Leaf>, Error> {
    store.read(|connection| {
        let mut rows = connection.prepare(sql)?;
        let rows = rows.query_map(params![fabric, device], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
        // A row this version cannot read claims nothing, so nothing is deleted because of it.
        Ok(rows
            .filter_map(Result::ok)
            .filter_map(|(path, value)| Some((Path::parse(&path).ok()?, serde_json::from_str(&value).ok()?)))
            .collect())
    })
}

fn forget(tx: &Transaction<'_>, table: &str, fabric: &str, device: &str, path: &Path) -> rusqlite::Result<()> {
    // Paths nest by text only up to an element's end, so prefixes are compared as paths.
    let known: Vec<String> = tx
        .prepare(&format!("SELECT path FROM {table} WHERE fabric = ?1 AND device = ?2"))?
        .query_map(params![fabric, device], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for text in known.into_iter().filter(|text| Path::parse(text).is_ok_and(|known| path.covers(&known))) {
        tx.execute(&format!("DELETE FROM {table} WHERE fabric = ?1 AND device = ?2 AND path = ?3"), params![fabric, device, text])?;
    }
    Ok(())
}

impl Store {
    /// What we committed to a device and did not delete since.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn applied(&self, fabric: &str, device: &str) -> Result<Vec<Leaf>, Error> {
        leaves(self, "SELECT path, value FROM applied WHERE fabric = ?1 AND device = ?2", fabric, device)
    }

    /// Remembers what a step left on a device: `set` is there now, everything below `gone` is not.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn remember(&self, fabric: &str, device: &str, operation: u64, set: &[Leaf], gone: &[Path]) -> Result<(), Error> {
        self.write(|tx| {
            for path in gone {
                forget(tx, "applied", fabric, device, path)?;
            }
            for (path, value) in set {
                tx.execute(
                    "INSERT OR REPLACE INTO applied (fabric, device, path, value, operation) VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![fabric, device, path.to_string(), text(value), signed(operation)],
                )?;
                tx.execute(
                    "DELETE FROM not_retained WHERE fabric = ?1 AND device = ?2 AND path = ?3",
                    params![fabric, device, path.to_string()],
                )?;
            }
            Ok(())
        })
    }

    /// What a device accepted and did not keep: it is not sent again until intent wants something else there. [`Value::Empty`]
    /// stands for a delete that was not kept.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn not_retained(&self, fabric: &str, device: &str) -> Result<Vec<Leaf>, Error> {
        leaves(self, "SELECT path, value FROM not_retained WHERE fabric = ?1 AND device = ?2", fabric, device)
    }

    /// Remembers what a device did not keep.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn remember_not_retained(&self, fabric: &str, device: &str, operation: u64, leaves: &[Leaf]) -> Result<(), Error> {
        self.write(|tx| {
            leaves.iter().try_for_each(|(path, value)| {
                tx.execute(
                    "INSERT OR REPLACE INTO not_retained (fabric, device, path, value, operation, time) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![fabric, device, path.to_string(), text(value), signed(operation), signed(now())],
                )
                .map(drop)
            })
        })
    }

    /// Forgets what a device did not keep at these paths: it may be tried again.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn forget_not_retained(&self, fabric: &str, device: &str, paths: &[Path]) -> Result<(), Error> {
        self.write(|tx| paths.iter().try_for_each(|path| forget(tx, "not_retained", fabric, device, path)))
    }
}
