ALTER TABLE `sg_local`.`messages` ON CLUSTER `gauges` ADD COLUMN IF NOT EXISTS weight UInt64 DEFAULT 0 CODEC(T64, ZSTD);

ALTER TABLE `sg`.`messages` ON CLUSTER `gauges` ADD COLUMN IF NOT EXISTS weight UInt64 DEFAULT 0;

CREATE TABLE IF NOT EXISTS `sg_local`.`hops` ON CLUSTER `gauges` (
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
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/sg/hops-074ecb3735f8', '{replica}')
PARTITION BY hour
ORDER BY intDiv(time_ns, 60000000000)
SETTINGS min_bytes_for_wide_part = 134217728,
    replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, old_parts_lifetime = 5,
    cleanup_delay_period = 5, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 10;

CREATE TABLE IF NOT EXISTS `sg`.`hops` ON CLUSTER `gauges` AS `sg_local`.`hops` ENGINE = Distributed('gauges', 'sg_local', 'hops', cityHash64(tenant));

CREATE TABLE IF NOT EXISTS `sg_local`.`hops_kept` ON CLUSTER `gauges` (
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
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/sg/hops_kept-a91c9972f59a', '{replica}')
PARTITION BY intDiv(hour, 6)
ORDER BY (id, time_ns, seq)
SETTINGS index_granularity = 2048, min_bytes_for_wide_part = 134217728, old_parts_lifetime = 5,
    cleanup_delay_period = 5, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 10;

CREATE TABLE IF NOT EXISTS `sg`.`hops_kept` ON CLUSTER `gauges` AS `sg_local`.`hops_kept` ENGINE = Distributed('gauges', 'sg_local', 'hops_kept', cityHash64(tenant));

CREATE TABLE IF NOT EXISTS `sg_local`.`hops_thinned` ON CLUSTER `gauges` (
    hour          Int64,
    thinned_at_ns Int64,
    share         Float64,
    hops          UInt64
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/sg/hops_thinned-5304acbee190', '{replica}')
PARTITION BY intDiv(hour, 720)
ORDER BY hour
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, old_parts_lifetime = 5,
    cleanup_delay_period = 5, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 10;

CREATE TABLE IF NOT EXISTS `sg`.`hops_thinned` ON CLUSTER `gauges` AS `sg_local`.`hops_thinned` ENGINE = Distributed('gauges', 'sg_local', 'hops_thinned', cityHash64(hour));

CREATE TABLE IF NOT EXISTS `sg_local`.`error_minute` ON CLUSTER `gauges` (
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
) ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/sg/error_minute-73cd50a8936b', '{replica}')
PARTITION BY greatest(intDiv(minute, 10080), 2600)
ORDER BY (intDiv(minute, 60), integration, reason, fingerprint, tenant, source, pipeline, stage,
    outcome, minute)
SETTINGS index_granularity = 2048, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800,
    old_parts_lifetime = 5,
    cleanup_delay_period = 5, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 10;

CREATE TABLE IF NOT EXISTS `sg`.`error_minute` ON CLUSTER `gauges` AS `sg_local`.`error_minute` ENGINE = Distributed('gauges', 'sg_local', 'error_minute', cityHash64(tenant));

CREATE TABLE IF NOT EXISTS `sg_local`.`error_samples` ON CLUSTER `gauges` (
    hour        Int64 CODEC(Delta, ZSTD),
    fingerprint UInt64 CODEC(ZSTD),
    tenant      LowCardinality(String),
    source      LowCardinality(String),
    pipeline    LowCardinality(String),
    samples     SimpleAggregateFunction(groupArrayLastArray(3), Array(Tuple(Int64, String, String))) CODEC(ZSTD)
) ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/sg/error_samples-d6882bc1fcd7', '{replica}')
PARTITION BY greatest(intDiv(hour, 24), 18200)
ORDER BY (fingerprint, hour, tenant, source, pipeline)
SETTINGS index_granularity = 1024, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800,
    old_parts_lifetime = 5,
    cleanup_delay_period = 5, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 10;

CREATE TABLE IF NOT EXISTS `sg`.`error_samples` ON CLUSTER `gauges` AS `sg_local`.`error_samples` ENGINE = Distributed('gauges', 'sg_local', 'error_samples', cityHash64(tenant));
