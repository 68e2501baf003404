//! Operations and their steps. A step's row says `sending` on disk before its Set leaves, so that whatever happens to us, the
//! next start can tell what was done, what was not, and what nobody knows.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension as _, params};
use serde::Serialize;

use super::{Error, Store, audit, now, signed, unsigned};

/// How far a step is, as journaled. Each is written before what it names happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Its wave has not come; nothing was sent.
    Waiting,
    /// The device is read again; nothing was sent.
    Rereading,
    /// The Set may leave from now on.
    Sending,
    /// The device said OK; it is read back.
    Verifying,
}

impl Mark {
    fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Rereading => "rereading",
            Self::Sending => "sending",
            Self::Verifying => "verifying",
        }
    }
}

/// One operation, as history shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Operation {
    /// Its number.
    pub id: u64,
    /// Hash of its plan.
    pub plan: String,
    /// Who.
    pub user: String,
    /// On which machine.
    pub host: String,
    /// When it began.
    pub started: u64,
    /// When it ended; `None` while it runs.
    pub ended: Option<u64>,
    /// `running`, or how it ended, in words.
    pub status: String,
    /// One a step, in plan order.
    pub actions: Vec<Action>,
}

/// One step of one operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Action {
    /// The step's id in the plan.
    pub step: String,
    /// The device.
    pub device: String,
    /// Counted from 1.
    pub wave: usize,
    /// How far it came.
    pub phase: String,
    /// How it ended: the outcome's name.
    pub outcome: Option<String>,
    /// Why, in words.
    pub reason: String,
    /// Milliseconds the Set took.
    pub ms: Option<u64>,
}

/// What an interrupted operation left behind on one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Left {
    /// Sent, and the device said OK.
    Done,
    /// Never sent.
    NotDone,
    /// The Set may have left: only the device knows.
    Unknown,
}

/// A step of an interrupted operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Leftover {
    /// The operation.
    pub operation: u64,
    /// Who ran it.
    pub user: String,
    /// The step.
    pub step: String,
    /// The device.
    pub device: String,
    /// What is known.
    pub left: Left,
    /// How it had ended, when it had.
    pub reason: String,
}

impl Action {
    /// Whether anything of it may be on the device: what never left, was refused whole or changed nothing is not.
    pub fn may_have_arrived(&self) -> bool {
        match self.outcome.as_deref() {
            Some(outcome) => matches!(outcome, "applied" | "not_retained" | "unknown" | "rolled_back"),
            None => matches!(self.phase.as_str(), "sending" | "verifying"),
        }
    }
}

impl Store {
    /// Journals an operation with all its steps waiting, and gives its number. `steps` are (id, device, wave); `plan` is the plan as JSON.
    ///
    /// # Errors
    /// When the journal cannot be written: the operation must not start then.
    pub fn begin(&self, fabric: &str, user: &str, plan_hash: &str, plan: &str, steps: &[(&str, &str, usize)]) -> Result<u64, Error> {
        let host = self.host.clone();
        self.write(|tx| {
            tx.execute(
                "INSERT INTO operation (fabric, plan_hash, user, host, pid, started, status, plan) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'running', ?7)",
                params![fabric, plan_hash, user, host, i64::from(std::process::id()), signed(now()), plan],
            )?;
            let id = tx.last_insert_rowid();
            for (step, device, wave) in steps {
                tx.execute(
                    "INSERT INTO action (operation, step, device, wave, phase, reason, updated) VALUES (?1, ?2, ?3, ?4, 'waiting', '', ?5)",
                    params![id, step, device, i64::try_from(*wave).unwrap_or(i64::MAX), signed(now())],
                )?;
            }
            audit::append(tx, fabric, user, "commit started", &format!("operation {id}, plan {plan_hash}, {} steps", steps.len()))?;
            Ok(unsigned(id))
        })
    }

    /// Journals that a step is about to do what `mark` names.
    ///
    /// # Errors
    /// When it cannot be written: the step must not go on then.
    pub fn mark(&self, operation: u64, step: &str, mark: Mark) -> Result<(), Error> {
        self.write(|tx| {
            tx.execute(
                "UPDATE action SET phase = ?3, updated = ?4 WHERE operation = ?1 AND step = ?2",
                params![signed(operation), step, mark.as_str(), signed(now())],
            )
            .map(drop)
        })
    }

    /// Journals how a step ended.
    ///
    /// # Errors
    /// When it cannot be written: the next start then says `unknown` or `done` of it, never less than the truth.
    pub fn finish(&self, operation: u64, step: &str, outcome: &str, reason: &str, ms: Option<u64>) -> Result<(), Error> {
        self.write(|tx| {
            tx.execute(
                "UPDATE action SET phase = 'done', outcome = ?3, reason = ?4, ms = ?5, updated = ?6 WHERE operation = ?1 AND step = ?2",
                params![signed(operation), step, outcome, reason, ms.map(signed), signed(now())],
            )?;
            let (fabric, user, device): (String, String, String) = tx.query_row(
                "SELECT fabric, user, device FROM operation JOIN action ON operation = id WHERE id = ?1 AND step = ?2",
                params![signed(operation), step],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )?;
            audit::append(
                tx,
                &fabric,
                &user,
                "step ended",
                &format!("operation {operation}, {device}: {outcome}{}{reason}", if reason.is_empty() { "" } else { ", " }),
            )
        })
    }

