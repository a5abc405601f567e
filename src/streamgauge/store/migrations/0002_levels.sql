-- Three levels: minute, hour, day; of `messages`, of `queue`, and of every numeric field. All of them
-- add up: late data of any age is inserted as it comes, also where a finer level is gone already.
-- Parts are split by 7, 30 and 360 days, whole multiples of what they hold, so that retention drops
-- whole parts; everything before 2019-11 (days: 2019-04) shares one. Parts that were merged go
-- within seconds.

-- `minute` and `queue_minute` move to parts of 7 days. Durations told before this have no extremes:
-- the middle of their outermost bucket stands in, within 1.1 %.
-- if: SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'minute' AND position(partition_key, '43200') > 0
CREATE TABLE IF NOT EXISTS minute_next
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
    latency_hist SimpleAggregateFunction(sumMap, Map(Int16, UInt64)) CODEC(T64, ZSTD),
    queue_hist   SimpleAggregateFunction(sumMap, Map(Int16, UInt64)) CODEC(T64, ZSTD),
    latency_min  SimpleAggregateFunction(min, Float32) DEFAULT inf CODEC(ZSTD),
    latency_max  SimpleAggregateFunction(max, Float32) DEFAULT -inf CODEC(ZSTD),
    queue_min    SimpleAggregateFunction(min, Float32) DEFAULT inf CODEC(ZSTD),
    queue_max    SimpleAggregateFunction(max, Float32) DEFAULT -inf CODEC(ZSTD),
    first_ns     SimpleAggregateFunction(min, Int64) CODEC(Delta, ZSTD),
    last_ns      SimpleAggregateFunction(max, Int64) CODEC(Delta, ZSTD)
)
ENGINE = AggregatingMergeTree
PARTITION BY greatest(intDiv(minute, 10080), 2600)
ORDER BY (intDiv(minute, 60), tenant, source, integration, pipeline, stage, outcome, reason, minute)
SETTINGS index_granularity = 2048, non_replicated_deduplication_window = 1000,
    old_parts_lifetime = 5,
    cleanup_delay_period = 5, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 10;

-- if: SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'minute' AND position(partition_key, '43200') > 0
TRUNCATE TABLE minute_next;

-- if: SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'minute' AND position(partition_key, '43200') > 0
INSERT INTO minute_next
    (minute, tenant, source, integration, pipeline, stage, outcome, reason,
    count, bytes, latency_hist, queue_hist, latency_min, latency_max, queue_min, queue_max,
    first_ns, last_ns)
SELECT minute, tenant, source, integration, pipeline, stage, outcome, reason,
    count, bytes, latency_hist, queue_hist,
    if(empty(latency_hist), inf, if(arrayMin(mapKeys(latency_hist)) = -32768, 0., exp2((arrayMin(mapKeys(latency_hist)) + 0.5) / 32))),
    if(empty(latency_hist), -inf, if(arrayMax(mapKeys(latency_hist)) = -32768, 0., exp2((arrayMax(mapKeys(latency_hist)) + 0.5) / 32))),
    if(empty(queue_hist), inf, if(arrayMin(mapKeys(queue_hist)) = -32768, 0., exp2((arrayMin(mapKeys(queue_hist)) + 0.5) / 32))),
    if(empty(queue_hist), -inf, if(arrayMax(mapKeys(queue_hist)) = -32768, 0., exp2((arrayMax(mapKeys(queue_hist)) + 0.5) / 32))),
    first_ns, last_ns
FROM minute
SETTINGS max_execution_time = 0, max_block_size = 16384, max_threads = 2,
    max_insert_threads = 1, min_insert_block_size_rows = 131072, min_insert_block_size_bytes = 67108864;

-- if: SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'minute' AND position(partition_key, '43200') > 0
EXCHANGE TABLES minute AND minute_next;

DROP TABLE IF EXISTS minute_next;

-- if: SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'queue_minute' AND position(partition_key, '43200') > 0
CREATE TABLE IF NOT EXISTS queue_minute_next
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
PARTITION BY greatest(intDiv(minute, 10080), 2600)
ORDER BY (intDiv(minute, 60), tenant, queue, pipeline, integration, minute)
SETTINGS non_replicated_deduplication_window = 1000, old_parts_lifetime = 5,
    cleanup_delay_period = 5, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 10;

