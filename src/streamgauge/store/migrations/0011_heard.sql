-- The newest line of a minute that was reported to us; -1: our own collectors alone tell of it, which
-- says nothing of those who report. Lines of former versions count as reported.
ALTER TABLE seen_minute ADD COLUMN IF NOT EXISTS
    heard_ns SimpleAggregateFunction(max, Int64) DEFAULT last_ns;
