-- Boxes join a site by a token and come in by certificates of central's own authority. Bearer tokens stay, for edges
-- behind a proxy that ends TLS.

ALTER TABLE edges ALTER COLUMN credential_sha256 DROP NOT NULL;
-- When a certificate that another one has replaced was last shown as this edge's: a second box has a copy of its disk.
ALTER TABLE edges ADD COLUMN copy_seen_at timestamptz;

-- Central's own, one as a rule. The keys are in files of the instances, never here; with the certificates here, an
-- instance notices that it was given another key than the others.
CREATE TABLE authorities (
    -- SHA-256 of the certificate.
    fingerprint bytea PRIMARY KEY,
    certificate text NOT NULL,
    made_at     timestamptz NOT NULL
);

CREATE TABLE join_tokens (
    -- SHA-256 of the secret in the token, which has 256 random bits.
    token_sha256      bytea PRIMARY KEY,
    warehouse_id      uuid NOT NULL REFERENCES warehouses,
    -- The edge that is to be enrolled anew; null: a new one.
    edge_id           uuid REFERENCES edges,
    made_at           timestamptz NOT NULL,
    expires_at        timestamptz NOT NULL,
    used_at           timestamptz,
    -- Whose key used it: a box whose answer was lost asks again with the same, and gets the same certificate.
    key_sha256        bytea,
    certificate       bytea
);
CREATE INDEX join_tokens_by_expiry ON join_tokens (expires_at);

CREATE TABLE edge_certificates (
    -- SHA-256 of the certificate: what a connection is recognised by.
    fingerprint   bytea PRIMARY KEY,
    serial        bytea NOT NULL UNIQUE,
    edge_id       uuid NOT NULL REFERENCES edges,
    issued_by     bytea NOT NULL REFERENCES authorities,
    issued_for    text NOT NULL CHECK (issued_for IN ('enrolment', 'renewal', 'return')),
    key_sha256    bytea NOT NULL,
    -- In PEM.
    certificate   text NOT NULL,
    not_before    timestamptz NOT NULL,
    not_after     timestamptz NOT NULL,
    renew_at      timestamptz NOT NULL,
    issued_at     timestamptz NOT NULL,
    -- The edge has it for certain since then, and the ones before it end.
    first_used_at timestamptz,
    superseded_at timestamptz,
    revoked_at    timestamptz
);
CREATE INDEX edge_certificates_by_edge ON edge_certificates (edge_id, issued_at);
