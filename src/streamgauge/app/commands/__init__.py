"""The commands, one module each, and what only they need."""
