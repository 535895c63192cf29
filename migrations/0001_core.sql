-- The core of the store: events, what is known of sites and edges, the ledger that proves completeness, rollups for
-- dashboards, dead letters, credentials. Forward only: a later migration changes it, this file never does.

CREATE TABLE warehouses (
    warehouse_id  uuid PRIMARY KEY,
    name          text,
    first_seen_at timestamptz NOT NULL DEFAULT now()
);

-- Learned from events. No foreign key: a row of the hot path must never wait for a lock on its warehouse.
CREATE TABLE zones (
    warehouse_id  uuid NOT NULL,
    zone_id       uuid NOT NULL,
    name          text,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (warehouse_id, zone_id)
);

CREATE TABLE edges (
    edge_id           uuid PRIMARY KEY,
    warehouse_id      uuid NOT NULL REFERENCES warehouses,
    name              text,
    -- SHA-256 of the bearer token. The token has 256 random bits, so a slow hash would add nothing.
    credential_sha256 bytea NOT NULL UNIQUE,
    created_at        timestamptz NOT NULL DEFAULT now(),
    revoked_at        timestamptz,
    heartbeat         jsonb,
    -- When central received it, by central's clock.
    heartbeat_at      timestamptz
) WITH (fillfactor = 50);
CREATE INDEX edges_by_warehouse ON edges (warehouse_id);

-- One camera event each. The key is what the camera gave, so every retry, re-send and replay collapses on it. It holds
-- the partition key, as native partitions and hypertables both ask, and leads with the warehouse for a later
-- distribution by it.
CREATE TABLE ergonomic_snapshots (
    event_id          uuid NOT NULL,
    event_time        timestamptz NOT NULL,
    ingest_time       timestamptz NOT NULL,
    warehouse_id      uuid NOT NULL,
    zone_id           uuid NOT NULL,
    camera_id         varchar(255) NOT NULL,
    worker_id         uuid,
    model_version     varchar(50) NOT NULL,
    risk_score        numeric(5,2) NOT NULL,
    -- As the camera wrote it; `posture_keypoints::jsonb` always works. To make jsonb of it took more than half of an event's INSERT.
    posture_keypoints json NOT NULL,
    confidence        numeric(3,2) NOT NULL,
    source            varchar(50) NOT NULL,
    edge_id           uuid NOT NULL,
    edge_epoch        uuid NOT NULL,
    edge_seq          int8 NOT NULL,
    stored_at         timestamptz NOT NULL DEFAULT now(),
    -- The camera's clock could not be believed: event_time is the ingest time, the claim is in clock_suspect_events.
    clock_suspect     bool NOT NULL,
    PRIMARY KEY (warehouse_id, event_time, event_id)
) PARTITION BY RANGE (event_time);

-- Takes what no daily partition takes; central moves its rows when it makes their day's partition.
CREATE TABLE ergonomic_snapshots_default PARTITION OF ergonomic_snapshots DEFAULT;

-- The identity of events stored under their ingest time. A second copy has another ingest time and would be a second
-- row in ergonomic_snapshots; here it is the same one.
CREATE TABLE clock_suspect_events (
    warehouse_id       uuid NOT NULL,
    event_id           uuid NOT NULL,
    claimed_event_time timestamptz NOT NULL,
    stored_event_time  timestamptz NOT NULL,
    PRIMARY KEY (warehouse_id, event_id)
);
CREATE INDEX clock_suspect_events_by_time ON clock_suspect_events (stored_event_time);

-- The ledger: which seqs of an edge's epoch reached us, and what became of them.
-- duplicates = |received| - stored - dead, so no retry can count anything twice.
CREATE TABLE edge_epochs (
    edge_id           uuid NOT NULL,
    epoch             uuid NOT NULL,
    warehouse_id      uuid NOT NULL,
    -- The highest seq that the edge gave out, as far as we know. Never goes down.
    head              int8 NOT NULL DEFAULT 0,
    -- The highest that the edge itself told us of, with `buffered` as of that moment.
    reported_head     int8 NOT NULL DEFAULT 0,
    received          int8multirange NOT NULL DEFAULT '{}',
    buffered          int8multirange NOT NULL DEFAULT '{}',
    stored            int8 NOT NULL DEFAULT 0,
    dead              int8 NOT NULL DEFAULT 0,
    current           bool NOT NULL DEFAULT true,
    first_seen_at     timestamptz NOT NULL DEFAULT now(),
    reported_at       timestamptz,
    last_received_at  timestamptz,
    PRIMARY KEY (edge_id, epoch)
) WITH (fillfactor = 50);

-- What dashboards read. Percentiles merge by adding histograms: 20 bins of 5 points each, the last one includes 100.
CREATE TABLE zone_minutes (
    warehouse_id         uuid NOT NULL,
    zone_id              uuid NOT NULL,
    minute               timestamptz NOT NULL,
    events               int8 NOT NULL,
    risk_sum_hundredths  int8 NOT NULL,
    risk_max_hundredths  int4 NOT NULL,
    risk_histogram       int4[] NOT NULL CHECK (cardinality(risk_histogram) = 20),
    last_event_time      timestamptz NOT NULL,
    PRIMARY KEY (warehouse_id, zone_id, minute)
) WITH (fillfactor = 50);
-- For the newest of a site, and for retention. Neither column ever changes, so additions stay heap-only.
CREATE INDEX zone_minutes_by_warehouse ON zone_minutes (warehouse_id, minute);
CREATE INDEX zone_minutes_by_minute ON zone_minutes (minute);

CREATE TABLE dead_letters (
    id           int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    edge_id      uuid NOT NULL,
    warehouse_id uuid NOT NULL,
    batch_id     uuid NOT NULL,
    -- 'record': raw is one record; 'frame': raw is a whole frame that could not be opened.
    kind         text NOT NULL CHECK (kind IN ('record', 'frame')),
    -- The place in the ledger; null where it cannot be read or believed.
    epoch        uuid,
    seq          int8,
    reason       text NOT NULL,
    raw          bytea NOT NULL,
    raw_sha256   bytea NOT NULL,
    received_at  timestamptz NOT NULL DEFAULT now(),
    state        text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'replayed', 'discarded')),
    resolved_at  timestamptz,
    -- A re-send of the same bytes makes no second one.
    UNIQUE (edge_id, raw_sha256)
);
CREATE INDEX dead_letters_open ON dead_letters (warehouse_id) WHERE state = 'open';

CREATE TABLE api_tokens (
    name         text PRIMARY KEY,
    token_sha256 bytea NOT NULL UNIQUE,
    created_at   timestamptz NOT NULL DEFAULT now(),
    revoked_at   timestamptz
);

CREATE TABLE audit_log (
    id      int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT now(),
    actor   text NOT NULL,
    action  text NOT NULL,
    subject text NOT NULL,
    detail  text
);
