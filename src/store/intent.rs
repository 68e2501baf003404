//! How much intent there was when it was read last: what a read that shrank is held against, also in the next run.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension as _, params};

use super::{Error, Store, now, signed};

impl Store {
    /// How many objects of each kind the last intent taken in force held; `None` before the first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn intent_counts(&self, fabric: &str) -> Result<Option<BTreeMap<String, usize>>, Error> {
        let text: Option<String> = self.read(|connection| {
            connection.query_row("SELECT counts FROM intent WHERE fabric = ?1", params![fabric], |row| row.get(0)).optional()
        })?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Remembers them.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn remember_intent(&self, fabric: &str, counts: &BTreeMap<String, usize>) -> Result<(), Error> {
        let text = serde_json::to_string(counts).unwrap_or_default();
        self.write(|tx| {
            tx.execute("INSERT OR REPLACE INTO intent (fabric, counts, read) VALUES (?1, ?2, ?3)", params![fabric, text, signed(now())])
                .map(drop)
        })
    }
}
