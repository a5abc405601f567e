-- Instants are integers since the epoch (`time_ns` nanoseconds, `minute` minutes), so that no time
-- zone can get in between. Parts are split by weeks and months of 30 days; everything before
-- 2019-11 shares one part, so that a body of ancient lines does not make thousands of them.
-- Every table remembers the tokens of its last inserts: a segment sent twice counts once.

-- Measurement `messages` as received; for the edges of ranges, and for looking closely.
CREATE TABLE IF NOT EXISTS messages
(
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
)
ENGINE = MergeTree
PARTITION BY greatest(intDiv(time_ns, 604800000000000), 2600)
ORDER BY (intDiv(time_ns, 60000000000), tenant)
SETTINGS non_replicated_deduplication_window = 1000;

-- `messages` summed by minute. The histograms map an exponential bucket of OpenTelemetry's scale 5
-- to the messages in it.
CREATE TABLE IF NOT EXISTS minute
(
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
)
ENGINE = AggregatingMergeTree
PARTITION BY greatest(intDiv(minute, 43200), 606)
ORDER BY (intDiv(minute, 60), tenant, source, integration, pipeline, stage, outcome, reason, minute)
SETTINGS non_replicated_deduplication_window = 1000;

-- Measurement `queue` as received. `seq` grows with every acknowledgement: of two lines with the
-- same series and time stamp, each field's later value holds.
CREATE TABLE IF NOT EXISTS queue
(
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
)
ENGINE = MergeTree
PARTITION BY greatest(intDiv(time_ns, 604800000000000), 2600)
ORDER BY (intDiv(time_ns, 60000000000), tenant, queue)
SETTINGS non_replicated_deduplication_window = 1000;

-- `queue` by minute. A last value is the greatest of (time_ns, seq, value); time_ns = -1: none.
CREATE TABLE IF NOT EXISTS queue_minute
(
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
)
ENGINE = AggregatingMergeTree
PARTITION BY greatest(intDiv(minute, 43200), 606)
ORDER BY (intDiv(minute, 60), tenant, queue, pipeline, integration, minute)
SETTINGS non_replicated_deduplication_window = 1000;

-- Every other measurement, one row a field; the last acknowledged one holds.
CREATE TABLE IF NOT EXISTS points
(
    time_ns     Int64 CODEC(Delta, LZ4),
    seq         Int64 CODEC(Delta, LZ4),
    db          LowCardinality(String),
    measurement LowCardinality(String),
    tags        LowCardinality(String),
    field       LowCardinality(String),
    type        LowCardinality(String),
    value       Nullable(Float64),
    text        Nullable(String)
)
ENGINE = ReplacingMergeTree(seq)
PARTITION BY greatest(intDiv(time_ns, 604800000000000), 2600)
ORDER BY (db, measurement, tags, field, time_ns)
SETTINGS non_replicated_deduplication_window = 1000;

-- When each flow spoke first and last; small, so that millions of flows are asked in milliseconds.
CREATE TABLE IF NOT EXISTS last_seen
(
    tenant      LowCardinality(String),
    source      LowCardinality(String),
    integration LowCardinality(String),
    pipeline    LowCardinality(String),
    stage       LowCardinality(String),
    first_ns    SimpleAggregateFunction(min, Int64),
    last_ns     SimpleAggregateFunction(max, Int64)
)
ENGINE = AggregatingMergeTree
ORDER BY (tenant, source, integration, pipeline, stage)
SETTINGS non_replicated_deduplication_window = 1000;

-- The minutes in which anyone's line is stamped, whatever it measures.
CREATE TABLE IF NOT EXISTS seen_minute
(
    minute  Int64,
    lines   SimpleAggregateFunction(sum, UInt64),
    last_ns SimpleAggregateFunction(max, Int64)
)
ENGINE = AggregatingMergeTree
ORDER BY minute
SETTINGS non_replicated_deduplication_window = 1000;

-- Lines that were not kept, and why; `time_ns` is when they came, `batch` the body they came in.
CREATE TABLE IF NOT EXISTS rejected
(
    time_ns     Int64 CODEC(Delta, LZ4),
    tenant      LowCardinality(String),
    line_number Int64,
    line        String,
    reason      String,
    batch       Int64
)
ENGINE = MergeTree
PARTITION BY greatest(intDiv(time_ns, 604800000000000), 2600)
ORDER BY time_ns
SETTINGS non_replicated_deduplication_window = 1000;
