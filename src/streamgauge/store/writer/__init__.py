"""From the journal into the engine, segment by segment; what was refused; what detection is fed."""
