"""One module per wire format: bytes to columns, pure; thin routes. Never knows the store."""
