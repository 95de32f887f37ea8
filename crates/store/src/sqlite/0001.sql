-- Which deployment this is.
CREATE TABLE meta (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    store_id BLOB NOT NULL CHECK (length(store_id) = 16)
) STRICT;

-- Counts the changes, gap-free and in the order of their commits.
CREATE TABLE revision (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    value INTEGER NOT NULL
) STRICT;
INSERT INTO revision (one, value) VALUES (1, 0);

-- The account id given last.
CREATE TABLE account_ids (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    value INTEGER NOT NULL
) STRICT;
INSERT INTO account_ids (one, value) VALUES (1, 100000000);

CREATE TABLE accounts (
    id INTEGER PRIMARY KEY CHECK (id > 0),
    email TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    -- The change that wrote it last.
    revision INTEGER NOT NULL,
    record BLOB NOT NULL
) STRICT;
CREATE INDEX accounts_by_revision ON accounts (revision);

CREATE TABLE keys (
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    account INTEGER NOT NULL REFERENCES accounts (id),
    api_key TEXT NOT NULL UNIQUE CHECK (length(api_key) = 64),
    -- SHA-256 of the public key; HMAC keys have none.
    fingerprint BLOB CHECK (length(fingerprint) = 32),
    deleted INTEGER NOT NULL CHECK (deleted IN (0, 1)),
    version INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    record BLOB NOT NULL
) STRICT;
CREATE INDEX keys_by_account ON keys (account);
CREATE INDEX keys_by_fingerprint ON keys (fingerprint) WHERE fingerprint IS NOT NULL AND deleted = 0;
CREATE INDEX keys_by_revision ON keys (revision);

-- Who changed what: one record a revision, each chained to the one before and to the one before of its account.
CREATE TABLE audit (
    revision INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    previous BLOB NOT NULL CHECK (length(previous) = 32),
    account_previous BLOB NOT NULL CHECK (length(account_previous) = 32),
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    event BLOB NOT NULL
) STRICT;
CREATE INDEX audit_by_account ON audit (account, revision);
CREATE TRIGGER audit_is_not_rewritten BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'audit records are not rewritten');
END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'audit records are not deleted');
END;

-- What the exchange is to do, in the order of its ids.
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    revision INTEGER NOT NULL,
    effect BLOB NOT NULL,
    done INTEGER NOT NULL DEFAULT 0 CHECK (done IN (0, 1))
) STRICT;
CREATE INDEX outbox_by_revision ON outbox (revision);
CREATE INDEX outbox_pending ON outbox (id) WHERE done = 0;

-- The root keys, wrapped by the key-encryption key, and a known text sealed under them.
CREATE TABLE root_keys (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    wrapped BLOB NOT NULL,
    canary BLOB NOT NULL
) STRICT;

PRAGMA user_version = 1;
