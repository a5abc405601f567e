"""What every table of the configuration has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of the configuration: unknown keys are refused, values cannot change later."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
