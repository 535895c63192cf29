-- Alerts as the edges tell of them, and what people said of them, on the floor or at headquarters. What an alert amounts
-- to (acknowledged, silenced) is not stored: it is worked out of the facts by the rule that both binaries share.

-- One row per alert: the newest state that arrived. An alert belongs to the warehouse of the edge that sent it, so none
-- can touch another warehouse's.
CREATE TABLE alerts (
    warehouse_id    uuid NOT NULL,
    alert_id        uuid NOT NULL,
    -- The state with the greatest holds, in whatever order they arrive.
    revision        int8 NOT NULL CHECK (revision >= 1),
    -- The revision this one took the place of, 0 for none: how the ledger knows which records brought something new.
    revision_before int8 NOT NULL DEFAULT 0,
    -- The edge that sent this state, by its credential.
    edge_id         uuid NOT NULL,
    subject         text NOT NULL CHECK (subject IN ('risk', 'system')),
    rule            text NOT NULL,
    severity        text NOT NULL CHECK (severity IN ('notice', 'warning', 'critical')),
    zone_id         uuid,
    camera_id       text,
    -- Personal data.
    worker_id       uuid,
    started_at      timestamptz NOT NULL,
    raised_at       timestamptz NOT NULL,
    ended_at        timestamptz,
    peak            float8,
    peak_at         timestamptz,
    events          int8 NOT NULL,
    episodes        int8 NOT NULL,
    summary         text NOT NULL,
    stored_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (warehouse_id, alert_id)
) WITH (fillfactor = 50);
-- A fact names an alert by its id alone.
CREATE INDEX alerts_by_id ON alerts (alert_id);
CREATE INDEX alerts_by_time ON alerts (warehouse_id, raised_at, alert_id);
CREATE INDEX alerts_open ON alerts (warehouse_id, raised_at, alert_id) WHERE ended_at IS NULL;

-- Append-only. The id was made by whoever said it, so that a fact sent twice is one row.
CREATE TABLE alert_facts (
    fact_id      uuid NOT NULL,
    warehouse_id uuid NOT NULL,
    -- Where the delivery of headquarters' facts to an edge goes on: rises with each fact of a warehouse. Microseconds since
    -- 1970, so that it rises even over a restored backup. Null for what came from an edge.
    position     int8 CHECK ((position IS NOT NULL) = (origin = 'headquarters')),
    kind         text NOT NULL CHECK (kind IN ('acknowledge', 'silence', 'end_silence')),
    origin       text NOT NULL CHECK (origin IN ('edge', 'headquarters')),
    made_at      timestamptz NOT NULL,
    made_by      text NOT NULL,
    -- What was said, as it travels between edge and central; the columns below repeat what is looked up.
    statement    jsonb NOT NULL,
    alert_id     uuid,
    silence_id   uuid,
    until        timestamptz,
    -- The edge that forwarded it; null for headquarters'.
    edge_id      uuid,
    stored_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (fact_id, warehouse_id)
);
CREATE INDEX alert_facts_by_alert ON alert_facts (warehouse_id, alert_id) WHERE kind = 'acknowledge';
CREATE INDEX alert_facts_silences ON alert_facts (warehouse_id, until) WHERE kind = 'silence';
CREATE INDEX alert_facts_silences_by_time ON alert_facts (made_at, fact_id) WHERE kind = 'silence';
CREATE INDEX alert_facts_ends ON alert_facts (silence_id) WHERE kind = 'end_silence';
CREATE UNIQUE INDEX alert_facts_of_headquarters ON alert_facts (warehouse_id, position) WHERE position IS NOT NULL;

-- Records that carry alerts and facts have seqs too. `stored` goes on counting events that became rows; this counts
-- those that changed an alert or added a fact: received = stored + alerts + duplicates + dead.
ALTER TABLE edge_epochs ADD COLUMN alerts int8 NOT NULL DEFAULT 0;
