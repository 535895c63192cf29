-- The risk of an alert's episode, moment by moment, as it travels between edge and central. Null for a system alert, and for
-- what an edge sent that did not tell it yet.
ALTER TABLE alerts ADD COLUMN curve jsonb;
