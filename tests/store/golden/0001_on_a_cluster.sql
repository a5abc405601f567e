CREATE TABLE IF NOT EXISTS `sg_local`.`messages` ON CLUSTER `gauges` (
    time_ns     Int64 CODEC(Delta, LZ4),
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
    count       UInt64 CODEC(T64, LZ4),
    bytes       UInt64 CODEC(T64, LZ4),
    latency_s   Nullable(Float64),
    queue_s     Nullable(Float64)
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/sg/messages-6e415fdb86d2', '{replica}')
PARTITION BY greatest(intDiv(time_ns, 604800000000000), 2600)
ORDER BY (intDiv(time_ns, 60000000000), tenant)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

CREATE TABLE IF NOT EXISTS `sg`.`messages` ON CLUSTER `gauges` AS `sg_local`.`messages` ENGINE = Distributed('gauges', 'sg_local', 'messages', cityHash64(tenant));

CREATE TABLE IF NOT EXISTS `sg_local`.`minute` ON CLUSTER `gauges` (
    minute       Int64 CODEC(Delta, ZSTD),
    tenant       LowCardinality(String),
    source       LowCardinality(String),
    integration  LowCardinality(String),
    pipeline     LowCardinality(String),
    stage        LowCardinality(String),
    outcome      LowCardinality(String),
    reason       LowCardinality(String),
    count        SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
    bytes        SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
    latency_hist SimpleAggregateFunction(sumMap, Map(Int16, UInt64)),
    queue_hist   SimpleAggregateFunction(sumMap, Map(Int16, UInt64)),
    first_ns     SimpleAggregateFunction(min, Int64) CODEC(Delta, ZSTD),
    last_ns      SimpleAggregateFunction(max, Int64) CODEC(Delta, ZSTD)
) ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/sg/minute-2f04fd3979d5', '{replica}')
PARTITION BY greatest(intDiv(minute, 43200), 606)
ORDER BY (intDiv(minute, 60), tenant, source, integration, pipeline, stage, outcome, reason, minute)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

CREATE TABLE IF NOT EXISTS `sg`.`minute` ON CLUSTER `gauges` AS `sg_local`.`minute` ENGINE = Distributed('gauges', 'sg_local', 'minute', cityHash64(tenant));

CREATE TABLE IF NOT EXISTS `sg_local`.`queue` ON CLUSTER `gauges` (
    time_ns      Int64 CODEC(Delta, LZ4),
    seq          Int64 CODEC(Delta, LZ4),
    db           LowCardinality(String),
    queue        LowCardinality(String),
    pipeline     LowCardinality(String),
    integration  LowCardinality(String),
    tenant       LowCardinality(String),
    router       LowCardinality(String),
    tags         LowCardinality(String),
    backlog      Nullable(Float64),
    oldest_age_s Nullable(Float64),
    in_total     Nullable(Float64),
    out_total    Nullable(Float64),
    consumers    Nullable(Float64),
    in_flight    Nullable(Float64)
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/sg/queue-96a6fd93dc49', '{replica}')
PARTITION BY greatest(intDiv(time_ns, 604800000000000), 2600)
ORDER BY (intDiv(time_ns, 60000000000), tenant, queue)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

CREATE TABLE IF NOT EXISTS `sg`.`queue` ON CLUSTER `gauges` AS `sg_local`.`queue` ENGINE = Distributed('gauges', 'sg_local', 'queue', cityHash64(tenant));

CREATE TABLE IF NOT EXISTS `sg_local`.`queue_minute` ON CLUSTER `gauges` (
    minute            Int64 CODEC(Delta, ZSTD),
    queue             LowCardinality(String),
    pipeline          LowCardinality(String),
    integration       LowCardinality(String),
    tenant            LowCardinality(String),
    backlog_last      SimpleAggregateFunction(max, Tuple(Int64, Int64, Float64)),
    oldest_age_s_last SimpleAggregateFunction(max, Tuple(Int64, Int64, Float64)),
    in_total_last     SimpleAggregateFunction(max, Tuple(Int64, Int64, Float64)),
    out_total_last    SimpleAggregateFunction(max, Tuple(Int64, Int64, Float64)),
    consumers_last    SimpleAggregateFunction(max, Tuple(Int64, Int64, Float64)),
    backlog_min       SimpleAggregateFunction(min, Nullable(Float64)),
    backlog_max       SimpleAggregateFunction(max, Nullable(Float64)),
    last_ns           SimpleAggregateFunction(max, Int64)
) ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/sg/queue_minute-420284614b1e', '{replica}')
PARTITION BY greatest(intDiv(minute, 43200), 606)
ORDER BY (intDiv(minute, 60), tenant, queue, pipeline, integration, minute)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

CREATE TABLE IF NOT EXISTS `sg`.`queue_minute` ON CLUSTER `gauges` AS `sg_local`.`queue_minute` ENGINE = Distributed('gauges', 'sg_local', 'queue_minute', cityHash64(tenant));

CREATE TABLE IF NOT EXISTS `sg_local`.`points` ON CLUSTER `gauges` (
    time_ns     Int64 CODEC(Delta, LZ4),
    seq         Int64 CODEC(Delta, LZ4),
    db          LowCardinality(String),
    measurement LowCardinality(String),
    tags        LowCardinality(String),
    field       LowCardinality(String),
    type        LowCardinality(String),
    value       Nullable(Float64),
    text        Nullable(String)
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/sg/points-83a0773607b0', '{replica}', seq)
PARTITION BY greatest(intDiv(time_ns, 604800000000000), 2600)
ORDER BY (db, measurement, tags, field, time_ns)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

CREATE TABLE IF NOT EXISTS `sg`.`points` ON CLUSTER `gauges` AS `sg_local`.`points` ENGINE = Distributed('gauges', 'sg_local', 'points', cityHash64(db, measurement, tags, field));

CREATE TABLE IF NOT EXISTS `sg_local`.`last_seen` ON CLUSTER `gauges` (
    tenant      LowCardinality(String),
    source      LowCardinality(String),
    integration LowCardinality(String),
    pipeline    LowCardinality(String),
    stage       LowCardinality(String),
    first_ns    SimpleAggregateFunction(min, Int64),
    last_ns     SimpleAggregateFunction(max, Int64)
) ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/sg/last_seen-87671137ee60', '{replica}')
ORDER BY (tenant, source, integration, pipeline, stage)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

CREATE TABLE IF NOT EXISTS `sg`.`last_seen` ON CLUSTER `gauges` AS `sg_local`.`last_seen` ENGINE = Distributed('gauges', 'sg_local', 'last_seen', cityHash64(tenant));

CREATE TABLE IF NOT EXISTS `sg_local`.`seen_minute` ON CLUSTER `gauges` (
    minute  Int64,
    lines   SimpleAggregateFunction(sum, UInt64),
    last_ns SimpleAggregateFunction(max, Int64)
) ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/sg/seen_minute-fc1a590d007c', '{replica}')
ORDER BY minute
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

CREATE TABLE IF NOT EXISTS `sg`.`seen_minute` ON CLUSTER `gauges` AS `sg_local`.`seen_minute` ENGINE = Distributed('gauges', 'sg_local', 'seen_minute', cityHash64(minute));

CREATE TABLE IF NOT EXISTS `sg_local`.`rejected` ON CLUSTER `gauges` (
    time_ns     Int64 CODEC(Delta, LZ4),
    tenant      LowCardinality(String),
    line_number Int64,
    line        String,
    reason      String,
    batch       Int64
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/sg/rejected-360dd7b9d1d9', '{replica}')
PARTITION BY greatest(intDiv(time_ns, 604800000000000), 2600)
ORDER BY time_ns
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

CREATE TABLE IF NOT EXISTS `sg`.`rejected` ON CLUSTER `gauges` AS `sg_local`.`rejected` ENGINE = Distributed('gauges', 'sg_local', 'rejected', cityHash64(tenant));
