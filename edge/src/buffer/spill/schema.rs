//! The spill's tables. Forward only: a new version of the edge adds a migration and never edits an old one.

use common::ids::Epoch;
use rusqlite::{Connection, OptionalExtension as _, params};
use rusqlite_migration::M;

/// The two generations of idempotency keys.
pub const KEYS: [&str; 2] = ["keys_0", "keys_1"];

pub const STEPS: &[M<'_>] = &[M::up(
    "
    CREATE TABLE epochs (id INTEGER PRIMARY KEY, epoch BLOB NOT NULL UNIQUE);

    -- AUTOINCREMENT: an id is never given twice, so a range of ids always means the same rows.
    CREATE TABLE records (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        epoch_id INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        at_ms INTEGER NOT NULL,
        record BLOB NOT NULL
    );
    -- For rebuilding the account at start without reading the records. Always appended to at its end.
    CREATE INDEX records_by_place ON records (epoch_id, seq);

    CREATE TABLE keys_0 (key BLOB PRIMARY KEY, hash INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE keys_1 (key BLOB PRIMARY KEY, hash INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE key_generation (current INTEGER NOT NULL, since_ms INTEGER);
    INSERT INTO key_generation VALUES (0, NULL);

    CREATE TABLE dead_letters (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at_ms INTEGER NOT NULL,
        reason TEXT NOT NULL,
        raw BLOB NOT NULL
    );

    -- Epochs that have ended, until central has noted how far they got.
    CREATE TABLE past_epochs (epoch BLOB PRIMARY KEY, head INTEGER NOT NULL) WITHOUT ROWID;
    ",
)];

/// The number under which an epoch's records are kept.
pub fn epoch_id(connection: &Connection, epoch: Epoch) -> rusqlite::Result<i64> {
    let bytes = epoch.uuid().into_bytes();
    let mut find = connection.prepare_cached("SELECT id FROM epochs WHERE epoch = ?1")?;
    if let Some(id) = find.query_row([bytes], |row| row.get(0)).optional()? {
        return Ok(id);
    }
    connection.execute("INSERT INTO epochs (epoch) VALUES (?1)", [bytes])?;
    Ok(connection.last_insert_rowid())
}

/// Notes how far an epoch that has ended got; a later, higher head wins.
pub fn note_epoch(connection: &Connection, epoch: Epoch, head: u64) -> rusqlite::Result<usize> {
    connection.execute(
        "INSERT INTO past_epochs (epoch, head) VALUES (?1, ?2) \
         ON CONFLICT (epoch) DO UPDATE SET head = max(head, excluded.head)",
        params![epoch.uuid().into_bytes(), head.cast_signed()],
    )
}
