-- Which router each flow's messages came through, by the hour: `minutes` has a bit for each minute of
-- it. A row without a flow is a sign of life alone: a line of another measurement that names its router.
-- Wanted for a day, to know after a restart what would be unknown should a router stop.
CREATE TABLE IF NOT EXISTS router_hour
(
    hour        Int64 CODEC(Delta, ZSTD),
    router      LowCardinality(String),
    tenant      LowCardinality(String),
    source      LowCardinality(String),
    integration LowCardinality(String),
    pipeline    LowCardinality(String),
    stage       LowCardinality(String),
    count       SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
    minutes     SimpleAggregateFunction(groupBitOr, UInt64) CODEC(ZSTD),
    last_ns     SimpleAggregateFunction(max, Int64) CODEC(ZSTD)
)
ENGINE = AggregatingMergeTree
PARTITION BY greatest(intDiv(hour, 168), 2600)
ORDER BY (hour, router, tenant, source, integration, pipeline, stage)
SETTINGS non_replicated_deduplication_window = 1000;

ALTER TABLE changes ADD COLUMN IF NOT EXISTS routers String CODEC(ZSTD);
