-- The change whose effects a key waits for: before they are done it is not in force, whatever is written of it later.
ALTER TABLE keys ADD COLUMN waits INTEGER;
UPDATE keys SET waits = revision
WHERE deleted = 0 AND version = 1 AND revision IN (SELECT revision FROM outbox WHERE done = 0);
CREATE INDEX keys_waiting ON keys (waits) WHERE waits IS NOT NULL;

PRAGMA user_version = 3;
