-- The change whose effects a key waits for: before they are done it is not in force, whatever is written of it later.
ALTER TABLE keys ADD COLUMN waits INTEGER;
UPDATE keys SET waits = revision
WHERE deleted = 0 AND version = 1 AND revision IN (SELECT revision FROM outbox WHERE done = 0);
CREATE INDEX keys_waiting ON keys (waits) WHERE waits IS NOT NULL;

-- When the letter for a notice is tried next: one that cannot be sent waits, and holds up no other.
ALTER TABLE notices ADD COLUMN due INTEGER NOT NULL DEFAULT 0;
DROP INDEX notices_unsent;
CREATE INDEX notices_unsent ON notices (account, id, due) WHERE sent = 0;

PRAGMA user_version = 3;
