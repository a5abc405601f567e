"""What was acknowledged, on disk until the engine has it; and the keys that tell a retry."""
