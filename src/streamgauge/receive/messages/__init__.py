"""NDJSON: one line a message's hop. Pure: bytes to columns; `endpoint` answers the requests."""
