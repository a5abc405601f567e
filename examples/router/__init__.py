"""A small message router, its fake vendors and its load: what the users of streamgauge run."""
