"""The only place that knows everything: configuration, wiring, loops, the command line."""
