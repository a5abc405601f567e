"""The governor: what a load needs, when room runs out, and what to give up. Pure; no I/O."""
