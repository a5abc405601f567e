"""What keeps running and what is kept over restarts: engine, state, loops of care."""