    /// Journals how an operation ended, and gives its leases back.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end(&self, operation: u64, status: &str) -> Result<(), Error> {
        self.write(|tx| {
            tx.execute("UPDATE operation SET ended = ?2, status = ?3 WHERE id = ?1", params![signed(operation), signed(now()), status])?;
            tx.execute("DELETE FROM lease WHERE operation = ?1", params![signed(operation)])?;
            let (fabric, user): (String, String) =
                tx.query_row("SELECT fabric, user FROM operation WHERE id = ?1", params![signed(operation)], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?;
            audit::append(tx, &fabric, &user, "commit ended", &format!("operation {operation}: {status}"))
        })
    }

    /// The newest operations of a fabric, newest first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn operations(&self, fabric: &str, limit: usize) -> Result<Vec<Operation>, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.select("WHERE fabric = ?1 ORDER BY id DESC LIMIT ?2", params![fabric, limit])
    }

    /// One operation of a fabric and all that came after it, oldest first; the first of them is another one when it is unknown.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn operations_from(&self, fabric: &str, operation: u64) -> Result<Vec<Operation>, Error> {
        self.select("WHERE fabric = ?1 AND id >= ?2 ORDER BY id", params![fabric, signed(operation)])
    }

    fn select(&self, which: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<Operation>, Error> {
        self.read(|connection| {
            let mut rows =
                connection.prepare(&format!("SELECT id, plan_hash, user, host, started, ended, status FROM operation {which}"))?;
            let mut operations = rows
                .query_map(values, |row| {
                    Ok(Operation {
                        id: unsigned(row.get(0)?),
                        plan: row.get(1)?,
                        user: row.get(2)?,
                        host: row.get(3)?,
                        started: unsigned(row.get(4)?),
                        ended: row.get::<_, Option<i64>>(5)?.map(unsigned),
                        status: row.get(6)?,
                        actions: Vec::new(),
                    })
                })?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            let mut rows = connection
                .prepare("SELECT step, device, wave, phase, outcome, reason, ms FROM action WHERE operation = ?1 ORDER BY wave, device")?;
            for operation in &mut operations {
                operation.actions = rows
                    .query_map(params![signed(operation.id)], |row| {
                        Ok(Action {
                            step: row.get(0)?,
                            device: row.get(1)?,
                            wave: usize::try_from(row.get::<_, i64>(2)?).unwrap_or(0),
                            phase: row.get(3)?,
                            outcome: row.get(4)?,
                            reason: row.get(5)?,
                            ms: row.get::<_, Option<i64>>(6)?.map(unsigned),
                        })
                    })?
                    .collect::<rusqlite::Result<_>>()?;
            }
            Ok(operations)
        })
    }

    /// How many steps ended how, over all operations of a fabric: outcome name to count.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn outcomes(&self, fabric: &str) -> Result<BTreeMap<String, u64>, Error> {
        self.read(|connection| {
            connection
                .prepare(
                    "SELECT outcome, count(*) FROM action JOIN operation ON id = operation WHERE fabric = ?1 AND outcome IS NOT NULL GROUP BY outcome",
                )?
                .query_map(params![fabric], |row| Ok((row.get(0)?, unsigned(row.get(1)?))))?
                .collect()
        })
    }

    /// The plan of an operation, as it was journaled.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn plan_of(&self, operation: u64) -> Result<Option<String>, Error> {
        self.read(|connection| {
            connection.query_row("SELECT plan FROM operation WHERE id = ?1", params![signed(operation)], |row| row.get(0)).optional()
        })
    }

    /// Operations that began and never ended because their process is gone: what each left on each device. They are closed as
    /// `interrupted`, so this says it once; history keeps it.
    ///
    /// # Errors
    /// When the journal cannot be read or written.
    pub fn recover(&self, fabric: &str) -> Result<Vec<Leftover>, Error> {
        let open: Vec<(i64, String, i64)> = self.read(|connection| {
            connection
                .prepare("SELECT id, host, pid FROM operation WHERE fabric = ?1 AND ended IS NULL ORDER BY id")?
                .query_map(params![fabric], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect()
        })?;
        let mut left = Vec::new();
        for (id, ..) in open.into_iter().filter(|(_, host, pid)| self.is_gone(host, *pid)) {
            left.extend(self.interrupted(unsigned(id))?);
        }
        Ok(left)
    }

    /// Closes one operation as interrupted and says what it left.
    pub(super) fn interrupted(&self, operation: u64) -> Result<Vec<Leftover>, Error> {
        let left = self.read(|connection| {
            connection
                .prepare("SELECT user, step, device, phase, outcome, reason FROM action JOIN operation ON id = operation WHERE operation = ?1 ORDER BY wave, device")?
                .query_map(params![signed(operation)], |row| {
                    let (phase, outcome): (String, Option<String>) = (row.get(3)?, row.get(4)?);
                    let left = match (phase.as_str(), outcome.as_deref()) {
                        ("waiting" | "rereading", _) | ("done", Some("refused" | "failed" | "unchanged")) => Left::NotDone,
                        ("verifying", _) | ("done", Some("applied" | "not_retained")) => Left::Done,
                        _ => Left::Unknown,
                    };
                    Ok(Leftover { operation, user: row.get(0)?, step: row.get(1)?, device: row.get(2)?, left, reason: row.get(5)? })
                })?
                .collect::<rusqlite::Result<Vec<_>>>()
        })?;
        let count = |wanted| left.iter().filter(|row| row.left == wanted).count();
        let status =
            format!("interrupted: {} done, {} not done, {} unknown", count(Left::Done), count(Left::NotDone), count(Left::Unknown));
        self.end(operation, &status)?;
        Ok(left)
    }
}
