-- The master of a sub-account; filled from the records by this step.
ALTER TABLE accounts ADD COLUMN master INTEGER;
CREATE INDEX accounts_by_master ON accounts (master) WHERE master IS NOT NULL;

-- When a key may need a sweep, in microseconds; keys from before this step are looked at once.
ALTER TABLE keys ADD COLUMN due INTEGER;
UPDATE keys SET due = 0 WHERE deleted = 0;
CREATE INDEX keys_due ON keys (due) WHERE due IS NOT NULL AND deleted = 0;

-- Why an effect was set aside; those that were are not delivered until they are taken up again.
ALTER TABLE outbox ADD COLUMN parked TEXT;
CREATE INDEX outbox_waiting ON outbox (id) WHERE done = 0 AND parked IS NULL;

-- What owners are told, written with the change that it is about.
CREATE TABLE notices (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL REFERENCES accounts (id),
    revision INTEGER NOT NULL,
    at INTEGER NOT NULL,
    notice BLOB NOT NULL,
    sent INTEGER NOT NULL DEFAULT 0 CHECK (sent IN (0, 1))
) STRICT;
CREATE INDEX notices_by_account ON notices (account, id);
CREATE INDEX notices_unsent ON notices (id) WHERE sent = 0;

-- Short-lived records: sessions, ceremonies, counters of attempts. Keys are digests, never tokens.
CREATE TABLE shelf (
    kind TEXT NOT NULL,
    key BLOB NOT NULL CHECK (length(key) = 32),
    owner INTEGER,
    value BLOB NOT NULL,
    version INTEGER NOT NULL,
    made INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX shelf_by_owner ON shelf (kind, owner) WHERE owner IS NOT NULL;
CREATE INDEX shelf_by_expiry ON shelf (expires);

-- Signed heads of the audit chain. The newest is where a start begins to verify.
CREATE TABLE audit_heads (
    revision INTEGER PRIMARY KEY,
    head TEXT NOT NULL
) STRICT;
CREATE TRIGGER audit_heads_are_not_rewritten BEFORE UPDATE ON audit_heads
BEGIN
    SELECT RAISE(ABORT, 'audit heads are not rewritten');
END;
CREATE TRIGGER audit_heads_are_not_deleted BEFORE DELETE ON audit_heads
BEGIN
    SELECT RAISE(ABORT, 'audit heads are not deleted');
END;

PRAGMA user_version = 2;
