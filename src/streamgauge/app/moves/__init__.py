"""Whole installations on the move: backup, restore, upgrade; how a command reaches a process."""
