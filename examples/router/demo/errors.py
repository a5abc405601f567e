"""What can go wrong with the demonstration itself."""


class DemoError(Exception):
    """Something of the set-up failed; the text says what, and what to do."""
