-- How long messages took, for detection; empty in rows of former versions.
ALTER TABLE changes ADD COLUMN IF NOT EXISTS latencies String CODEC(ZSTD);
