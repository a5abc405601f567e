"""Measurements side by side with peers: `python -m bench [ingest|parse]`."""
