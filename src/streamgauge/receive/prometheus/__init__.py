"""Prometheus: remote write as it comes in, and targets that are scraped."""
