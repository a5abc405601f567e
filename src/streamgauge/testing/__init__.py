"""Fakes and clocks for tests, ours and those of people who build on streamgauge."""
