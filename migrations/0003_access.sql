-- Who may do what at headquarters, and the memory of those who asked to be forgotten.

-- People. Deleted, never marked: what they did stays in audit_log under their name.
CREATE TABLE users (
    user_id      int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text NOT NULL,
    -- By what names are compared: Anna and anna are one.
    name_key     text NOT NULL UNIQUE,
    role         text NOT NULL CHECK (role IN ('viewer', 'safety-manager', 'administrator')),
    -- Argon2id, as a PHC string.
    password     text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz
);

-- A session is a token of 256 random bits in somebody's cookie; here is its SHA-256.
CREATE TABLE sessions (
    token_sha256 bytea PRIMARY KEY,
    user_id      int8 NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at   timestamptz NOT NULL DEFAULT now(),
    used_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX sessions_by_user ON sessions (user_id, used_at);

-- What a machine's token may do.
ALTER TABLE api_tokens
    ADD COLUMN scopes text[] NOT NULL DEFAULT '{read,act}'
        CHECK (cardinality(scopes) > 0 AND scopes <@ '{read,act,people,admin}'),
    ADD COLUMN last_used_at timestamptz;

CREATE INDEX audit_log_by_time ON audit_log (at);
CREATE INDEX audit_log_by_actor ON audit_log (actor, id);
CREATE INDEX audit_log_by_action ON audit_log (action, id);

-- Tombstones: SHA-256 of a forgotten worker's id (its 16 bytes). Every transaction that stores looks into them, so that a
-- late re-send brings nobody back.
CREATE TABLE forgotten_workers (
    worker_sha256 bytea PRIMARY KEY,
    -- In the order of their commits, because they are written one at a time: whoever has seen one has seen all before it.
    number        int8 NOT NULL UNIQUE GENERATED ALWAYS AS IDENTITY,
    forgotten_at  timestamptz NOT NULL DEFAULT now()
);