-- if: SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'queue_minute' AND position(partition_key, '43200') > 0
TRUNCATE TABLE queue_minute_next;

-- if: SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'queue_minute' AND position(partition_key, '43200') > 0
INSERT INTO queue_minute_next
    (minute, queue, pipeline, integration, tenant, backlog_last, oldest_age_s_last, in_total_last,
    out_total_last, consumers_last, backlog_min, backlog_max, last_ns)
SELECT minute, queue, pipeline, integration, tenant, backlog_last, oldest_age_s_last, in_total_last,
    out_total_last, consumers_last, backlog_min, backlog_max, last_ns
FROM queue_minute
SETTINGS max_execution_time = 0, max_block_size = 16384, max_threads = 2,
    max_insert_threads = 1, min_insert_block_size_rows = 131072, min_insert_block_size_bytes = 67108864;

-- if: SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'queue_minute' AND position(partition_key, '43200') > 0
EXCHANGE TABLES queue_minute AND queue_minute_next;

DROP TABLE IF EXISTS queue_minute_next;

-- `minutes` has a bit for each minute of the hour in which a line is stamped.
CREATE TABLE IF NOT EXISTS hour
(
    hour         Int64 CODEC(Delta, ZSTD),
    minutes      SimpleAggregateFunction(groupBitOr, UInt64) CODEC(ZSTD),
    tenant       LowCardinality(String),
    source       LowCardinality(String),
    integration  LowCardinality(String),
    pipeline     LowCardinality(String),
    stage        LowCardinality(String),
    outcome      LowCardinality(String),
    reason       LowCardinality(String),
    count        SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
    bytes        SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
    latency_hist SimpleAggregateFunction(sumMap, Map(Int16, UInt64)) CODEC(T64, ZSTD),
    queue_hist   SimpleAggregateFunction(sumMap, Map(Int16, UInt64)) CODEC(T64, ZSTD),
    latency_min  SimpleAggregateFunction(min, Float32) DEFAULT inf CODEC(ZSTD),
    latency_max  SimpleAggregateFunction(max, Float32) DEFAULT -inf CODEC(ZSTD),
    queue_min    SimpleAggregateFunction(min, Float32) DEFAULT inf CODEC(ZSTD),
    queue_max    SimpleAggregateFunction(max, Float32) DEFAULT -inf CODEC(ZSTD),
    first_ns     SimpleAggregateFunction(min, Int64) CODEC(Delta, ZSTD),
    last_ns      SimpleAggregateFunction(max, Int64) CODEC(Delta, ZSTD)
)
ENGINE = AggregatingMergeTree
PARTITION BY greatest(intDiv(hour, 720), 606)
ORDER BY (intDiv(hour, 24), tenant, source, integration, pipeline, stage, outcome, reason, hour)
SETTINGS index_granularity = 2048, non_replicated_deduplication_window = 1000,
    old_parts_lifetime = 5,
    cleanup_delay_period = 5, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 10;

CREATE TABLE IF NOT EXISTS day
(
    day          Int64 CODEC(Delta, ZSTD),
    tenant       LowCardinality(String),
    source       LowCardinality(String),
    integration  LowCardinality(String),
    pipeline     LowCardinality(String),
    stage        LowCardinality(String),
    outcome      LowCardinality(String),
    reason       LowCardinality(String),
    count        SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
    bytes        SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
    latency_hist SimpleAggregateFunction(sumMap, Map(Int16, UInt64)) CODEC(T64, ZSTD),
    queue_hist   SimpleAggregateFunction(sumMap, Map(Int16, UInt64)) CODEC(T64, ZSTD),
    latency_min  SimpleAggregateFunction(min, Float32) DEFAULT inf CODEC(ZSTD),
    latency_max  SimpleAggregateFunction(max, Float32) DEFAULT -inf CODEC(ZSTD),
    queue_min    SimpleAggregateFunction(min, Float32) DEFAULT inf CODEC(ZSTD),
    queue_max    SimpleAggregateFunction(max, Float32) DEFAULT -inf CODEC(ZSTD),
    first_ns     SimpleAggregateFunction(min, Int64) CODEC(Delta, ZSTD),
    last_ns      SimpleAggregateFunction(max, Int64) CODEC(Delta, ZSTD)
)
ENGINE = AggregatingMergeTree
PARTITION BY greatest(intDiv(day, 360), 50)
ORDER BY (intDiv(day, 30), tenant, source, integration, pipeline, stage, outcome, reason, day)
SETTINGS non_replicated_deduplication_window = 1000, old_parts_lifetime = 5,
    cleanup_delay_period = 5, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 10;

