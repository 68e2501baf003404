//! What must survive: the SQLite journal of operations, written before the wire.
//!
//! One database a machine and user (`journal.db` in the state folder, WAL, every transaction synced). It holds the operations
//! and one row a device step ([`journal`]), what we last committed to each device and what a device did not keep
//! ([`applied`]), leases ([`lease`]), drift ([`drift`]), and an audit trail whose rows are chained by hash ([`audit`]).
//! It decides nothing and knows no network.

pub mod applied;
pub mod audit;
pub mod drift;
pub mod intent;
pub mod journal;
pub mod lease;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OpenFlags};

/// Why the journal cannot be used. A commit does not start then.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder cannot be made.
    #[error("the state folder {} cannot be made: {source}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The disk is full.
    #[error("the journal {} cannot be written: the disk is full", .0.display())]
    Full(PathBuf),
    /// The file or its folder is read-only.
    #[error("the journal {} cannot be written: it is read-only", .0.display())]
    ReadOnly(PathBuf),
    /// Written by a newer version of this program.
    #[error("the journal {} was written by a newer version (format {found}, this one knows {known})", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// Anything else SQLite says.
    #[error("the journal {}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// A device another operation holds.
    #[error("{device} is leased by {holder} for another {seconds} s")]
    Leased {
        /// The device.
        device: String,
        /// `user@host (operation 12)`.
        holder: String,
        /// Until the lease is over.
        seconds: u64,
    },
}

impl Error {
    /// The next step, one line.
    pub fn hint(&self) -> String {
        match self {
            Self::Folder { .. } | Self::ReadOnly(_) => {
                "set FABRIC_ORCH_STATE to a folder you can write; nothing is sent without a journal".into()
            }
            Self::Full(_) => "make room; nothing is sent without a journal".into(),
            Self::Newer { .. } => "use the newer version, or set FABRIC_ORCH_STATE to another folder".into(),
            Self::Sqlite { path, .. } => format!("check {} and its -wal file; keep a copy before you delete anything", path.display()),
            Self::Leased { .. } => "wait, or ask the holder to abort".into(),
        }
    }
}

/// Version of the tables.
const FORMAT: i64 = 1;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS operation (
  id INTEGER PRIMARY KEY, fabric TEXT NOT NULL, plan_hash TEXT NOT NULL, user TEXT NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL,
  started INTEGER NOT NULL, ended INTEGER, status TEXT NOT NULL, plan TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS operation_of ON operation (fabric, id);
CREATE TABLE IF NOT EXISTS action (
  operation INTEGER NOT NULL REFERENCES operation (id), step TEXT NOT NULL, device TEXT NOT NULL, wave INTEGER NOT NULL,
  phase TEXT NOT NULL, outcome TEXT, reason TEXT NOT NULL, ms INTEGER, updated INTEGER NOT NULL,
  PRIMARY KEY (operation, step)
) STRICT;
CREATE TABLE IF NOT EXISTS applied (
  fabric TEXT NOT NULL, device TEXT NOT NULL, path TEXT NOT NULL, value TEXT NOT NULL, operation INTEGER NOT NULL,
  PRIMARY KEY (fabric, device, path)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS not_retained (
  fabric TEXT NOT NULL, device TEXT NOT NULL, path TEXT NOT NULL, value TEXT NOT NULL, operation INTEGER NOT NULL, time INTEGER NOT NULL,
  PRIMARY KEY (fabric, device, path)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lease (
  fabric TEXT NOT NULL, device TEXT NOT NULL, holder TEXT NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL, operation INTEGER NOT NULL,
  until INTEGER NOT NULL, PRIMARY KEY (fabric, device)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS drift (
  id INTEGER PRIMARY KEY, fabric TEXT NOT NULL, device TEXT NOT NULL, path TEXT NOT NULL, kind TEXT NOT NULL, desired TEXT, observed TEXT,
  changed_by TEXT NOT NULL, appeared INTEGER NOT NULL, cleared INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS drift_open ON drift (fabric, device, path) WHERE cleared IS NULL;
CREATE TABLE IF NOT EXISTS intent (
  fabric TEXT PRIMARY KEY, counts TEXT NOT NULL, read INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS audit (
  seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, fabric TEXT NOT NULL, user TEXT NOT NULL, what TEXT NOT NULL, detail TEXT NOT NULL,
  hash TEXT NOT NULL
) STRICT;
";

/// The journal, open. Calls block for as long as the disk takes; the engine makes them away from its loop.
#[derive(Debug)]
pub struct Store {
    connection: Mutex<Connection>,
    path: PathBuf,
    host: String,
}

impl Store {
    /// Opens the journal in `folder`, making both when they are missing.
    ///
    /// # Errors
    /// When it can be neither made nor written.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(folder).map_err(|source| Error::Folder { folder: folder.to_owned(), source })?;
        private(folder);
        let path = folder.join("journal.db");
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || -> rusqlite::Result<(Connection, i64)> {
            let connection = Connection::open_with_flags(&path, flags)?;
            connection.busy_timeout(Duration::from_secs(5))?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "foreign_keys", true)?;
            let format = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
            if format < FORMAT {
                connection.execute_batch(TABLES)?;
                connection.pragma_update(None, "user_version", FORMAT)?;
            }
            Ok((connection, format))
        };
        let (connection, format) = open().map_err(|source| named(&path, source))?;
        if format > FORMAT {
            return Err(Error::Newer { path, found: format, known: FORMAT });
        }
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname")
            .or_else(|_| std::fs::read_to_string("/etc/hostname"))
            .map_or_else(|_| "localhost".to_owned(), |text| text.trim().to_owned());
        Ok(Self { connection: Mutex::new(connection), path, host })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The machine's name, written to leases and operations.
    pub fn host(&self) -> &str {
        &self.host
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` in one transaction that takes the write lock at once.
    fn write<R>(&self, work: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<R>) -> Result<R, Error> {
        let mut connection = self.lock();
        let run = || -> rusqlite::Result<R> {
            let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let result = work(&transaction)?;
            transaction.commit()?;
            Ok(result)
        };
        run().map_err(|source| named(&self.path, source))
    }

    fn read<R>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<R>) -> Result<R, Error> {
        work(&self.lock()).map_err(|source| named(&self.path, source))
    }

    /// Whether the process that wrote a row is gone: only ever known for this machine.
    fn is_gone(&self, host: &str, pid: i64) -> bool {
        host == self.host
            && pid != i64::from(std::process::id())
            && Path::new("/proc/self").exists()
            && !Path::new(&format!("/proc/{pid}")).exists()
    }
}

/// Only the owner may look: plans hold the fabric's configuration.
fn private(folder: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // Best effort: a folder of somebody else's keeps the mode its owner gave it.
        let _ = std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700));
    }
    #[cfg(not(unix))]
    let _ = folder;
}

/// The error an operator can act on.
fn named(path: &Path, source: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode;
    match source.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::Full(path.to_owned()),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => Error::ReadOnly(path.to_owned()),
        _ => Error::Sqlite { path: path.to_owned(), source },
    }
}

/// Milliseconds since the Unix epoch, by our clock.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// SQLite keeps signed numbers; times and ids fit.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests;
