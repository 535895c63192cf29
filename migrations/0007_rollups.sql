-- Rollups that answer for months: a quarter of an hour for whatever follows a site's clock (the offset of every time zone
-- is a multiple of 15 minutes, so a local hour, day or shift is a sum of quarters), an hour because most of what is
-- asked for is made of whole ones and there are four times fewer, and a UTC day for comparing all sites. Of each zone, and of
-- each site as a whole, whose people are not the sum of its zones'. All grow by exactly what changed in zone_minutes.

-- Seconds are bits of their minute, so that nothing counts twice however often and late it comes: one with any event
-- that was not made by hand, and one with a score of 70 or more among those. `*_before`: how many bits the row had before the
-- last write to it, which is how that write knows what it added.
ALTER TABLE zone_minutes
    ADD COLUMN observed int8 NOT NULL DEFAULT 0,
    ADD COLUMN at_risk int8 NOT NULL DEFAULT 0,
    ADD COLUMN observed_before int2 NOT NULL DEFAULT 0,
    ADD COLUMN at_risk_before int2 NOT NULL DEFAULT 0;

-- A number for each worker, so that people can be counted without their ids being all over the rollups. Forgetting
-- somebody deletes the row here: the counts stay right, and nobody can say any more whose number it was.
CREATE TABLE worker_numbers (
    worker_id uuid PRIMARY KEY,
    number    int4 NOT NULL UNIQUE GENERATED ALWAYS AS IDENTITY,
    -- The last day on which a pass found the number in fresh rollups; one that is in none any more is deleted.
    seen_on   date NOT NULL DEFAULT current_date
);

