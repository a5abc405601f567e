-- What segments add for detection, where it runs in another process than receiving: one row a
-- segment, so that it is seen whole or not at all. `minutes` and `queues` are Arrow streams. Rows are
-- wanted for minutes only; the engine removes them after an hour. Not split by time: a segment sent
-- again is known by its token within one part of a table only.
CREATE TABLE IF NOT EXISTS changes
(
    token       String,
    run         LowCardinality(String),
    number      UInt64,
    newest_ns   Int64,
    minutes     String CODEC(ZSTD),
    queues      String CODEC(ZSTD),
    inserted_ms Int64 DEFAULT toUnixTimestamp64Milli(now64(3))
)
ENGINE = MergeTree
ORDER BY inserted_ms
TTL fromUnixTimestamp64Milli(inserted_ms) + INTERVAL 1 HOUR
SETTINGS non_replicated_deduplication_window = 1000,
    old_parts_lifetime = 5, cleanup_delay_period = 5, cleanup_delay_period_random_add = 0,
    max_cleanup_delay_period = 10;
