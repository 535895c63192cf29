-- How the fleet is and was. The state of today stands here and not in a process's memory, so that all instances of central
-- answer the same and a restart forgets nothing.

-- What an edge last said, as far as its state is made of it: two hundred cameras in a heartbeat are a count here, so that
-- a thousand edges are read in a moment.
ALTER TABLE edges
    ADD COLUMN digest          jsonb,
    -- A heartbeat came and could not be read: when, and why.
    ADD COLUMN unreadable_at   timestamptz,
    ADD COLUMN unreadable      text,
    -- Since when each heartbeat has said that something waits; null if the last said that nothing does.
    ADD COLUMN waiting_since   timestamptz,
    -- When its process says it was started. Two boxes with one id take turns here: it goes back, again and again.
    ADD COLUMN started_at      timestamptz,
    ADD COLUMN turned_back     int4 NOT NULL DEFAULT 0,
    ADD COLUMN turned_back_at  timestamptz,
    -- When a heartbeat of it was last kept in edge_heartbeats.
    ADD COLUMN kept_at         timestamptz;

-- The state of each edge and, with edge_id null, of each site. Changed by compare-and-set on `version`: whoever decided by
-- an outdated row changes nothing and decides again.
CREATE TABLE fleet_states (
    warehouse_id uuid NOT NULL,
    edge_id      uuid,
    version      int8 NOT NULL,
    state        text NOT NULL CHECK (state IN ('healthy', 'degraded', 'stale', 'offline', 'unknown')),
    -- Codes of the reasons: what was so is left later than it is entered.
    codes        text[] NOT NULL,
    -- When `state` became what it is.
    since        timestamptz NOT NULL,
    -- Whether site_states has it, and when that last got a row of it.
    noted        bool NOT NULL,
    noted_at     timestamptz NOT NULL,
    UNIQUE NULLS NOT DISTINCT (warehouse_id, edge_id)
) WITH (fillfactor = 50);

-- Append-only: each change of a state, and of its reasons when they change, at most one of those a minute.
CREATE TABLE site_states (
    id           int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    warehouse_id uuid NOT NULL,
    -- Null: the site as a whole.
    edge_id      uuid,
    at           timestamptz NOT NULL,
    state        text NOT NULL,
    -- In words, as they were then.
    reasons      text[] NOT NULL
);
CREATE INDEX site_states_by_site ON site_states (warehouse_id, at);
-- Rows come in by time, so this is small and enough for retention.
CREATE INDEX site_states_by_time ON site_states USING brin (at) WITH (pages_per_range = 16);

-- Heartbeats thinned: one per edge and five minutes, and one at each change of its state, so that a site which is gone keeps
-- its last picture and how it came to it.
CREATE TABLE edge_heartbeats (
    edge_id            uuid NOT NULL,
    at                 timestamptz NOT NULL,
    warehouse_id       uuid NOT NULL,
    live               int8 NOT NULL,
    backlog            int8 NOT NULL,
    oldest_age_seconds float8,
    disk_bytes_free    int8 NOT NULL,
    accepted           int8 NOT NULL,
    rejected           int8 NOT NULL,
    redis              text NOT NULL,
    PRIMARY KEY (edge_id, at)
);
CREATE INDEX edge_heartbeats_by_time ON edge_heartbeats USING brin (at) WITH (pages_per_range = 16);
