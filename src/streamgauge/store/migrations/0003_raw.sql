-- Raw rows move to parts of one day, so that a retention of days drops whole parts, and to codecs
-- that fit what is in them; everything before 2019-11 shares one part. A table is filled anew beside
-- the old one, then both change names: after a crash in between it begins again. Durations become
-- nanoseconds (`latency_s` is read as before), whatever is finer or longer than 292 years is cut.
-- Parts that were merged go within seconds.

-- if: SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'messages' AND position(partition_key, '604800000000000') > 0
CREATE TABLE IF NOT EXISTS messages_next
(
    time_ns     Int64 CODEC(GCD, DoubleDelta, ZSTD),
    db          LowCardinality(String),
    tenant      LowCardinality(String),
    source      LowCardinality(String),
    integration LowCardinality(String),
    pipeline    LowCardinality(String),
    stage       LowCardinality(String),
    outcome     LowCardinality(String),
    reason      LowCardinality(String),
    router      LowCardinality(String),
    version     LowCardinality(String),
    tags        LowCardinality(String),
    count       UInt64 CODEC(T64, ZSTD),
    bytes       UInt64 CODEC(T64, ZSTD),
    latency_ns  Nullable(Int64) CODEC(GCD, T64, ZSTD),
    queue_ns    Nullable(Int64) CODEC(GCD, T64, ZSTD),
    latency_s   Nullable(Float64) ALIAS latency_ns / 1e9,
    queue_s     Nullable(Float64) ALIAS queue_ns / 1e9
)
ENGINE = MergeTree
PARTITION BY greatest(intDiv(time_ns, 86400000000000), 18200)
ORDER BY (intDiv(time_ns, 60000000000), tenant)
SETTINGS non_replicated_deduplication_window = 1000, min_compress_block_size = 1048576,
    old_parts_lifetime = 5, cleanup_delay_period = 5, cleanup_delay_period_random_add = 0,
    max_cleanup_delay_period = 10;

-- if: SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'messages' AND position(partition_key, '604800000000000') > 0
TRUNCATE TABLE messages_next;

-- if: SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'messages' AND position(partition_key, '604800000000000') > 0
INSERT INTO messages_next
    (time_ns, db, tenant, source, integration, pipeline, stage, outcome, reason, router, version,
    tags, count, bytes, latency_ns, queue_ns)
SELECT time_ns, db, tenant, source, integration, pipeline, stage, outcome, reason, router, version,
    tags, count, bytes, toInt64(round(if(latency_s > 9.2e9, 9.2e9, latency_s) * 1e9)),
    toInt64(round(if(queue_s > 9.2e9, 9.2e9, queue_s) * 1e9))
FROM messages
SETTINGS max_execution_time = 0, max_block_size = 16384, max_threads = 2,
    max_insert_threads = 1, min_insert_block_size_rows = 131072, min_insert_block_size_bytes = 67108864;

-- if: SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'messages' AND position(partition_key, '604800000000000') > 0
EXCHANGE TABLES messages AND messages_next;

DROP TABLE IF EXISTS messages_next;

-- if: SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'queue' AND position(partition_key, '604800000000000') > 0
CREATE TABLE IF NOT EXISTS queue_next
(
    time_ns      Int64 CODEC(GCD, DoubleDelta, ZSTD),
    seq          Int64 CODEC(Delta, ZSTD),
    db           LowCardinality(String),
    queue        LowCardinality(String),
    pipeline     LowCardinality(String),
    integration  LowCardinality(String),
    tenant       LowCardinality(String),
    router       LowCardinality(String),
    tags         LowCardinality(String),
    backlog      Nullable(Float64) CODEC(ZSTD),
    oldest_age_s Nullable(Float64) CODEC(ZSTD),
    in_total     Nullable(Float64) CODEC(ZSTD),
    out_total    Nullable(Float64) CODEC(ZSTD),
    consumers    Nullable(Float64) CODEC(ZSTD),
    in_flight    Nullable(Float64) CODEC(ZSTD)
)
ENGINE = MergeTree
PARTITION BY greatest(intDiv(time_ns, 86400000000000), 18200)
ORDER BY (intDiv(time_ns, 60000000000), tenant, queue)
SETTINGS non_replicated_deduplication_window = 1000, min_compress_block_size = 1048576,
    old_parts_lifetime = 5, cleanup_delay_period = 5, cleanup_delay_period_random_add = 0,
    max_cleanup_delay_period = 10;

