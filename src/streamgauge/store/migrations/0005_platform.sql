-- Minutes of all flows together: some rows a minute however many flows there are, so that charts of
-- the platform do not read every flow. Filled like the other minutes, with each segment.
CREATE TABLE IF NOT EXISTS platform_minute
(
    minute       Int64 CODEC(Delta, ZSTD),
    stage        LowCardinality(String),
    outcome      LowCardinality(String),
    count        SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
    bytes        SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
    latency_hist SimpleAggregateFunction(sumMap, Map(Int16, UInt64)),
    queue_hist   SimpleAggregateFunction(sumMap, Map(Int16, UInt64)),
    latency_min  SimpleAggregateFunction(min, Float32) DEFAULT inf CODEC(ZSTD),
    latency_max  SimpleAggregateFunction(max, Float32) DEFAULT -inf CODEC(ZSTD)
)
ENGINE = AggregatingMergeTree
PARTITION BY greatest(intDiv(minute, 10080), 2600)
ORDER BY (minute, stage, outcome)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 1000,
    old_parts_lifetime = 5,
    cleanup_delay_period = 5, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 10;

TRUNCATE TABLE platform_minute;

-- if: SELECT count() FROM minute
INSERT INTO platform_minute
    (minute, stage, outcome, count, bytes, latency_hist, queue_hist, latency_min, latency_max)
SELECT minute, stage, outcome, count, bytes, latency_hist, queue_hist, latency_min, latency_max
FROM minute
SETTINGS max_execution_time = 0, max_block_size = 16384, max_threads = 2,
    max_insert_threads = 1, min_insert_block_size_rows = 131072, min_insert_block_size_bytes = 67108864;

-- if: SELECT count() FROM kept_from WHERE name = 'minute'
INSERT INTO kept_from SELECT 'platform_minute', max(from_ns) FROM kept_from WHERE name = 'minute';
