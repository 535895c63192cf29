-- The ledger by time: the seqs of an epoch by the quarter of an hour in which the edge accepted them, by its clock. A
-- long way behind is a day's backlog that comes in now: it lands in its own quarters. Quarters, because every time zone
-- and nearly every shift begins on one.

CREATE TABLE epoch_quarters (
    edge_id      uuid NOT NULL,
    epoch        uuid NOT NULL,
    -- When it begins. 1970 holds what does not say when it was accepted.
    quarter      timestamptz NOT NULL,
    warehouse_id uuid NOT NULL,
    -- What the edge itself told: the seqs it gave out in this quarter; last = first - 1 if it ran and gave out none. Null
    -- if it has not told, or died before it could.
    first_seq    int8,
    last_seq     int8,
    -- As in edge_epochs, and their sums are the epoch's.
    received     int8multirange NOT NULL DEFAULT '{}',
    stored       int8 NOT NULL DEFAULT 0,
    alerts       int8 NOT NULL DEFAULT 0,
    dead         int8 NOT NULL DEFAULT 0,
    PRIMARY KEY (edge_id, epoch, quarter)
) WITH (fillfactor = 50);
-- Neither column ever changes, so additions stay heap-only.
CREATE INDEX epoch_quarters_by_warehouse ON epoch_quarters (warehouse_id, quarter);

CREATE INDEX edge_epochs_by_warehouse ON edge_epochs (warehouse_id, first_seen_at);

-- Where a dead letter is counted, so that a replay takes it back from there. Null with `epoch`.
ALTER TABLE dead_letters ADD COLUMN quarter timestamptz;
