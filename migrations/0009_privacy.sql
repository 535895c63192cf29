-- For retention: alerts that have been over for long, and what was said so long ago.
CREATE INDEX alerts_by_end ON alerts (ended_at);
CREATE INDEX alert_facts_by_time ON alert_facts (made_at);
