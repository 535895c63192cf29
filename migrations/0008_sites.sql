-- What people call the things of a site, its clock, and the rules its edges go by. Each of these can be set at
-- headquarters or reported from an edge's configuration; what is set wins, and null means as reported. `name` is what
-- counts, worked out here so that no reader can forget which wins.

ALTER TABLE warehouses RENAME COLUMN name TO name_set;
ALTER TABLE warehouses
    ADD COLUMN name_reported      text,
    ADD COLUMN name               text GENERATED ALWAYS AS (coalesce(name_set, name_reported)) STORED,
    -- IANA names.
    ADD COLUMN time_zone_set      text,
    ADD COLUMN time_zone_reported text,
    -- Shifts as people write them: [{"name", "days", "start", "end"}].
    ADD COLUMN shifts_set         jsonb,
    ADD COLUMN shifts_reported    jsonb;

ALTER TABLE zones RENAME COLUMN name TO name_set;
ALTER TABLE zones
    ADD COLUMN name_reported text,
    ADD COLUMN name          text GENERATED ALWAYS AS (coalesce(name_set, name_reported)) STORED;

-- Learned from heartbeats and from what edges and people name. No foreign key, as with zones.
CREATE TABLE cameras (
    warehouse_id  uuid NOT NULL,
    camera_id     text NOT NULL,
    -- Where it was last seen, or is said to hang. Null: nobody said.
    zone_id       uuid,
    name_set      text,
    name_reported text,
    name          text GENERATED ALWAYS AS (coalesce(name_set, name_reported)) STORED,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (warehouse_id, camera_id)
);

-- What each edge's configuration says of its site, as last told. `warehouses`, `zones` and `cameras` have what follows
-- from all of a site's edges; this is kept so that it can be worked out again when one of them changes.
CREATE TABLE edge_sites (
    edge_id      uuid PRIMARY KEY REFERENCES edges,
    warehouse_id uuid NOT NULL,
    -- Of the report, as the edge works it out; it sends the report only if this differs.
    digest       text NOT NULL,
    report       jsonb NOT NULL,
    reported_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX edge_sites_by_warehouse ON edge_sites (warehouse_id);

-- Rule sets made at headquarters. Append-only; the newest of a site is the one its edges shall go by.
CREATE TABLE rule_sets (
    warehouse_id uuid NOT NULL REFERENCES warehouses,
    version      int8 NOT NULL CHECK (version >= 1),
    -- Names this set whatever its version: after a restored backup the same number may be given out a second time.
    set_id       uuid NOT NULL UNIQUE,
    -- As the edges' configuration writes them. Null: each edge goes by its own configuration again.
    rules        jsonb,
    note         text NOT NULL,
    made_by      text NOT NULL,
    made_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (warehouse_id, version)
);
