-- Names of machines' tokens are compared as people's are, and the audit can be asked about one subject.

ALTER TABLE api_tokens ADD COLUMN name_key text;
UPDATE api_tokens SET name_key = lower(name);
ALTER TABLE api_tokens ALTER COLUMN name_key SET NOT NULL, ADD UNIQUE (name_key);

-- Asked for by how it begins.
CREATE INDEX audit_log_by_subject ON audit_log (subject text_pattern_ops, id);
