-- When and from where a key last proved a call, in microseconds and as the bytes of the address; written now and then.
ALTER TABLE keys ADD COLUMN used_at INTEGER;
ALTER TABLE keys ADD COLUMN used_from BLOB CHECK (length(used_from) IN (4, 16));

PRAGMA user_version = 4;
