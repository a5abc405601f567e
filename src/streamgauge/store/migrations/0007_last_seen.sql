-- Every segment inserts a row a flow here: time stamps of one minute are much alike.
ALTER TABLE last_seen MODIFY COLUMN first_ns SimpleAggregateFunction(min, Int64) CODEC(GCD, T64, ZSTD);

ALTER TABLE last_seen MODIFY COLUMN last_ns SimpleAggregateFunction(max, Int64) CODEC(GCD, T64, ZSTD);
