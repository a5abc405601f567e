"""The words every layer speaks: frozen dataclasses and enums, standard library only."""
