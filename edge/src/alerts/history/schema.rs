//! The history's tables. Forward only: a new version of the edge adds a migration and never edits an old one.

use rusqlite_migration::M;

pub const STEPS: &[M<'_>] = &[
    M::up(
        "
    -- The latest state of each alert. What is asked for has a column of its own; all of it is in the body.
    CREATE TABLE alerts (
        alert_id BLOB NOT NULL PRIMARY KEY,
        -- By the events' clock, in microseconds.
        raised_us INTEGER NOT NULL,
        -- By our clock: when it was first shown, and when it was seen to be over.
        seen_us INTEGER NOT NULL,
        cleared_us INTEGER,
        subject TEXT NOT NULL,
        severity TEXT NOT NULL,
        rule TEXT NOT NULL,
        zone BLOB,
        camera TEXT,
        body BLOB NOT NULL
    );
    CREATE INDEX alerts_by_time ON alerts (raised_us, alert_id);
    -- Has all that counting a silence's alerts asks for.
    CREATE INDEX alerts_by_life ON alerts (cleared_us, seen_us, rule, zone, camera);
    CREATE INDEX alerts_open ON alerts (raised_us) WHERE cleared_us IS NULL;

    -- What people said. Only ever added to; goes with its alert, or once its silence is long over.
    CREATE TABLE facts (
        fact_id BLOB NOT NULL PRIMARY KEY,
        at_us INTEGER NOT NULL,
        -- Acknowledgements.
        alert_id BLOB,
        -- Silences and their ends.
        silence_id BLOB,
        body BLOB NOT NULL
    );
    CREATE INDEX facts_by_alert ON facts (alert_id) WHERE alert_id IS NOT NULL;
    CREATE INDEX facts_by_silence ON facts (silence_id) WHERE silence_id IS NOT NULL;

    -- What the buffer does not have yet.
    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        kind INTEGER NOT NULL,
        identity BLOB NOT NULL UNIQUE,
        payload BLOB NOT NULL
    );

    CREATE TABLE cameras (
        id INTEGER PRIMARY KEY,
        zone BLOB NOT NULL,
        camera TEXT NOT NULL,
        -- Minutes since 1970 of its first and last event.
        first_minute INTEGER NOT NULL,
        last_minute INTEGER NOT NULL,
        UNIQUE (zone, camera)
    );
    -- Seconds as bits of a minute: whatever comes late, or twice after a repair, is the same in the end.
    CREATE TABLE minutes (
        minute INTEGER NOT NULL,
        camera_id INTEGER NOT NULL,
        events INTEGER NOT NULL,
        observed INTEGER NOT NULL,
        at_risk INTEGER NOT NULL,
        peak INTEGER NOT NULL,
        PRIMARY KEY (minute, camera_id)
    ) WITHOUT ROWID;
    ",
    ),
    M::up(
        "
    -- How far headquarters' facts are in `facts`. In the same file, so that whoever loses one loses both.
    CREATE TABLE headquarters (
        warehouse BLOB NOT NULL PRIMARY KEY,
        facts_until INTEGER NOT NULL
    );
    ",
    ),
];