CREATE TABLE IF NOT EXISTS queue_hour
(
    hour              Int64 CODEC(Delta, ZSTD),
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
PARTITION BY greatest(intDiv(hour, 720), 606)
ORDER BY (intDiv(hour, 24), tenant, queue, pipeline, integration, hour)
SETTINGS non_replicated_deduplication_window = 1000, old_parts_lifetime = 5,
    cleanup_delay_period = 5, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 10;

CREATE TABLE IF NOT EXISTS queue_day
(
    day               Int64 CODEC(Delta, ZSTD),
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
PARTITION BY greatest(intDiv(day, 360), 50)
ORDER BY (tenant, queue, pipeline, integration, day)
SETTINGS non_replicated_deduplication_window = 1000, old_parts_lifetime = 5,
    cleanup_delay_period = 5, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 10;

-- Every numeric field, of `queue` and of every other measurement, by series. `first` and `last` are
-- (time_ns, order, value): of equal time stamps the one acknowledged last holds, so that `order`
-- grows with acknowledgements in `last`, and falls with them in `first`.
CREATE TABLE IF NOT EXISTS point_minute
(
    minute      Int64 CODEC(Delta, ZSTD),
    db          LowCardinality(String),
    measurement LowCardinality(String),
    field       LowCardinality(String),
    tags        LowCardinality(String),
    count       SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
    sum         SimpleAggregateFunction(sum, Float64) CODEC(ZSTD),
    min         SimpleAggregateFunction(min, Float64) CODEC(ZSTD),
    max         SimpleAggregateFunction(max, Float64) CODEC(ZSTD),
    first       SimpleAggregateFunction(min, Tuple(Int64, Int64, Float64)) CODEC(ZSTD),
    last        SimpleAggregateFunction(max, Tuple(Int64, Int64, Float64)) CODEC(ZSTD)
)
ENGINE = AggregatingMergeTree
PARTITION BY greatest(intDiv(minute, 10080), 2600)
ORDER BY (db, measurement, field, tags, minute)
SETTINGS non_replicated_deduplication_window = 1000, old_parts_lifetime = 5,
    cleanup_delay_period = 5, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 10;

CREATE TABLE IF NOT EXISTS point_hour
(
    hour        Int64 CODEC(Delta, ZSTD),
    db          LowCardinality(String),
    measurement LowCardinality(String),
    field       LowCardinality(String),
    tags        LowCardinality(String),
    count       SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
    sum         SimpleAggregateFunction(sum, Float64) CODEC(ZSTD),
    min         SimpleAggregateFunction(min, Float64) CODEC(ZSTD),
    max         SimpleAggregateFunction(max, Float64) CODEC(ZSTD),
    first       SimpleAggregateFunction(min, Tuple(Int64, Int64, Float64)) CODEC(ZSTD),
    last        SimpleAggregateFunction(max, Tuple(Int64, Int64, Float64)) CODEC(ZSTD)
)
ENGINE = AggregatingMergeTree
PARTITION BY greatest(intDiv(hour, 720), 606)
ORDER BY (db, measurement, field, tags, hour)
SETTINGS non_replicated_deduplication_window = 1000, old_parts_lifetime = 5,
    cleanup_delay_period = 5, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 10;

CREATE TABLE IF NOT EXISTS point_day
(
    day         Int64 CODEC(Delta, ZSTD),
    db          LowCardinality(String),
    measurement LowCardinality(String),
    field       LowCardinality(String),
    tags        LowCardinality(String),
    count       SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
    sum         SimpleAggregateFunction(sum, Float64) CODEC(ZSTD),
    min         SimpleAggregateFunction(min, Float64) CODEC(ZSTD),
    max         SimpleAggregateFunction(max, Float64) CODEC(ZSTD),
    first       SimpleAggregateFunction(min, Tuple(Int64, Int64, Float64)) CODEC(ZSTD),
    last        SimpleAggregateFunction(max, Tuple(Int64, Int64, Float64)) CODEC(ZSTD)
)
ENGINE = AggregatingMergeTree
PARTITION BY greatest(intDiv(day, 360), 50)
ORDER BY (db, measurement, field, tags, day)
SETTINGS non_replicated_deduplication_window = 1000, old_parts_lifetime = 5,
    cleanup_delay_period = 5, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 10;

-- Up to where each table was emptied: what it holds before that is not all there was.
CREATE TABLE IF NOT EXISTS kept_from
(
    name    LowCardinality(String),
    from_ns SimpleAggregateFunction(max, Int64)
)
ENGINE = AggregatingMergeTree
ORDER BY name
SETTINGS non_replicated_deduplication_window = 1000;

-- What minutes hold is summed to hours and days, `points` to all three. Rows of one key are summed
-- by the engine, in each block and when parts are merged: no table is grouped in memory.
TRUNCATE TABLE hour;

-- if: SELECT count() FROM minute
INSERT INTO hour
    (hour, minutes, tenant, source, integration, pipeline, stage, outcome, reason,
    count, bytes, latency_hist, queue_hist, latency_min, latency_max, queue_min, queue_max,
    first_ns, last_ns)
SELECT intDiv(minute, 60), bitShiftLeft(toUInt64(1), minute % 60), tenant, source, integration, pipeline, stage, outcome, reason,
    count, bytes, latency_hist, queue_hist, latency_min, latency_max, queue_min, queue_max,
    first_ns, last_ns
FROM minute
SETTINGS max_execution_time = 0, max_block_size = 16384, max_threads = 2,
    max_insert_threads = 1, min_insert_block_size_rows = 131072, min_insert_block_size_bytes = 67108864;

TRUNCATE TABLE day;

-- if: SELECT count() FROM hour
INSERT INTO day
    (day, tenant, source, integration, pipeline, stage, outcome, reason,
    count, bytes, latency_hist, queue_hist, latency_min, latency_max, queue_min, queue_max,
    first_ns, last_ns)
SELECT intDiv(hour, 24), tenant, source, integration, pipeline, stage, outcome, reason,
    count, bytes, latency_hist, queue_hist, latency_min, latency_max, queue_min, queue_max,
    first_ns, last_ns
FROM hour
SETTINGS max_execution_time = 0, max_block_size = 16384, max_threads = 2,
    max_insert_threads = 1, min_insert_block_size_rows = 131072, min_insert_block_size_bytes = 67108864;

TRUNCATE TABLE queue_hour;

-- if: SELECT count() FROM queue_minute
INSERT INTO queue_hour
    (hour, queue, pipeline, integration, tenant, backlog_last, oldest_age_s_last, in_total_last,
    out_total_last, consumers_last, backlog_min, backlog_max, last_ns)
SELECT intDiv(minute, 60), queue, pipeline, integration, tenant, backlog_last, oldest_age_s_last, in_total_last,
    out_total_last, consumers_last, backlog_min, backlog_max, last_ns
FROM queue_minute
SETTINGS max_execution_time = 0, max_block_size = 16384, max_threads = 2,
    max_insert_threads = 1, min_insert_block_size_rows = 131072, min_insert_block_size_bytes = 67108864;

TRUNCATE TABLE queue_day;

-- if: SELECT count() FROM queue_hour
INSERT INTO queue_day
    (day, queue, pipeline, integration, tenant, backlog_last, oldest_age_s_last, in_total_last,
    out_total_last, consumers_last, backlog_min, backlog_max, last_ns)
SELECT intDiv(hour, 24), queue, pipeline, integration, tenant, backlog_last, oldest_age_s_last, in_total_last,
    out_total_last, consumers_last, backlog_min, backlog_max, last_ns
FROM queue_hour
SETTINGS max_execution_time = 0, max_block_size = 16384, max_threads = 2,
    max_insert_threads = 1, min_insert_block_size_rows = 131072, min_insert_block_size_bytes = 67108864;

TRUNCATE TABLE point_minute;

-- if: SELECT count() FROM points
INSERT INTO point_minute
    (minute, db, measurement, field, tags, count, sum, min, max, first, last)
SELECT intDiv(time_ns, 60000000000), db, measurement, field, tags, 1, assumeNotNull(value),
    assumeNotNull(value), assumeNotNull(value), (time_ns, -seq, assumeNotNull(value)),
    (time_ns, seq, assumeNotNull(value))
FROM points FINAL
WHERE type IN ('f', 'i', 'u') AND isNotNull(value) AND isFinite(value)
SETTINGS max_execution_time = 0, max_block_size = 16384, max_threads = 2,
    max_insert_threads = 1, min_insert_block_size_rows = 131072, min_insert_block_size_bytes = 67108864;

-- The fields of `queue`, as `points` has them: the tags sorted, and escaped like line protocol.
-- if: SELECT count() FROM queue
INSERT INTO point_minute
    (minute, db, measurement, field, tags, count, sum, min, max, first, last)
SELECT minute, db, 'queue', told.1, all_tags, 1, told.2.2, told.2.2, told.2.2,
    (time_ns, -told.2.1, told.2.2), (time_ns, told.2.1, told.2.2)
FROM
(
    SELECT intDiv(time_ns, 60000000000) AS minute, time_ns, db,
        arrayStringConcat(arraySort(arrayConcat(
            arrayMap(
                own -> concat(own.1, '=', replaceRegexpAll(own.2, '([,= ])', '\\\\\\1')),
                arrayFilter(own -> own.2 != '', [
                    ('queue', toString(queue)), ('pipeline', toString(pipeline)),
                    ('integration', toString(integration)), ('tenant', toString(tenant)),
                    ('router', toString(router))])),
            extractAll(toString(tags), '(?:\\\\,|[^,])+'))), ',') AS all_tags,
        arrayJoin([
            ('backlog', maxIf((seq, assumeNotNull(backlog)), isFinite(backlog))),
            ('oldest_age_s', maxIf((seq, assumeNotNull(oldest_age_s)), isFinite(oldest_age_s))),
            ('in_total', maxIf((seq, assumeNotNull(in_total)), isFinite(in_total))),
            ('out_total', maxIf((seq, assumeNotNull(out_total)), isFinite(out_total))),
            ('consumers', maxIf((seq, assumeNotNull(consumers)), isFinite(consumers))),
            ('in_flight', maxIf((seq, assumeNotNull(in_flight)), isFinite(in_flight)))]) AS told
    FROM queue
    GROUP BY intDiv(time_ns, 60000000000), tenant, queue, pipeline, integration, router, db, tags, time_ns
)
WHERE told.2.1 > 0
SETTINGS max_execution_time = 0, optimize_aggregation_in_order = 1,
    max_block_size = 16384, max_threads = 2,
    max_insert_threads = 1, min_insert_block_size_rows = 131072, min_insert_block_size_bytes = 67108864;

TRUNCATE TABLE point_hour;

-- if: SELECT count() FROM point_minute
INSERT INTO point_hour
    (hour, db, measurement, field, tags, count, sum, min, max, first, last)
SELECT intDiv(minute, 60), db, measurement, field, tags, count, sum, min, max, first, last
FROM point_minute
SETTINGS max_execution_time = 0, max_block_size = 16384, max_threads = 2,
    max_insert_threads = 1, min_insert_block_size_rows = 131072, min_insert_block_size_bytes = 67108864;

TRUNCATE TABLE point_day;

-- if: SELECT count() FROM point_hour
INSERT INTO point_day
    (day, db, measurement, field, tags, count, sum, min, max, first, last)
SELECT intDiv(hour, 24), db, measurement, field, tags, count, sum, min, max, first, last
FROM point_hour
SETTINGS max_execution_time = 0, max_block_size = 16384, max_threads = 2,
    max_insert_threads = 1, min_insert_block_size_rows = 131072, min_insert_block_size_bytes = 67108864;