-- if: SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'queue' AND position(partition_key, '604800000000000') > 0
TRUNCATE TABLE queue_next;

-- if: SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'queue' AND position(partition_key, '604800000000000') > 0
INSERT INTO queue_next
    (time_ns, seq, db, queue, pipeline, integration, tenant, router, tags, backlog, oldest_age_s,
    in_total, out_total, consumers, in_flight)
SELECT time_ns, seq, db, queue, pipeline, integration, tenant, router, tags, backlog, oldest_age_s,
    in_total, out_total, consumers, in_flight
FROM queue
SETTINGS max_execution_time = 0, max_block_size = 16384, max_threads = 2,
    max_insert_threads = 1, min_insert_block_size_rows = 131072, min_insert_block_size_bytes = 67108864;

-- if: SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'queue' AND position(partition_key, '604800000000000') > 0
EXCHANGE TABLES queue AND queue_next;

DROP TABLE IF EXISTS queue_next;

-- if: SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'points' AND position(partition_key, '604800000000000') > 0
CREATE TABLE IF NOT EXISTS points_next
(
    time_ns     Int64 CODEC(GCD, DoubleDelta, ZSTD),
    seq         Int64 CODEC(Delta, ZSTD),
    db          LowCardinality(String),
    measurement LowCardinality(String),
    tags        LowCardinality(String),
    field       LowCardinality(String),
    type        LowCardinality(String),
    value       Nullable(Float64) CODEC(ZSTD),
    text        Nullable(String) CODEC(ZSTD)
)
ENGINE = ReplacingMergeTree(seq)
PARTITION BY greatest(intDiv(time_ns, 86400000000000), 18200)
ORDER BY (db, measurement, tags, field, time_ns)
SETTINGS non_replicated_deduplication_window = 1000, min_compress_block_size = 1048576,
    old_parts_lifetime = 5, cleanup_delay_period = 5, cleanup_delay_period_random_add = 0,
    max_cleanup_delay_period = 10;

-- if: SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'points' AND position(partition_key, '604800000000000') > 0
TRUNCATE TABLE points_next;

-- if: SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'points' AND position(partition_key, '604800000000000') > 0
INSERT INTO points_next (time_ns, seq, db, measurement, tags, field, type, value, text)
SELECT time_ns, seq, db, measurement, tags, field, type, value, text
FROM points
SETTINGS max_execution_time = 0, max_block_size = 16384, max_threads = 2,
    max_insert_threads = 1, min_insert_block_size_rows = 131072, min_insert_block_size_bytes = 67108864;

-- if: SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'points' AND position(partition_key, '604800000000000') > 0
EXCHANGE TABLES points AND points_next;

DROP TABLE IF EXISTS points_next;

-- if: SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'rejected' AND position(partition_key, '604800000000000') > 0
CREATE TABLE IF NOT EXISTS rejected_next
(
    time_ns     Int64 CODEC(GCD, DoubleDelta, ZSTD),
    tenant      LowCardinality(String),
    line_number Int64 CODEC(T64, ZSTD),
    line        String CODEC(ZSTD),
    reason      String CODEC(ZSTD),
    batch       Int64 CODEC(Delta, ZSTD)
)
ENGINE = MergeTree
PARTITION BY greatest(intDiv(time_ns, 86400000000000), 18200)
ORDER BY time_ns
SETTINGS non_replicated_deduplication_window = 1000, old_parts_lifetime = 5,
    cleanup_delay_period = 5, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 10;

-- if: SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'rejected' AND position(partition_key, '604800000000000') > 0
TRUNCATE TABLE rejected_next;

-- if: SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'rejected' AND position(partition_key, '604800000000000') > 0
INSERT INTO rejected_next (time_ns, tenant, line_number, line, reason, batch)
SELECT time_ns, tenant, line_number, line, reason, batch
FROM rejected
SETTINGS max_execution_time = 0, max_block_size = 16384, max_threads = 2,
    max_insert_threads = 1, min_insert_block_size_rows = 131072, min_insert_block_size_bytes = 67108864;

-- if: SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'rejected' AND position(partition_key, '604800000000000') > 0
EXCHANGE TABLES rejected AND rejected_next;

DROP TABLE IF EXISTS rejected_next;

-- The small tables that every segment touches.
ALTER TABLE last_seen MODIFY SETTING old_parts_lifetime = 5, cleanup_delay_period = 5,
    cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 10;

ALTER TABLE seen_minute MODIFY SETTING old_parts_lifetime = 5, cleanup_delay_period = 5,
    cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 10;
