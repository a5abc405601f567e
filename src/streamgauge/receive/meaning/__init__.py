"""What metrics mean: names, maps, counters and histograms become rows of messages and queues."""