-- What a storing transaction added to quarters and is not in the tables below yet: a transaction leaves one row here, and every
-- other second a pass takes all there are and adds them up first. Storing thus holds no lock on a row that others need.
CREATE TABLE rollups_due (
    id     int8 PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    put_at timestamptz NOT NULL DEFAULT now(),
    -- As rollups/due.rs writes it.
    added  bytea NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- One column per bin and not an array, so that adding and summing are plain SQL.
CREATE TEMP TABLE figures (
    risk_sum_hundredths  int8 NOT NULL,
    warehouse_id         uuid NOT NULL,
    risk_max_hundredths  int4 NOT NULL,
    events               int4 NOT NULL,
    minutes_observed     int4 NOT NULL,
    seconds_observed     int4 NOT NULL,
    seconds_at_risk      int4 NOT NULL,
    b00 int4 NOT NULL, b01 int4 NOT NULL, b02 int4 NOT NULL, b03 int4 NOT NULL,
    b04 int4 NOT NULL, b05 int4 NOT NULL, b06 int4 NOT NULL, b07 int4 NOT NULL,
    b08 int4 NOT NULL, b09 int4 NOT NULL, b10 int4 NOT NULL, b11 int4 NOT NULL,
    b12 int4 NOT NULL, b13 int4 NOT NULL, b14 int4 NOT NULL, b15 int4 NOT NULL,
    b16 int4 NOT NULL, b17 int4 NOT NULL, b18 int4 NOT NULL, b19 int4 NOT NULL,
    -- Numbers of the workers who were seen, sorted; at most as many as coarse.rs says.
    -- As text, '{1,2}', because a dashboard reads thousands of them, and to make texts of arrays was more than half of its work.
    people               text NOT NULL
) ON COMMIT DROP;

-- Partitioned by hash only to keep a site's rows together: in one table those of 500 sites come mixed as they
-- happen, and each row of a site would be on a page of its own. More parts would help a little more, and make each
-- new database larger and slower to make.
CREATE TABLE zone_quarters (
    quarter timestamptz NOT NULL, zone_id uuid NOT NULL, LIKE figures, PRIMARY KEY (warehouse_id, zone_id, quarter)
) PARTITION BY HASH (warehouse_id);
CREATE TABLE zone_hours (
    hour timestamptz NOT NULL, zone_id uuid NOT NULL, LIKE figures, PRIMARY KEY (warehouse_id, zone_id, hour)
) PARTITION BY HASH (warehouse_id);
CREATE TABLE site_quarters (
    quarter timestamptz NOT NULL, LIKE figures, PRIMARY KEY (warehouse_id, quarter)
) PARTITION BY HASH (warehouse_id);
CREATE TABLE site_hours (
    hour timestamptz NOT NULL, LIKE figures, PRIMARY KEY (warehouse_id, hour)
) PARTITION BY HASH (warehouse_id);
CREATE TABLE site_days (
    day timestamptz NOT NULL, LIKE figures, PRIMARY KEY (warehouse_id, day)
) WITH (fillfactor = 70);
-- Of days people are counted here.
ALTER TABLE site_days ALTER people TYPE int4[] USING people::int4[];

DO $$
DECLARE
    parts  CONSTANT int := 128;
    parted text;
BEGIN
    FOREACH parted IN ARRAY ARRAY['zone_quarters', 'zone_hours', 'site_quarters', 'site_hours'] LOOP
        FOR part IN 0..parts - 1 LOOP
            -- Room on each page for the next versions of its newest rows.
            EXECUTE format('CREATE TABLE %s_%s PARTITION OF %1$s
                                FOR VALUES WITH (MODULUS %3$s, REMAINDER %2$s) WITH (fillfactor = 70)', parted, part, parts);
        END LOOP;
    END LOOP;
END $$;

-- For retention and for looking at all sites. Rows come nearly in the order of time, so the smallest kind of index will do.
CREATE INDEX zone_quarters_by_quarter ON zone_quarters USING brin (quarter) WITH (pages_per_range = 16);
CREATE INDEX zone_hours_by_hour ON zone_hours USING brin (hour) WITH (pages_per_range = 16);
CREATE INDEX site_quarters_by_quarter ON site_quarters USING brin (quarter) WITH (pages_per_range = 16);
CREATE INDEX site_hours_by_hour ON site_hours USING brin (hour) WITH (pages_per_range = 16);
CREATE INDEX site_days_by_day ON site_days (day);

-- What there is already. Minutes whose events are past their retention keep empty masks.
UPDATE zone_minutes m SET observed = e.observed, at_risk = e.at_risk
FROM (
    SELECT warehouse_id, zone_id, date_trunc('minute', event_time, 'UTC') AS minute,
           bit_or(1::int8 << extract(second FROM event_time)::int) AS observed,
           coalesce(bit_or(1::int8 << extract(second FROM event_time)::int) FILTER (WHERE risk_score >= 70), 0)
               AS at_risk
    FROM (SELECT warehouse_id, zone_id, date_trunc('second', event_time) AS event_time, risk_score, source
          FROM ergonomic_snapshots) s
    WHERE source <> 'manual'
    GROUP BY 1, 2, 3
) e
WHERE (m.warehouse_id, m.zone_id, m.minute) = (e.warehouse_id, e.zone_id, e.minute);

INSERT INTO worker_numbers (worker_id)
SELECT DISTINCT worker_id FROM ergonomic_snapshots WHERE worker_id IS NOT NULL;

INSERT INTO zone_quarters
    (warehouse_id, zone_id, quarter, events, risk_sum_hundredths, risk_max_hundredths, minutes_observed, seconds_observed,
     seconds_at_risk, b00, b01, b02, b03, b04, b05, b06, b07, b08, b09,
     b10, b11, b12, b13, b14, b15, b16, b17, b18, b19, people)
SELECT m.warehouse_id, m.zone_id, m.quarter, m.events, m.risk_sum, m.risk_max, m.minutes, m.seconds, m.at_risk,
       m.b00, m.b01, m.b02, m.b03, m.b04, m.b05, m.b06, m.b07, m.b08, m.b09,
       m.b10, m.b11, m.b12, m.b13, m.b14, m.b15, m.b16, m.b17, m.b18, m.b19, coalesce(p.people::text, '{}')
FROM (
    SELECT warehouse_id, zone_id, date_bin('15 minutes', minute, timestamptz 'epoch') AS quarter, sum(events) AS events,
           sum(risk_sum_hundredths) AS risk_sum, max(risk_max_hundredths) AS risk_max,
           count(*) FILTER (WHERE observed <> 0) AS minutes, sum(bit_count(observed::bit(64))) AS seconds,
           sum(bit_count(at_risk::bit(64))) AS at_risk,
           sum(risk_histogram[1]) AS b00, sum(risk_histogram[2]) AS b01, sum(risk_histogram[3]) AS b02,
           sum(risk_histogram[4]) AS b03, sum(risk_histogram[5]) AS b04, sum(risk_histogram[6]) AS b05,
           sum(risk_histogram[7]) AS b06, sum(risk_histogram[8]) AS b07, sum(risk_histogram[9]) AS b08,
           sum(risk_histogram[10]) AS b09, sum(risk_histogram[11]) AS b10, sum(risk_histogram[12]) AS b11,
           sum(risk_histogram[13]) AS b12, sum(risk_histogram[14]) AS b13, sum(risk_histogram[15]) AS b14,
           sum(risk_histogram[16]) AS b15, sum(risk_histogram[17]) AS b16, sum(risk_histogram[18]) AS b17,
           sum(risk_histogram[19]) AS b18, sum(risk_histogram[20]) AS b19
    FROM zone_minutes GROUP BY 1, 2, 3
) m
LEFT JOIN (
    SELECT s.warehouse_id, s.zone_id, date_bin('15 minutes', s.event_time, timestamptz 'epoch') AS quarter,
           array_agg(DISTINCT w.number ORDER BY w.number) AS people
    FROM ergonomic_snapshots s JOIN worker_numbers w USING (worker_id) GROUP BY 1, 2, 3
) p ON (p.warehouse_id, p.zone_id, p.quarter) = (m.warehouse_id, m.zone_id, m.quarter);

INSERT INTO zone_hours
    (warehouse_id, zone_id, hour, events, risk_sum_hundredths, risk_max_hundredths, minutes_observed, seconds_observed,
     seconds_at_risk, b00, b01, b02, b03, b04, b05, b06, b07, b08, b09,
     b10, b11, b12, b13, b14, b15, b16, b17, b18, b19, people)
SELECT q.warehouse_id, q.zone_id, q.hour, q.events, q.risk_sum, q.risk_max, q.minutes, q.seconds, q.at_risk,
       q.b00, q.b01, q.b02, q.b03, q.b04, q.b05, q.b06, q.b07, q.b08, q.b09,
       q.b10, q.b11, q.b12, q.b13, q.b14, q.b15, q.b16, q.b17, q.b18, q.b19, coalesce(p.people::text, '{}')
FROM (
    SELECT warehouse_id, zone_id, date_trunc('hour', quarter, 'UTC') AS hour, sum(events) AS events,
           sum(risk_sum_hundredths) AS risk_sum, max(risk_max_hundredths) AS risk_max, sum(minutes_observed) AS minutes,
           sum(seconds_observed) AS seconds, sum(seconds_at_risk) AS at_risk,
           sum(b00) AS b00, sum(b01) AS b01, sum(b02) AS b02, sum(b03) AS b03, sum(b04) AS b04,
           sum(b05) AS b05, sum(b06) AS b06, sum(b07) AS b07, sum(b08) AS b08, sum(b09) AS b09,
           sum(b10) AS b10, sum(b11) AS b11, sum(b12) AS b12, sum(b13) AS b13, sum(b14) AS b14,
           sum(b15) AS b15, sum(b16) AS b16, sum(b17) AS b17, sum(b18) AS b18, sum(b19) AS b19
    FROM zone_quarters GROUP BY 1, 2, 3
) q
LEFT JOIN (
    SELECT warehouse_id, zone_id, date_trunc('hour', quarter, 'UTC') AS hour, array_agg(DISTINCT number ORDER BY number) AS people
    FROM zone_quarters, unnest(people::int4[]) AS number GROUP BY 1, 2, 3
) p ON (p.warehouse_id, p.zone_id, p.hour) = (q.warehouse_id, q.zone_id, q.hour);

INSERT INTO site_quarters
    (warehouse_id, quarter, events, risk_sum_hundredths, risk_max_hundredths, minutes_observed, seconds_observed,
     seconds_at_risk, b00, b01, b02, b03, b04, b05, b06, b07, b08, b09,
     b10, b11, b12, b13, b14, b15, b16, b17, b18, b19, people)
SELECT q.warehouse_id, q.quarter, q.events, q.risk_sum, q.risk_max, q.minutes, q.seconds, q.at_risk,
       q.b00, q.b01, q.b02, q.b03, q.b04, q.b05, q.b06, q.b07, q.b08, q.b09,
       q.b10, q.b11, q.b12, q.b13, q.b14, q.b15, q.b16, q.b17, q.b18, q.b19, coalesce(p.people::text, '{}')
FROM (
    SELECT warehouse_id, quarter AS quarter, sum(events) AS events,
           sum(risk_sum_hundredths) AS risk_sum, max(risk_max_hundredths) AS risk_max, sum(minutes_observed) AS minutes,
           sum(seconds_observed) AS seconds, sum(seconds_at_risk) AS at_risk,
           sum(b00) AS b00, sum(b01) AS b01, sum(b02) AS b02, sum(b03) AS b03, sum(b04) AS b04,
           sum(b05) AS b05, sum(b06) AS b06, sum(b07) AS b07, sum(b08) AS b08, sum(b09) AS b09,
           sum(b10) AS b10, sum(b11) AS b11, sum(b12) AS b12, sum(b13) AS b13, sum(b14) AS b14,
           sum(b15) AS b15, sum(b16) AS b16, sum(b17) AS b17, sum(b18) AS b18, sum(b19) AS b19
    FROM zone_quarters GROUP BY 1, 2
) q
LEFT JOIN (
    SELECT warehouse_id, quarter AS quarter, array_agg(DISTINCT number ORDER BY number) AS people
    FROM zone_quarters, unnest(people::int4[]) AS number GROUP BY 1, 2
) p ON (p.warehouse_id, p.quarter) = (q.warehouse_id, q.quarter);

INSERT INTO site_hours
    (warehouse_id, hour, events, risk_sum_hundredths, risk_max_hundredths, minutes_observed, seconds_observed,
     seconds_at_risk, b00, b01, b02, b03, b04, b05, b06, b07, b08, b09,
     b10, b11, b12, b13, b14, b15, b16, b17, b18, b19, people)
SELECT q.warehouse_id, q.hour, q.events, q.risk_sum, q.risk_max, q.minutes, q.seconds, q.at_risk,
       q.b00, q.b01, q.b02, q.b03, q.b04, q.b05, q.b06, q.b07, q.b08, q.b09,
       q.b10, q.b11, q.b12, q.b13, q.b14, q.b15, q.b16, q.b17, q.b18, q.b19, coalesce(p.people::text, '{}')
FROM (
    SELECT warehouse_id, date_trunc('hour', quarter, 'UTC') AS hour, sum(events) AS events,
           sum(risk_sum_hundredths) AS risk_sum, max(risk_max_hundredths) AS risk_max, sum(minutes_observed) AS minutes,
           sum(seconds_observed) AS seconds, sum(seconds_at_risk) AS at_risk,
           sum(b00) AS b00, sum(b01) AS b01, sum(b02) AS b02, sum(b03) AS b03, sum(b04) AS b04,
           sum(b05) AS b05, sum(b06) AS b06, sum(b07) AS b07, sum(b08) AS b08, sum(b09) AS b09,
           sum(b10) AS b10, sum(b11) AS b11, sum(b12) AS b12, sum(b13) AS b13, sum(b14) AS b14,
           sum(b15) AS b15, sum(b16) AS b16, sum(b17) AS b17, sum(b18) AS b18, sum(b19) AS b19
    FROM site_quarters GROUP BY 1, 2
) q
LEFT JOIN (
    SELECT warehouse_id, date_trunc('hour', quarter, 'UTC') AS hour, array_agg(DISTINCT number ORDER BY number) AS people
    FROM site_quarters, unnest(people::int4[]) AS number GROUP BY 1, 2
) p ON (p.warehouse_id, p.hour) = (q.warehouse_id, q.hour);

INSERT INTO site_days
    (warehouse_id, day, events, risk_sum_hundredths, risk_max_hundredths, minutes_observed, seconds_observed,
     seconds_at_risk, b00, b01, b02, b03, b04, b05, b06, b07, b08, b09,
     b10, b11, b12, b13, b14, b15, b16, b17, b18, b19, people)
SELECT q.warehouse_id, q.day, q.events, q.risk_sum, q.risk_max, q.minutes, q.seconds, q.at_risk,
       q.b00, q.b01, q.b02, q.b03, q.b04, q.b05, q.b06, q.b07, q.b08, q.b09,
       q.b10, q.b11, q.b12, q.b13, q.b14, q.b15, q.b16, q.b17, q.b18, q.b19, coalesce(p.people, '{}')
FROM (
    SELECT warehouse_id, date_trunc('day', hour, 'UTC') AS day, sum(events) AS events,
           sum(risk_sum_hundredths) AS risk_sum, max(risk_max_hundredths) AS risk_max, sum(minutes_observed) AS minutes,
           sum(seconds_observed) AS seconds, sum(seconds_at_risk) AS at_risk,
           sum(b00) AS b00, sum(b01) AS b01, sum(b02) AS b02, sum(b03) AS b03, sum(b04) AS b04,
           sum(b05) AS b05, sum(b06) AS b06, sum(b07) AS b07, sum(b08) AS b08, sum(b09) AS b09,
           sum(b10) AS b10, sum(b11) AS b11, sum(b12) AS b12, sum(b13) AS b13, sum(b14) AS b14,
           sum(b15) AS b15, sum(b16) AS b16, sum(b17) AS b17, sum(b18) AS b18, sum(b19) AS b19
    FROM site_hours GROUP BY 1, 2
) q
LEFT JOIN (
    SELECT warehouse_id, date_trunc('day', hour, 'UTC') AS day, array_agg(DISTINCT number ORDER BY number) AS people
    FROM site_hours, unnest(people::int4[]) AS number GROUP BY 1, 2
) p ON (p.warehouse_id, p.day) = (q.warehouse_id, q.day);
