//! The audit trail: who did what, each row chained to the one before by SHA-256, so that a row changed, taken out or put in is found.

use rusqlite::{OptionalExtension as _, Transaction, params};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{Error, Store, now, signed, unsigned};

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Counted from 1, without gaps.
    pub seq: u64,
    /// When.
    pub time: u64,
    /// The fabric.
    pub fabric: String,
    /// Who.
    pub user: String,
    /// `commit started`, `armed`, …
    pub what: String,
    /// In words.
    pub detail: String,
    /// SHA-256 of the hash before and this row, hex.
    pub hash: String,
}

/// Each field with its length in front, so that no two rows make the same text.
fn chain(previous: &str, seq: u64, time: u64, texts: [&str; 4]) -> String {
    let mut sha = Sha256::new();
    sha.update(previous);
    sha.update(format!("\n{seq}\n{time}"));
    for text in texts {
        sha.update(format!("\n{}:{text}", text.len()));
    }
    sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Adds a row in the transaction of what it tells of.
pub(super) fn append(tx: &Transaction<'_>, fabric: &str, user: &str, what: &str, detail: &str) -> rusqlite::Result<()> {
    let last: Option<(i64, String)> =
        tx.query_row("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1", [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let (seq, previous) = last.map_or((1, String::new()), |(seq, hash)| (seq + 1, hash));
    let time = now();
    let hash = chain(&previous, unsigned(seq), time, [fabric, user, what, detail]);
    tx.execute(
        "INSERT INTO audit (seq, time, fabric, user, what, detail, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![seq, signed(time), fabric, user, what, detail, hash],
    )
    .map(drop)
}

impl Store {
    /// Adds a row.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn audit(&self, fabric: &str, user: &str, what: &str, detail: &str) -> Result<(), Error> {
        self.write(|tx| append(tx, fabric, user, what, detail))
    }

    /// All rows, oldest first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn audit_rows(&self) -> Result<Vec<Row>, Error> {
        self.read(|connection| {
            connection
                .prepare("SELECT seq, time, fabric, user, what, detail, hash FROM audit ORDER BY seq")?
                .query_map([], |row| {
                    Ok(Row {
                        seq: unsigned(row.get(0)?),
                        time: unsigned(row.get(1)?),
                        fabric: row.get(2)?,
                        user: row.get(3)?,
                        what: row.get(4)?,
                        detail: row.get(5)?,
                        hash: row.get(6)?,
                    })
                })?
                .collect()
        })
    }

    /// Checks the chain: how many rows hold, or the number of the first that does not. What is cut off at the end cannot be
    /// seen from inside; compare the last hash with one kept elsewhere.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn audit_verify(&self) -> Result<Result<usize, u64>, Error> {
        let mut previous = String::new();
        let rows = self.audit_rows()?;
        for (index, row) in rows.iter().enumerate() {
            let seq = index as u64 + 1;
            if row.seq != seq || row.hash != chain(&previous, seq, row.time, [&row.fabric, &row.user, &row.what, &row.detail]) {
                return Ok(Err(seq));
            }
            previous.clone_from(&row.hash);
        }
        Ok(Ok(rows.len()))
    }
}
