-- Durations of messages that are counted elsewhere lie among the messages, with `count` 0: they stand
-- for `weight` messages. 0: for as many as the row counts.
ALTER TABLE messages ADD COLUMN IF NOT EXISTS weight UInt64 DEFAULT 0 CODEC(T64, ZSTD);

-- What messages went through, all of it for a short while: one row a hop. `hour` is that of its time
-- stamp (a day before it came, where that is older), and whole hours leave at once. `seq` is each hop's
-- own number, so that a copy is known as such. Hops lie as they came: sorted by id, merging them took four
-- times as long; the filter finds those of one message.
CREATE TABLE IF NOT EXISTS hops
(
    hour        Int64 CODEC(Delta, ZSTD),
    id          String CODEC(LZ4),
    time_ns     Int64 CODEC(Delta, ZSTD),
    seq         Int64 CODEC(Delta, ZSTD),
    tenant      LowCardinality(String),
    source      LowCardinality(String),
    integration LowCardinality(String),
    pipeline    LowCardinality(String),
    stage       LowCardinality(String),
    outcome     LowCardinality(String),
    reason      LowCardinality(String),
    router      LowCardinality(String),
    version     LowCardinality(String),
    latency_ns  Nullable(Int64) CODEC(GCD, T64, ZSTD),
    queue_ns    Nullable(Int64) CODEC(GCD, T64, ZSTD),
    bytes       UInt64 CODEC(T64, ZSTD),
    error       Nullable(String) CODEC(ZSTD),
    INDEX by_id id TYPE bloom_filter(0.025) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY hour
ORDER BY intDiv(time_ns, 60000000000)
SETTINGS min_bytes_for_wide_part = 134217728,
    non_replicated_deduplication_window = 1000, old_parts_lifetime = 5,
    cleanup_delay_period = 5, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 10;

-- What is kept of hops for longer: journeys with trouble, slow ones, a share of the others. Filled
-- hour by hour, and again where that was broken off: equal rows become one. `is_trouble`: it is kept
-- though its message is not in the share.
CREATE TABLE IF NOT EXISTS hops_kept
(
    hour        Int64 CODEC(Delta, ZSTD),
    id          String CODEC(ZSTD),
    time_ns     Int64 CODEC(ZSTD),
    seq         Int64 CODEC(ZSTD),
    tenant      LowCardinality(String),
    source      LowCardinality(String),
    integration LowCardinality(String),
    pipeline    LowCardinality(String),
    stage       LowCardinality(String),
    outcome     LowCardinality(String),
    reason      LowCardinality(String),
    router      LowCardinality(String),
    version     LowCardinality(String),
    latency_ns  Nullable(Int64) CODEC(GCD, T64, ZSTD),
    queue_ns    Nullable(Int64) CODEC(GCD, T64, ZSTD),
    bytes       UInt64 CODEC(T64, ZSTD),
    error       Nullable(String) CODEC(ZSTD),
    is_trouble  UInt8
)
ENGINE = ReplacingMergeTree
PARTITION BY intDiv(hour, 6)
ORDER BY (id, time_ns, seq)
SETTINGS index_granularity = 2048, min_bytes_for_wide_part = 134217728, old_parts_lifetime = 5,
    cleanup_delay_period = 5, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 10;

-- Which hours were thinned, when, and the share that was kept of messages without trouble.
CREATE TABLE IF NOT EXISTS hops_thinned
(
    hour          Int64,
    thinned_at_ns Int64,
    share         Float64,
    hops          UInt64
)
ENGINE = MergeTree
PARTITION BY intDiv(hour, 720)
ORDER BY hour
SETTINGS non_replicated_deduplication_window = 1000, old_parts_lifetime = 5,
    cleanup_delay_period = 5, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 10;

-- Errors that came with a text, by the minute; all of them count. `fingerprint` is that of
-- integration, reason and pattern; `pattern` is the text without what varies.
CREATE TABLE IF NOT EXISTS error_minute
(
    minute      Int64 CODEC(Delta, ZSTD),
    tenant      LowCardinality(String),
    source      LowCardinality(String),
    integration LowCardinality(String),
    pipeline    LowCardinality(String),
    stage       LowCardinality(String),
    outcome     LowCardinality(String),
    reason      LowCardinality(String),
    fingerprint UInt64 CODEC(ZSTD),
    pattern     SimpleAggregateFunction(any, String) CODEC(ZSTD),
    count       SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
    first_ns    SimpleAggregateFunction(min, Int64) CODEC(Delta, ZSTD),
    last_ns     SimpleAggregateFunction(max, Int64) CODEC(Delta, ZSTD)
)
ENGINE = AggregatingMergeTree
PARTITION BY greatest(intDiv(minute, 10080), 2600)
ORDER BY (intDiv(minute, 60), integration, reason, fingerprint, tenant, source, pipeline, stage,
    outcome, minute)
SETTINGS index_granularity = 2048, non_replicated_deduplication_window = 1000,
    old_parts_lifetime = 5,
    cleanup_delay_period = 5, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 10;

-- The newest few messages of each fingerprint, customer, source, pipeline and hour: (time_ns, id, text).
CREATE TABLE IF NOT EXISTS error_samples
(
    hour        Int64 CODEC(Delta, ZSTD),
    fingerprint UInt64 CODEC(ZSTD),
    tenant      LowCardinality(String),
    source      LowCardinality(String),
    pipeline    LowCardinality(String),
    samples     SimpleAggregateFunction(groupArrayLastArray(3), Array(Tuple(Int64, String, String))) CODEC(ZSTD)
)
ENGINE = AggregatingMergeTree
PARTITION BY greatest(intDiv(hour, 24), 18200)
ORDER BY (fingerprint, hour, tenant, source, pipeline)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 1000,
    old_parts_lifetime = 5,
    cleanup_delay_period = 5, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 10;
