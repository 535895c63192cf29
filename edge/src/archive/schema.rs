//! The archive's tables. Forward only: a new version of the edge adds a migration and never edits an old one.

use rusqlite_migration::M;

pub const STEPS: &[M<'_>] = &[
    M::up(FIRST),
    // Before, only the lowest and the highest seq of an entry in each epoch were here. An entry then seemed to hold what had been
    // lost between them, and was sent again in vain as often as headquarters was asked. Rows of before stay until they are too old.
    M::up(
        "
    ALTER TABLE spans RENAME TO spans_before;
    -- Seqs of an entry that follow each other, and no others.
    CREATE TABLE spans (
        entry INTEGER NOT NULL,
        epoch_id INTEGER NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        PRIMARY KEY (entry, epoch_id, first)
    ) WITHOUT ROWID;
    INSERT INTO spans SELECT entry, epoch_id, first, last FROM spans_before;
    DROP TABLE spans_before;
    ",
    ),
];

const FIRST: &str = "
    CREATE TABLE databases (id INTEGER PRIMARY KEY, identity TEXT NOT NULL UNIQUE);

    -- What is known of an epoch outlives its entries, so that a headquarters that has forgotten it can be told.
    CREATE TABLE epochs (
        id INTEGER PRIMARY KEY,
        epoch BLOB NOT NULL UNIQUE,
        head INTEGER NOT NULL,
        seen_ms INTEGER NOT NULL
    );

    -- One batch. Ids rise in the order of sending and are never given twice.
    CREATE TABLE entries (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        batch BLOB NOT NULL,
        -- Of its records: when the first and the last was accepted.
        first_ms INTEGER NOT NULL,
        last_ms INTEGER NOT NULL,
        records INTEGER NOT NULL,
        crc32c INTEGER NOT NULL,
        sent_ms INTEGER NOT NULL,
        -- Of the last receipt; null if none was noted, because the process died in between.
        committed_ms INTEGER,
        database_id INTEGER,
        position INTEGER,
        -- Receipts in the order of their coming, whatever the clock does.
        receipt INTEGER NOT NULL DEFAULT 0
    );

    -- The lowest and the highest seq of an entry in each epoch.
    CREATE TABLE spans (
        entry INTEGER NOT NULL,
        epoch_id INTEGER NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        PRIMARY KEY (entry, epoch_id)
    ) WITHOUT ROWID;

    -- Apart, so that looking through the entries does not read their bytes.
    CREATE TABLE frames (id INTEGER PRIMARY KEY, frame BLOB NOT NULL);

    -- What is to be sent again: entries up to until_id of which a record was accepted from from_ms to to_ms, or of whose seqs
    -- some are in replay_ranges.
    CREATE TABLE replays (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        -- operator or database
        why TEXT NOT NULL,
        who TEXT NOT NULL,
        asked_ms INTEGER NOT NULL,
        from_ms INTEGER,
        to_ms INTEGER,
        until_id INTEGER NOT NULL,
        -- The last entry that is done.
        cursor INTEGER NOT NULL DEFAULT 0,
        total INTEGER NOT NULL,
        sent INTEGER NOT NULL DEFAULT 0,
        committed INTEGER NOT NULL DEFAULT 0,
        duplicates INTEGER NOT NULL DEFAULT 0,
        dead INTEGER NOT NULL DEFAULT 0,
        -- Records that could not be read any more, or were pushed out before their turn.
        gone INTEGER NOT NULL DEFAULT 0,
        ended_ms INTEGER
    );
    CREATE TABLE replay_ranges (replay INTEGER NOT NULL, epoch_id INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL);
    CREATE INDEX replay_ranges_by_place ON replay_ranges (replay, epoch_id, first);

    -- The database that everything confirmed is believed to be in.
    CREATE TABLE heard (one INTEGER PRIMARY KEY CHECK (one = 1), identity TEXT NOT NULL, position INTEGER NOT NULL);
    ";
