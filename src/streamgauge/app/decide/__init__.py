"""The loop that decides, and what people say of flows."""
