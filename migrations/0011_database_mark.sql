-- Which database this is, and how far it has got, for edges to notice that it was restored from a backup, emptied, or
-- failed over to a copy that had not got everything.

CREATE TABLE database_identity (
    one bool PRIMARY KEY DEFAULT true CHECK (one),
    -- Another one for each database that was made anew.
    id  uuid NOT NULL DEFAULT gen_random_uuid()
);
INSERT INTO database_identity DEFAULT VALUES;

-- The system identifier is another for each cluster, the timeline for each recovery that went its own way, the oid for each
-- copy or restored dump within a cluster. What all of them miss, a copy of the disk put back in place, shows in the
-- position, which only ever rises.
CREATE FUNCTION database_mark(OUT identity text, OUT "position" int8) LANGUAGE plpgsql STABLE AS $$
DECLARE
    -- Flushed: what a crash takes back was never confirmed.
    log_at  pg_lsn := pg_current_wal_flush_lsn();
    -- Cluster and oid. No session outlives them, and to look them up was most of the work of each batch's and heartbeat's mark.
    place   text := current_setting('smartpick.place', true);
    cluster int8 := 0;
BEGIN
    IF coalesce(place, '') = '' THEN
        -- Everybody may by default; where that was taken away the rest must do.
        IF has_function_privilege('pg_control_system()', 'EXECUTE') THEN
            SELECT system_identifier INTO cluster FROM pg_control_system();
        END IF;
        SELECT concat_ws('/', cluster, oid) INTO place FROM pg_database WHERE datname = current_database();
        PERFORM set_config('smartpick.place', place, false);
    END IF;
    SELECT concat_ws('/', place, ('x' || left(pg_walfile_name(log_at), 8))::bit(32)::int8, id), log_at - '0/0'
    INTO identity, "position" FROM database_identity;
END $$;
