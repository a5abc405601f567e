"""One flow of a platform that does not exist, and what some of them sent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FILTERED_SHARE = 0.037


@dataclass(frozen=True, slots=True)
class FakeFlow:
    """One flow of the invented platform."""

    tenant: str
    source: str
    integration: str
    per_minute: float
    error_ratio: float
    silent_since_s: float | None
    failing: tuple[float, float] | None

    @property
    def labels(self) -> dict[str, str]:
        """By the names of the model."""
        return {
            "tenant": self.tenant,
            "source": self.source,
            "integration": self.integration,
            "pipeline": "main",
            "stage": "delivered",
            "queue": "main",
        }


@dataclass(frozen=True, slots=True)
class Sent:
    """Messages and errors per step."""

    at: Floats
    messages: Floats
    errors: Floats

    def by_outcome(self) -> dict[str, Floats]:
        """What became of them."""
        filtered = np.round(self.messages * FILTERED_SHARE)
        expired, error = np.round(self.errors * 0.2), np.round(self.errors * 0.8)
        ok = np.round(self.messages) - filtered - expired - error
        return {"ok": ok, "filtered": filtered, "error": error, "expired": expired}
